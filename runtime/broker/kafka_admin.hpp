// INTERNAL to runtime/broker: what the driver asks of the brokers beside messages. It is an interface, because
// librdkafka's mock cluster cannot do the first four: tests bring their own.
#pragma once

#include "runtime/broker/kafka_session.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace finstream {

class kafka_admin {
public:
  virtual ~kafka_admin() = default;

  // Errors of all: those of broker.hpp. That a topic is there already, or is not there, is none.
  virtual expected<void> create_topic(kafka_session& session, const std::string& topic) = 0;
  virtual expected<void> remove_topic(kafka_session& session, const std::string& topic) = 0;
  virtual expected<void> remove_group(kafka_session& session, const std::string& group_id) = 0;
  virtual expected<void> drop_before(kafka_session& session, const std::string& topic, std::int64_t offset) = 0;
  virtual expected<std::vector<std::string>> group_ids(kafka_session& session) = 0;
};

// As Kafka itself does it.
std::unique_ptr<kafka_admin> make_kafka_admin();

// The offset of the first message that a group has not dealt with; nothing: there is no such group.
expected<std::optional<std::int64_t>> committed_offset(kafka_session& session, const std::string& topic,
                                                       const std::string& group_id);
// To be said where nobody of the group is at work.
expected<void> commit_offset(kafka_session& session, const std::string& topic, const std::string& group_id,
                             std::int64_t offset);

} // namespace finstream
