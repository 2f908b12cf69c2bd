// Points in time and spans of it: int64 nanoseconds, UTC, since the Unix epoch. RFC 3339 at the edges.
#pragma once

#include "messages/errors.hpp"

#include <compare>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace finstream {

using nanoseconds = std::int64_t; // a span

inline constexpr nanoseconds millisecond = 1'000'000;
inline constexpr nanoseconds second = 1'000'000'000;

struct timestamp {
  std::int64_t ns = 0; // since 1970-01-01T00:00:00Z

  friend constexpr auto operator<=>(const timestamp&, const timestamp&) = default;
  friend constexpr timestamp operator+(timestamp t, nanoseconds d) { return {t.ns + d}; }
  friend constexpr timestamp operator-(timestamp t, nanoseconds d) { return {t.ns - d}; }
  friend constexpr nanoseconds operator-(timestamp a, timestamp b) { return a.ns - b.ns; }
};

inline constexpr timestamp earliest{std::numeric_limits<std::int64_t>::min()};

// The largest multiple of `step` at or before `t`; right for times before 1970 too.
constexpr timestamp floor_to(timestamp t, nanoseconds step) {
  auto rest = t.ns % step;
  return {t.ns - (rest < 0 ? rest + step : rest)};
}

// Reads RFC 3339 with `Z` or an offset, 0 to 9 digits of fraction. Years 1678 to 2261 fit. Errors: bad_field.
expected<timestamp> parse_timestamp(std::string_view text);

// The same, or a day such as 2026-11-21, which is its midnight in UTC: for what people type. Errors: bad_field.
expected<timestamp> parse_timestamp_or_day(std::string_view text);

// "2025-10-24T14:02:01Z", with 3, 6 or 9 digits of fraction where there is one: the fewest that lose nothing.
std::string to_string(timestamp t);
// The same into `out` (at least 32 bytes); returns the end.
char* write_timestamp(char* out, timestamp t);

// "250ms", "2s", "5m", "1h", "1d". Errors: bad_field.
expected<nanoseconds> parse_span(std::string_view text);
std::string span_to_string(nanoseconds span);

} // namespace finstream
