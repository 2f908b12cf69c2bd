#include "messages/value/timestamp.hpp"

#include "messages/value/excerpt.hpp"

#include <array>
#include <chrono>
#include <cstring>

namespace finstream {

namespace {

using namespace std::chrono;

constexpr std::int64_t seconds_per_day = 86'400;

// Reads `width` digits at text[i] and moves on; -1 where there is anything else.
int take_digits(std::string_view text, std::size_t& i, std::size_t width) {
  if (i + width > text.size()) return -1;
  int value = 0;
  for (auto end = i + width; i < end; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

bool take(std::string_view text, std::size_t& i, char c) { return i < text.size() && text[i] == c && ++i != 0; }

char* write_digits(char* out, unsigned value, int width) {
  for (int k = width - 1; k >= 0; --k) out[k] = static_cast<char>('0' + value % 10), value /= 10;
  return out + width;
}

} // namespace

expected<timestamp> parse_timestamp(std::string_view text) {
  auto bad = [&](const char* why) {
    return fail(errc::bad_field,
                "\"" + excerpt(text) + "\" is not an RFC 3339 time such as 2026-11-21T13:00:00Z: " + why);
  };
  std::size_t i = 0;
  auto y = take_digits(text, i, 4);
  if (y < 0 || !take(text, i, '-')) return bad("expected a year of four digits and -");
  auto mo = take_digits(text, i, 2);
  if (mo < 0 || !take(text, i, '-')) return bad("expected a month of two digits and -");
  auto d = take_digits(text, i, 2);
  if (d < 0 || (!take(text, i, 'T') && !take(text, i, 't') && !take(text, i, ' ')))
    return bad("expected a day of two digits and T");
  auto h = take_digits(text, i, 2);
  if (h < 0 || h > 23 || !take(text, i, ':')) return bad("expected hours");
  auto mi = take_digits(text, i, 2);
  if (mi < 0 || mi > 59 || !take(text, i, ':')) return bad("expected minutes");
  auto s = take_digits(text, i, 2);
  if (s < 0 || s > 59) return bad("expected seconds 00 to 59");
  std::int64_t fraction = 0;
  if (take(text, i, '.')) {
    int digits = 0;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i, ++digits)
      fraction = digits < 9 ? fraction * 10 + (text[i] - '0') : fraction;
    if (digits == 0 || digits > 9) return bad("1 to 9 digits of fraction");
    for (; digits < 9; ++digits) fraction *= 10;
  }
  std::int64_t offset_seconds = 0;
  if (!take(text, i, 'Z') && !take(text, i, 'z')) {
    if (i >= text.size() || (text[i] != '+' && text[i] != '-')) return bad("expected Z or an offset");
    auto sign = text[i++] == '-' ? -1 : 1;
    auto oh = take_digits(text, i, 2);
    if (oh < 0 || oh > 23 || !take(text, i, ':')) return bad("expected an offset such as +01:00");
    auto om = take_digits(text, i, 2);
    if (om < 0 || om > 59) return bad("expected an offset such as +01:00");
    offset_seconds = sign * (oh * 3600 + om * 60);
  }
  if (i != text.size()) return bad("characters after its end");
  auto date = year{y} / month{static_cast<unsigned>(mo)} / day{static_cast<unsigned>(d)};
  if (!date.ok()) return bad("no such day");
  if (y < 1678 || y > 2261) return bad("years 1678 to 2261 can be held");
  auto seconds_since =
    static_cast<std::int64_t>(sys_days{date}.time_since_epoch().count()) * seconds_per_day + h * 3600 + mi * 60 + s;
  return timestamp{(seconds_since - offset_seconds) * second + fraction};
}

char* write_timestamp(char* out, timestamp t) {
  // Not by floor_to(): the second in which `earliest` lies begins before what can be held.
  auto seconds_since = t.ns / second, rest = t.ns % second;
  if (rest < 0) rest += second, --seconds_since;
  auto days_since = seconds_since / seconds_per_day, rest_of_day = seconds_since % seconds_per_day;
  if (rest_of_day < 0) rest_of_day += seconds_per_day, --days_since;
  auto fraction = static_cast<unsigned>(rest);
  auto of_day = static_cast<unsigned>(rest_of_day);
  year_month_day date{sys_days{days{static_cast<int>(days_since)}}};
  out = write_digits(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  *out++ = '-';
  out = write_digits(out, static_cast<unsigned>(date.month()), 2);
  *out++ = '-';
  out = write_digits(out, static_cast<unsigned>(date.day()), 2);
  *out++ = 'T';
  out = write_digits(out, of_day / 3600, 2);
  *out++ = ':';
  out = write_digits(out, of_day / 60 % 60, 2);
  *out++ = ':';
  out = write_digits(out, of_day % 60, 2);
  if (fraction != 0) {
    *out++ = '.';
    if (fraction % 1'000'000 == 0)
      out = write_digits(out, fraction / 1'000'000, 3);
    else if (fraction % 1'000 == 0)
      out = write_digits(out, fraction / 1'000, 6);
    else
      out = write_digits(out, fraction, 9);
  }
  *out++ = 'Z';
  return out;
}

expected<timestamp> parse_timestamp_or_day(std::string_view text) {
  constexpr std::size_t day_size = 10; // 2026-11-21
  return parse_timestamp(text.size() == day_size ? std::string{text} + "T00:00:00Z" : std::string{text});
}

std::string to_string(timestamp t) {
  char buffer[32];
  return {buffer, write_timestamp(buffer, t)};
}

namespace {
struct span_unit {
  std::string_view name;
  nanoseconds ns;
};
constexpr std::array<span_unit, 5> span_units{
  {{"d", 86'400 * second}, {"h", 3600 * second}, {"m", 60 * second}, {"s", second}, {"ms", millisecond}}};
} // namespace

expected<nanoseconds> parse_span(std::string_view text) {
  std::size_t i = 0;
  std::int64_t count = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9' && i < 9; ++i) count = count * 10 + (text[i] - '0');
  for (auto& unit : span_units)
    if (nanoseconds span; i > 0 && text.substr(i) == unit.name && !__builtin_mul_overflow(count, unit.ns, &span))
      return span;
  return fail(errc::bad_field, "\"" + excerpt(text) + "\" is not a span such as 250ms, 2s, 5m, 1h or 1d");
}

std::string span_to_string(nanoseconds span) {
  // Seconds up to a minute and a half stay seconds, so that the default windows read 1s, 2s, 5s, 60s.
  if (span % second == 0 && span <= 90 * second) return std::to_string(span / second) + "s";
  for (auto& unit : span_units)
    if (span % unit.ns == 0) return std::to_string(span / unit.ns) + std::string{unit.name};
  return std::to_string(span) + "ns";
}

} // namespace finstream
