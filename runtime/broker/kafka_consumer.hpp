// INTERNAL to runtime/broker: one consumer of a Kafka group. Kafka hands out partitions, and a stream is one: so one
// consumer of a group has it at a time, and what is committed is where the next begins.
#pragma once

#include "runtime/broker/kafka_messages.hpp"

#include <deque>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace finstream {

class kafka_consumer {
public:
  kafka_consumer(kafka_session& session, std::string topic, std::string group_id, std::string name,
                 const broker_options& options);
  kafka_consumer(const kafka_consumer&) = delete;
  kafka_consumer& operator=(const kafka_consumer&) = delete;
  ~kafka_consumer(); // leaves the group

  // Connects, and joins the group. First of all, once. Errors: those of kafka_session::make().
  expected<void> join();
  // `end` is where the stream ends; what is before it is waited for, what is behind it only as long as told.
  expected<std::vector<taken_message>> take(std::int64_t end, std::size_t limit, nanoseconds patience);
  // What it does not have pending is passed over.
  expected<void> acknowledge(std::span<const message_number> numbers);
  void keep(); // says that it is still at work

  // It has no stream, and will not be let in as it is: another, in its place, reads the files anew.
  bool may_be_replaced() const;
  bool has_stream() const { return next_.has_value(); }
  std::size_t pending() const { return pending_.size(); }
  std::int64_t next() const { return *next_; } // offset of the first that is not handed out; if it has the stream
  nanoseconds oldest_idle() const;

private:
  struct handed_out {
    message_number number;
    nanoseconds since = 0; // by our clock
  };

  static void on_error(rd_kafka_t* client, int error, const char* reason, void* self);
  static void on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* partitions,
                           void* self);
  void forget_stream();
  expected<void> find_next();
  kafka_record poll(nanoseconds patience);
  expected<void> hand_out(kafka_record record, std::vector<taken_message>& to);
  expected<void> commit();

  kafka_session& session_; // for deadlines and failures; the connection is one of its own
  std::string topic_, group_id_, name_;
  int silent_ms_; // so long it may be, and is still one of the group
  std::size_t max_pending_;
  kafka_heard heard_;
  kafka_client client_;
  bool was_member_ = false; // the group has told it at least once what it has
  bool is_assigned_ = false;
  std::optional<std::int64_t> next_;
  std::map<std::int64_t, handed_out> pending_; // by offset
  bool is_uncommitted_ = false;
  std::deque<kafka_record> kept_; // came while it said that it was at work
};

} // namespace finstream
