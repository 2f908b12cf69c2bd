// One line -> the text of each field that we know, read by simdjson. What the texts mean is the business of
// line_event.hpp. The whole line is checked to be one JSON object, the fields that nobody asked for included.
#pragma once

#include "messages/errors.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

namespace finstream {

enum class line_field : std::uint8_t {
  ver,
  type,
  provider,
  symbol,
  kind,
  interval,
  src_ts,
  seq,
  price,
  size,
  open,
  high,
  low,
  close,
  volume,
  bid,
  ask,
  bid_size,
  ask_size,
  resume,
  resumed,
  from,
  to,
  reason,
  requests,
  made,
  wait_ms,
  unknown, // also event_id, ingest_ts and feed, which we say ourselves
};
inline constexpr auto line_field_count = static_cast<std::size_t>(line_field::unknown);

line_field field_named(std::string_view key);
std::string_view name_of(line_field field);

enum class value_form : std::uint8_t { absent, null, boolean, number, string, nested };

struct line_value {
  value_form form = value_form::absent;
  std::string_view text; // a string without its quotes and escapes, a number or boolean as it stands; none for others

  // null is as good as not being there.
  bool given() const { return form > value_form::null; }
};

// The texts are views of the line and of the reader's own memory: good until the reader's next line.
struct line_fields {
  std::array<line_value, line_field_count> values;

  const line_value& operator[](line_field field) const { return values[static_cast<std::size_t>(field)]; }
  line_value& operator[](line_field field) { return values[static_cast<std::size_t>(field)]; }
};

class line_reader {
public:
  static constexpr std::size_t padding = 64; // bytes after a line that must be readable
  static constexpr int max_nesting = 64;     // of values nobody asked for

  line_reader();
  ~line_reader();

  // Of a key that comes twice the first counts. Errors: malformed_line, not_utf8.
  expected<void> read(std::string_view line, line_fields& fields);

private:
  struct implementation;
  std::unique_ptr<implementation> self_;
};

} // namespace finstream
