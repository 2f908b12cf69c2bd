// The fields of one line -> an event or a control line: which kind it is, what it must have, what its values may be
// (docs/feed_protocol.md). Every sentence that a feed author reads in a dead letter is written here.
#pragma once

#include "messages/codec/line_fields.hpp"
#include "messages/codec/line_parser.hpp"

#include <limits>

namespace finstream {

inline constexpr std::size_t max_name_bytes = 64; // of a provider or a symbol
inline constexpr std::size_t max_interval_bytes = 16;
inline constexpr std::size_t max_resume_bytes = 1024;        // it goes into the environment of the feed's next process
inline constexpr std::size_t max_control_reason_bytes = 256; // the rest is cut off

// An event whose names are not looked up yet; the row lacks its key and interval.
struct line_event {
  std::string_view provider;
  std::string_view symbol;
  std::string_view interval; // of bars; empty for none
  std::string_view resume;   // empty for none
  event_row row;
};

// What is the same for all lines of a chunk.
struct line_rules {
  std::string_view feed;
  rounding rounding_mode = rounding::reject;
  timestamp latest{std::numeric_limits<std::int64_t>::max()}; // a later src_ts is too far in the future
};

enum class line_type : std::uint8_t { event, control };

// Fills `event` or `control`. Errors: missing_field, bad_field, precision, overflow, future.
expected<line_type> interpret(const line_fields& fields, const line_rules& rules, line_event& event,
                              control_line& control);

// A whole number of 64 bits, all of `text`. Errors: bad_field, overflow.
expected<std::int64_t> parse_integer(std::string_view text);

} // namespace finstream
