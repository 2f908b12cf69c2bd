// INTERNAL to runtime/broker: names and messages as NATS has them. docs/brokers.md says what other programs see.
#pragma once

#include "runtime/broker/broker.hpp"
#include "runtime/broker/nats_session.hpp"

namespace finstream::nats_messages {

// What the headers of a message take, at most: with the body it must fit what the server takes.
inline constexpr std::size_t header_bytes = 1024;

// Names of streams and consumers cannot have a '.' in NATS: it is written '='.
std::string name_of(const std::string& stream_or_group);
std::string unnamed(const std::string& name); // the other way
// A stream's subject is its name. Errors: invalid_argument, for an empty token, as in "a..b".
expected<void> check_subject(const std::string& stream);

std::string_view text_of(natsMsg& message); // its body
// The number behind a name in what JetStream says: `"seq":17`.
std::optional<std::uint64_t> number_behind(std::string_view name, std::string_view text);

// What is said to NATS with a message: where the answer shall go, and what it must come behind.
struct sending {
  const std::string& subject;
  std::string reply;
  const std::string& writer; // of the ids of messages
  std::uint64_t expected_sequence;
  const broker_message* expected; // nothing for the first: what it comes behind may be older than ids are kept
};
nats_message message_for(const broker_message& x, const sending& how);
// Errors: incompatible, if it has not the headers of ours.
expected<broker_message> message_of(natsMsg& message);
// Its number alone.
expected<message_number> number_of(natsMsg& message);

} // namespace finstream::nats_messages
