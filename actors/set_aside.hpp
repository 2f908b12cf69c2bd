// What was set aside: records of topic events at which a stage crashed again and again, and rows that a store refuses.
// Each is a dead letter and, written in the same transaction, an entry in a table of the log. So whoever goes over the
// log (the node after a restart, a replay, a lineage) leaves out exactly what was left out when it was written.
#pragma once

#include "actors/context.hpp"
#include "actors/crash_book.hpp"
#include "messages/protocols.hpp"
#include "runtime/bus/bus.hpp"

#include <map>
#include <optional>
#include <string>

namespace finstream {

// Of one partition, by offset in topic events: the first stage that does not see the record.
class set_aside_records {
public:
  static expected<set_aside_records> load(const bus& log, std::uint16_t partition);

  void add(std::uint64_t offset, line_stage from) { from_[offset] = from; }
  std::optional<line_stage> from(std::uint64_t offset) const {
    auto at = from_.find(offset);
    return at == from_.end() ? std::nullopt : std::optional{at->second};
  }
  bool is_unseen(std::uint64_t offset) const { return from(offset) == line_stage::window; }
  const std::map<std::uint64_t, line_stage>& all() const { return from_; }

private:
  std::map<std::uint64_t, line_stage> from_;
};

inline constexpr const char* set_aside_table = "set_aside";
std::string set_aside_key(std::uint16_t partition, std::uint64_t offset); // of a record of topic events
// Of a row of a store, by where in the log it lies.
std::string set_aside_key(const std::string& store, topic where, std::uint16_t partition, std::uint64_t offset);
// Of a message of a broker's stream.
std::string set_aside_key(std::uint16_t partition, const std::string& stream, const std::string& message);
table_write set_aside_write(const set_aside_request& what, std::uint64_t letter);
// Whether it asks for what its letter is about: a request may come from another process.
bool is_sound(const set_aside_request& what);
std::string place_of(const set_aside_request& what); // "events/0/57"; of what is not in the log its key
expected<bool> is_set_aside(const bus& log, const set_aside_request& what);

// Whether the log has, as far as it is here, what the record it is about gave: then it cannot be left out any more.
expected<bool> is_dealt_with(const bus& log, const set_aside_request& what);
// The letter about a message of a broker's stream, which is nowhere in the log; of it stage "broker".
set_aside_ptr letter_about_message(const node_context& context, std::uint16_t partition, const std::string& stream,
                                   const std::string& message, dead_letter what, std::string_view body);

// Who is to be asked to set aside something of a partition; null: it has crashed, and is there again soon.
aside_setter find_aside_setter(const node_context& context, std::uint16_t partition);
inline constexpr const char* letters_path = "/letters"; // of the one who asks another process, or is asked by others

// Forgets what nobody will meet again: records that are trimmed, rows that their store has come past, and rows and
// messages of which the letter is no longer kept. Each copy of a log is for its own process to prune. Errors: those of
// the log.
expected<void> prune_set_aside(bus& log, std::uint16_t partition);

// The record at which `what` happened, with its bytes as far as they are kept; the letter's time is that of the last
// crash. Errors: those of the log.
expected<set_aside_request> poison_letter(const bus& log, std::uint16_t partition, const crash_book::crash& what,
                                          std::size_t most_bytes, std::uint64_t config_hash);

} // namespace finstream
