// A JOURNAL: the transactions of one side of a partition, in order, as a broker keeps them for a log. Its entries are
// numbered from 1 without holes. What a transaction appends decides whose it is: one that appends nothing concerns this
// machine alone and is in no journal.
//
// clang-format off
//   entry    a block, or the next piece of one: a transaction that is very large is several entries
//   block    version 1 | flags 1 | epoch 8 | events 4 | body           big-endian; docs/brokers.md shows how to read one
//   body     [appends, writes, commits], msgpack, compressed as a whole where the flags say so, cut into pieces
//   message  what a broker keeps: an event as JSON (framing `event`: for other programs), or a part of an entry
// clang-format on
#pragma once

#include "runtime/broker/broker.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/bus/framing.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

enum class journal_side : std::uint8_t { events, outputs };
std::string_view to_string(journal_side side);
journal_side side_of(topic where);

struct journal_id {
  journal_side side = journal_side::events;
  std::uint16_t partition = 0;

  friend auto operator<=>(const journal_id&, const journal_id&) = default;
};
// The topic that keeps the entries of a journal on this machine's disk until the broker has them: entry n is at n - 1.
topic buffer_of(journal_side side);
// Nothing where the transaction appends nothing. Errors: invalid_argument (it is of more than one journal).
expected<std::optional<journal_id>> journal_of(const transaction& tx);

struct journal_transaction {
  std::uint64_t epoch = 0; // of the log
  transaction what;
};
// Its blocks, each at most `most_block_bytes`.
inline constexpr std::size_t most_block_bytes = 8u << 20;
std::vector<std::string> encode_blocks(const transaction& tx, std::uint64_t epoch, compression how);
// Events in the transaction whose last block this is; 0 of all other blocks. Errors: corrupt_record.
expected<std::uint32_t> events_of_block(std::string_view block);

expected<std::uint64_t> epoch_of_block(std::string_view block); // errors: corrupt_record

// Puts blocks together again.
class block_reader {
public:
  // The transaction, with the last of its blocks. Any bytes are safe. Errors: corrupt_record.
  expected<std::optional<journal_transaction>> add(std::string_view block);
  bool is_between_transactions() const { return body_.empty(); }

private:
  std::string body_;
};

// An event as v1 JSON, and derived items in the form that clients get: for programs of others.
struct shown_event {
  std::string type; // "tick", "bar", "quote", "features" ...
  std::string json;
};
// Those of a transaction that is one block, in order. What cannot be decoded is left out: it is in the block all the
// same.
std::vector<shown_event> show_events(std::string_view block);

// The messages of entry `number`: what is shown, then the block, in pieces of at most `max_message_bytes`.
std::vector<broker_message> to_messages(std::uint64_t number, std::uint64_t log_id, std::string_view block,
                                        std::vector<shown_event> shown, std::size_t max_message_bytes);

inline constexpr std::string_view block_type = "block";
// Ends an entry whose writer died in the middle: it is void, whatever there is of it.
broker_message void_message(message_number number, std::uint64_t log_id);

// Puts messages together again: an entry's block, with its last part, and nothing of one that is void. Messages for
// other programs are passed over. Errors: corrupt_record.
class message_reader {
public:
  expected<std::optional<std::string>> add(const broker_message& message);

private:
  std::uint64_t transaction_ = 0;
  std::uint32_t next_part_ = 0;
  std::string block_;
};

} // namespace finstream
