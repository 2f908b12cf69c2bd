// INTERNAL to runtime/broker: names and messages as Kafka has them. docs/brokers.md says what other programs see.
#pragma once

#include "runtime/broker/broker.hpp"
#include "runtime/broker/kafka_session.hpp"

namespace finstream::kafka_messages {

// What brokers and their clients take where nobody has set another limit; headers and framing included.
inline constexpr std::size_t max_request_bytes = 1'000'000;
inline constexpr std::size_t header_bytes = 2048; // what headers and framing take, at most

// Kafka takes no ':', and holds '.' and '_' for the same: ':' is written "--", '_' "-u" and '-' "-d". Errors:
// invalid_argument, for one that is too long by that, "." and "..".
expected<std::string> topic_of(const std::string& stream);
// Groups are of a whole cluster in Kafka, and of a stream here: "group@stream".
std::string group_id_of(const std::string& stream, const std::string& group);
std::string group_of(const std::string& stream, const std::string& group_id); // empty: it is not one of this stream

// A message counts if it is at the offset that its writer meant it for: so it came right behind the one that its writer
// believed to be the last. All readers pass over what does not count, and so of two writers one is stopped.
struct placed_message {
  broker_message what;
  std::int64_t offset = 0;
  bool counts = true;
  std::string writer; // whose it is: the publish() of one driver
};
// Errors: incompatible, if it has not the headers of ours.
expected<placed_message> message_of(const rd_kafka_message_t& record);

// What has become of a message that was handed to the library.
struct delivery {
  std::int64_t offset = -1;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__IN_PROGRESS;
};
// Hands it over; `to` is told by on_delivery(), while the producer is polled, and must live until then.
rd_kafka_resp_err_t produce(rd_kafka_t& with, const std::string& topic, const broker_message& x, std::int64_t meant_for,
                            const std::string& writer, delivery& to);
void on_delivery(rd_kafka_t* producer, const rd_kafka_message_t* record, void* self);

} // namespace finstream::kafka_messages
