// Errors are values: a code, a sentence, and who must act. A function that can fail returns expected<T>; no exception
// crosses a file of ours. A fault of our own is not an error but a bug: ensure() stops the process loudly.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace finstream {

// DO NOT CHANGE THESE VALUES: they are in logs, dead letters and clients. Append only; tests/golden/errors.txt holds
// them.
enum class errc : std::uint8_t {
  none = 0,
  malformed_line = 1,    // feed author: the line is not one JSON object
  missing_field = 2,     // feed author: a field that an event needs is absent
  bad_field = 3,         // feed author: a field has the wrong type or an impossible value
  precision = 4,         // feed author: more than 9 decimals, and rounding is not allowed by the config
  overflow = 5,          // feed author: a number, or the sum of a bar, does not fit
  line_too_long = 6,     // feed author: a line over the limit
  not_utf8 = 7,          // feed author: bytes that are not UTF-8
  future = 8,            // feed operator: src_ts too far ahead of this machine's clock
  late = 9,              // feed operator: the window of this event is closed
  corrupt_record = 10,   // operator: bytes in the log are not what was written
  not_found = 11,        // caller: no such thing
  invalid_argument = 12, // caller: a request that makes no sense
  io_failure = 13,       // operator: the disk, a pipe or a socket failed
  disk_full = 14,        // operator: free space in the data directory
  locked = 15,           // operator: another node uses this data directory
  config_invalid = 16,   // operator: the config file
  timed_out = 17,        // operator: no answer within the deadline
  overloaded = 18,       // caller: a limit is reached, try again later
  stopped = 19,          // caller: the node is stopping
  start_failed = 20,     // operator: a process could not be started
  trimmed = 21,          // caller: this position is older than what is kept
  bad_command = 22,      // client: a WebSocket command that is not understood
  incompatible = 23,     // operator: the data directory was written with other settings or a newer format
  poison = 30,           // operator: a record at which its stage crashed again and again; set aside
  undeliverable = 31,    // operator: a row that a store refuses for what is in it; set aside
  unreachable = 32,      // operator: a broker cannot be reached, or does not answer
  conflict = 33,         // operator: somebody else has written where this node wanted to go on
  not_acknowledged = 34, // operator: a message that was handed out as often as it may be, without an end
};

struct failure {
  errc code = errc::none;
  std::string message; // "what failed on what: why, and what to do"
};

template <class T> using expected = tl::expected<T, failure>;

inline tl::unexpected<failure> fail(errc code, std::string message) {
  return tl::unexpected<failure>{failure{code, std::move(message)}};
}

// The name in logs, dead letters and protocols, such as "line_too_long".
std::string_view to_string(errc code);
// One sentence for the person who must act.
std::string_view explain(errc code);
// Whether trying the same thing again later can help.
bool is_temporary(errc code);
// The list that docs/errors.md and tests/golden/errors.txt are printed from: "code name temporary sentence" lines.
std::string error_list();

// For what can only be false through a bug of ours. On in release too.
inline void ensure(bool condition, const char* what);
[[noreturn]] void stop_on_bug(const char* what);
inline void ensure(bool condition, const char* what) {
  if (!condition) [[unlikely]]
    stop_on_bug(what);
}

} // namespace finstream
