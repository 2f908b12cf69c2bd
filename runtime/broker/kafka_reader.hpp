// INTERNAL to runtime/broker: reads a topic from an offset on, and goes on from there as long as it is asked in order.
#pragma once

#include "runtime/broker/kafka_session.hpp"

#include <functional>
#include <optional>

namespace finstream {

class kafka_reader {
public:
  kafka_reader() = default;
  kafka_reader(const kafka_reader&) = delete;
  kafka_reader& operator=(const kafka_reader&) = delete;
  ~kafka_reader() { stop(); }

  // Gives `each` what is at `from` and behind it, before `until`, for as long as it answers true.
  expected<void> read(kafka_session& session, const std::string& topic, std::int64_t from, std::int64_t until,
                      const std::function<expected<bool>(const rd_kafka_message_t&)>& each);
  // Fetches nothing any more. To be called before the session drops its client.
  void stop();

private:
  expected<void> start(kafka_session& session, const std::string& topic, std::int64_t from);
  expected<bool> read_one(kafka_session& session, std::int64_t until,
                          const std::function<expected<bool>(const rd_kafka_message_t&)>& each);

  kafka_topic from_;
  std::optional<std::int64_t> next_; // where it stands; nothing: it is stopped
};

} // namespace finstream
