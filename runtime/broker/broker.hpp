// A BROKER: a server of someone else's that keeps streams of messages, such as Redis, NATS or Kafka. This is what a
// journal needs of one, and no more; every driver keeps it, and tests/contracts/broker_contract.hpp checks it on each.
//
// clang-format off
// Streams     A stream is an ordered sequence of messages. Each has a number, which only grows: that of the transaction
//             it is part of, and which part. The driver keeps the number beside the message, where any reader sees it.
// Publishing  Messages go in behind the one that the caller believes to be the last. If it is not, nothing is
//             published: so nothing is in a stream twice, nothing is left out, and of two writers one is stopped.
// Failures    After a failed publish() any first part of its messages may be in the stream: ask ends() and go on.
// Deadlines   No function waits longer than broker_options::request_timeout_ms (take() also as long as it is told to).
//             After a failure the driver connects anew at the next call, and never by itself in between.
// Threads     One caller at a time. Who wants more opens another.
// Errors      unreachable (cannot be reached, or does not answer: try again), conflict (see Publishing),
//             overloaded (it refuses for want of memory or space), trimmed, not_found (no such stream or group),
//             invalid_argument (a name it does not take, numbers with holes, a message over its limit), incompatible
//             (a stream that is not set up as it must be, or holds what no driver of ours has written), config_invalid
//             (a password is wrong, a user may not do this).
// clang-format on
#pragma once

#include "messages/errors.hpp"
#include "messages/value/timestamp.hpp"
#include "runtime/broker/security.hpp"

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace finstream {

struct message_number {
  std::uint64_t transaction = 0; // from 1, without holes
  std::uint32_t part = 0;        // from 0, without holes

  friend auto operator<=>(const message_number&, const message_number&) = default;
};

struct broker_message {
  message_number number;
  bool is_last_part = true;
  std::uint64_t log_id = 0; // of the log whose stream this is: a stream holds one, and another's is not gone on with
  std::string type;         // "block", or what an event is, such as "tick": one word
  std::string body;         // any bytes
};

// What a stream holds.
struct stream_ends {
  // Of an empty stream there is no first; the last is known all the same, unless it never held anything.
  std::optional<message_number> first, last;
  bool last_is_whole = true;  // the last message is the last part of its transaction; true where that is not known
  std::uint64_t log_id = 0;   // of the last message; 0 where it is not known
  std::uint64_t messages = 0; // in it, as far as the broker counts them
};

// A message that a group has handed to one of its consumers.
struct taken_message {
  broker_message what;
  std::uint32_t deliveries = 1; // how often it was handed to somebody, this time included
};
struct claimed_messages {
  std::vector<taken_message> messages;
  std::uint64_t lost = 0; // were pending and are no longer in the stream
};
// A message that a group has handed out as often as it may, and that nobody has acknowledged: it gets it no more.
struct given_up_message {
  std::string id; // among all that are kept at the same place; forever the same
  std::string stream, group;
  std::uint32_t deliveries = 0;
  std::optional<broker_message> what; // nothing: it is no longer in the stream, or is none of ours
};
struct group_state {
  std::string group;
  std::uint64_t pending = 0;                  // handed to a consumer and not acknowledged
  std::uint64_t waiting = 0;                  // in the stream and handed to nobody yet
  std::optional<message_number> first_needed; // the first message it has not dealt with; nothing: none
  nanoseconds oldest_idle = 0;                // for how long the oldest pending message was not heard of
  std::uint32_t consumers = 0;
};

struct broker_statistics {
  std::uint64_t connects = 0; // the first included
  std::uint64_t published = 0, published_bytes = 0;
  std::uint64_t read = 0;
  std::uint64_t failures = 0;
};

struct broker_capabilities {
  const char* driver = "";
  std::size_t max_message_bytes = 0; // of one body
  // What is pending for too long is handed out anew by the broker, in take(): claim_stale() has nothing to do.
  bool claims_by_itself = false;
  bool knows_consumers = false; // of a group, by their names; where not, there is nobody to forget
  // Groups of other programs may say how often a message is handed out at most: see given_up().
  bool limits_deliveries = false;
  // Consumers of a group get messages side by side. Where not, one has the whole stream until it leaves or is silent
  // for stale_after_ms (but 6 s at least); another then begins with the first that is not acknowledged. Deliveries are
  // not counted, and what is pending is known to the one that has it; for all others it is waiting.
  bool shares_by_message = true;
};

class broker {
public:
  virtual ~broker() = default;

  // Creates the stream if it is not there, and verifies it if it is. To be called first; again does no harm.
  virtual expected<void> open_stream(const std::string& stream) = 0;
  // In this order, behind `after` ({} is: into a stream that never held anything). Returns when the broker has
  // acknowledged all of them. Numbers have no holes; a stream may begin with any transaction, and its first part.
  virtual expected<void> publish(const std::string& stream, std::optional<message_number> after,
                                 std::span<const broker_message> messages) = 0;
  // The messages behind `after` ({}: from the first that is kept; the highest part there can be is: behind the whole
  // transaction), at most so many and about so many bytes, at least
  // one if there is one; none: the end. errc::trimmed if some that are asked for are no longer kept.
  virtual expected<std::vector<broker_message>> read(const std::string& stream, std::optional<message_number> after,
                                                     std::size_t limit, std::size_t limit_bytes) = 0;
  virtual expected<stream_ends> ends(const std::string& stream) = 0;
  // Drops messages before this one, at least most of them, but none that a group has yet to deal with, and never the
  // last of the stream, from which a writer knows where to go on.
  virtual expected<void> trim(const std::string& stream, message_number first_kept) = 0;
  // For tests and for operators who begin anew: the stream, its groups and all that is in it.
  virtual expected<void> remove_stream(const std::string& stream) = 0;

  // Consumer groups, the broker's own, so that its tools show them and other programs may be part of them. Each message
  // is handed to one consumer of the group, and is pending until that one acknowledges it.
  virtual expected<void> ensure_group(const std::string& stream,
                                      const std::string& group) = 0; // from the first message
  virtual expected<std::vector<taken_message>> take(const std::string& stream, const std::string& group,
                                                    const std::string& consumer, std::size_t limit,
                                                    nanoseconds patience) = 0;
  virtual expected<void> acknowledge(const std::string& stream, const std::string& group,
                                     std::span<const message_number> numbers) = 0;
  // Says that the consumer still works on these: they are not stale. Those that another has by now stay with it.
  virtual expected<void> keep(const std::string& stream, const std::string& group, const std::string& consumer,
                              std::span<const message_number> numbers) = 0;
  // Hands what any consumer, this one too, has had for longer than broker_options::stale_after_ms to this one.
  virtual expected<claimed_messages> claim_stale(const std::string& stream, const std::string& group,
                                                 const std::string& consumer, std::size_t limit) = 0;
  // Forgets consumers that have nothing pending and were not heard of for so long. Answers how many.
  virtual expected<std::uint32_t> forget_idle_consumers(const std::string& stream, const std::string& group,
                                                        nanoseconds idle) = 0;
  virtual expected<std::vector<group_state>> groups(const std::string& stream) = 0;

  // What groups of these streams, other programs' too, have given up on since this was first asked; at most so many.
  // The broker writes it down in a stream of its own of this name, and each is told until it is forgotten. Where
  // limits_deliveries is not set there is nothing to tell.
  virtual expected<std::vector<given_up_message>>
  given_up(const std::string& /*kept_in*/, const std::vector<std::string>& /*of_streams*/, std::size_t /*limit*/) {
    return std::vector<given_up_message>{};
  }
  virtual expected<void> forget_given_up(const std::string& /*kept_in*/, const std::vector<std::string>& /*ids*/) {
    return {};
  }

  // Nothing, or why it cannot be used now. Asked of the server at most every broker_options::health_interval_ms.
  virtual expected<void> health() = 0;
  virtual broker_statistics statistics() const = 0;
  virtual broker_capabilities capabilities() const = 0;
};

struct broker_options {
  // "redis://[[user]:password@]host[:port][/database]", "nats://...", "tls://...", "host:port,host:port"
  std::string url;
  int connect_timeout_ms = 2000;
  int request_timeout_ms = 2000;
  int health_interval_ms = 5000;
  int stale_after_ms = 30'000;     // a message that a consumer has had for so long may be claimed by another
  int max_pending_messages = 1000; // of a group's consumers: handed out and not acknowledged
  broker_security security = {};   // of NATS and Kafka
};

// A driver that this build does not have fails with errc::invalid_argument and says which package it needs. Nothing is
// connected before the first call. Errors: invalid_argument (the url).
expected<std::unique_ptr<broker>> open_redis_broker(const broker_options& options);
expected<std::unique_ptr<broker>> open_nats_broker(const broker_options& options);
expected<std::unique_ptr<broker>> open_kafka_broker(const broker_options& options);

} // namespace finstream
