// The dead letters of a log, all that were not purged, by where they lie: that is their name, and it stays theirs. They
// are in two topics: what could not be used is in dead_letters, which keeps so many; events that came too late are in
// rejected, a function of the log, and are there as long as the events.
//
// Purging hides a letter for good. Its bytes go with the head of topic dead_letters, when nothing before them is left
// to keep; a rejected event's bytes stay as long as the log's, since a replay compares them.
#pragma once

#include "messages/event/dead_letter.hpp"
#include "runtime/bus/bus.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

struct kept_letter {
  topic where = topic::dead_letters;
  std::uint16_t partition = 0;
  std::uint64_t offset = 0;
  dead_letter what; // complete: what letters of earlier versions left unsaid is filled in
};
// Of topic dead_letters or rejected. Errors: corrupt_record.
expected<kept_letter> read_letter(topic where, std::uint16_t partition, const record& from);
// Whether a letter that is stored is what is made now, as far as the version that wrote it knew.
bool is_same_letter(topic where, std::string_view stored, std::string_view made);
std::string id_of(const kept_letter& x); // "dead_letters/0/17"
timestamp first_seen(const dead_letter& x);

struct letter_query {
  std::string feed, stage;  // empty: any
  std::optional<errc> code; // likewise
  timestamp from = earliest;
  std::optional<timestamp> before; // both by seen_ts
};
bool matches(const letter_query& query, const dead_letter& x);
// Errors: invalid_argument, with the names there are.
expected<errc> parse_code(const std::string& name);

// Until `visit` returns false. By topic, partition and offset.
expected<void> scan_letters(const bus& log, int partitions, const letter_query& query,
                            const std::function<bool(kept_letter)>& visit);
struct newest_letters {
  std::vector<kept_letter> letters; // oldest first
  bool is_complete = true;          // false: older ones were not looked at, for most_bytes were read
};
// The last `limit` to be written of each topic and partition that match, of all these the last by seen_ts; 0: all.
expected<newest_letters> find_newest_letters(const bus& log, int partitions, const letter_query& query,
                                             std::uint64_t limit, std::size_t most_bytes);
// Errors: invalid_argument (it is no id), not_found, trimmed; those of the log.
expected<kept_letter> find_letter(const bus& log, const std::string& id);
// How many were purged. Errors: those of the log.
expected<std::uint64_t> purge_letters(bus& log, int partitions, const letter_query& query);

// Bytes of strangers: what is no printable ASCII is \xHH, and so is the backslash, so that each text stands for one
// sequence of bytes, and none can play with a terminal.
std::string printable(std::string_view bytes);
void append_letter_json(std::string& out, const kept_letter& x);

} // namespace finstream
