#include "messages/value/decimal.hpp"

#include "messages/value/excerpt.hpp"
#include "messages/value/words.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace finstream {

namespace {

constexpr std::size_t max_number_characters = 400; // more than any double needs
constexpr int max_exponent = 10'000;               // beyond it all is overflow or nothing

// What feeds write: at most nine digits, at most nine decimals. Such a number always fits. False: look closer.
bool parse_plain(std::string_view text, std::int64_t& units) {
  auto p = text.data(), end = p + text.size();
  bool negative = p != end && *p == '-';
  p += negative;
  auto whole = p;
  std::int64_t value = 0;
  for (; p != end && is_digit(*p); ++p) {
    if (p - whole == 9) return false;
    value = value * 10 + (*p - '0');
  }
  if (p == whole || (p - whole > 1 && *whole == '0')) return false;
  value *= units_per_one;
  if (p != end) {
    if (*p++ != '.') return false;
    auto fraction = p;
    std::int64_t decimals = 0;
    for (; p != end && is_digit(*p); ++p) {
      if (p - fraction == 9) return false;
      decimals = decimals * 10 + (*p - '0');
    }
    if (p == fraction || p != end) return false;
    value += decimals * static_cast<std::int64_t>(powers_of_ten[static_cast<std::size_t>(9 - (p - fraction))]);
  }
  units = negative ? -value : value;
  return true;
}

// A number taken apart: digits * 10^exponent, with leading zeros gone.
struct parts {
  bool negative = false;
  int exponent = 0;
  std::size_t size = 0;
  std::array<char, max_number_characters> digits;

  void append(char c) {
    if (size > 0 || c != '0') digits[size++] = c;
  }
};

bool take_exponent(std::string_view text, std::size_t& i, parts& out) {
  bool negative = false;
  if (i < text.size() && (text[i] == '+' || text[i] == '-')) negative = text[i++] == '-';
  int exponent = 0;
  auto start = i;
  for (; i < text.size() && is_digit(text[i]); ++i)
    exponent = exponent < max_exponent ? exponent * 10 + (text[i] - '0') : exponent;
  out.exponent += negative ? -exponent : exponent;
  return i != start;
}

bool take_apart(std::string_view text, parts& out) {
  std::size_t i = 0;
  if (i < text.size() && text[i] == '-') out.negative = true, ++i;
  auto first = i;
  while (i < text.size() && is_digit(text[i])) out.append(text[i++]);
  if (i == first || (i - first > 1 && text[first] == '0')) return false;
  if (i < text.size() && text[i] == '.') {
    auto dot = ++i;
    while (i < text.size() && is_digit(text[i])) out.append(text[i++]), --out.exponent;
    if (i == dot) return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E') && !take_exponent(text, ++i, out)) return false;
  return i == text.size();
}

} // namespace

expected<decimal> parse_decimal(std::string_view text, rounding mode) {
  if (std::int64_t units; parse_plain(text, units)) return decimal{units};
  if (text.size() > max_number_characters) return fail(errc::bad_field, "a number of more than 400 characters");
  parts taken;
  if (!take_apart(text, taken)) return fail(errc::bad_field, "\"" + excerpt(text) + "\" is not a number");
  auto digits = std::string_view{taken.digits.data(), taken.size};
  // Trailing zeros move into the exponent, so that 1.0000000000 is as exact as 1.
  while (!digits.empty() && digits.back() == '0') digits.remove_suffix(1), ++taken.exponent;
  if (digits.empty()) return decimal{0};
  auto overflow = [&] { return fail(errc::overflow, excerpt(text) + " does not fit into 64 bits of 1e-9"); };
  int shift = taken.exponent + 9; // units = digits * 10^shift
  auto dropped = std::string_view{};
  if (shift < 0) {
    if (mode == rounding::reject) return fail(errc::precision, excerpt(text) + " has more than 9 decimals");
    auto cut = static_cast<std::size_t>(-shift);
    if (cut > digits.size()) return decimal{0};
    dropped = digits.substr(digits.size() - cut);
    shift = 0;
  }
  auto kept = digits.substr(0, digits.size() - dropped.size());
  if (kept.size() + static_cast<std::size_t>(shift) > 19) return overflow();
  int128 units = 0;
  for (char c : kept) units = units * 10 + (c - '0');
  for (int i = 0; i < shift; ++i) units *= 10;
  if (!dropped.empty()) {
    bool exactly_half = dropped.front() == '5' && dropped.find_first_not_of('0', 1) == std::string_view::npos;
    if (dropped.front() > '5' || (dropped.front() == '5' && (!exactly_half || (units & 1) != 0))) ++units;
  }
  if (taken.negative) units = -units;
  if (units > std::numeric_limits<std::int64_t>::max() || units < std::numeric_limits<std::int64_t>::min())
    return overflow();
  return decimal{static_cast<std::int64_t>(units)};
}

char* write_decimal(char* out, decimal value) {
  auto magnitude = static_cast<std::uint64_t>(value.units);
  if (value.units < 0) *out++ = '-', magnitude = 0 - magnitude;
  auto whole = magnitude / units_per_one, fraction = magnitude % units_per_one;
  char buffer[20];
  auto* p = buffer + sizeof(buffer);
  do *--p = static_cast<char>('0' + whole % 10), whole /= 10;
  while (whole != 0);
  auto length = static_cast<std::size_t>(buffer + sizeof(buffer) - p);
  std::memcpy(out, p, length);
  out += length;
  if (fraction == 0) return out;
  *out++ = '.';
  for (auto step = units_per_one / 10; fraction != 0; step /= 10) {
    auto s = static_cast<std::uint64_t>(step);
    *out++ = static_cast<char>('0' + fraction / s);
    fraction %= s;
  }
  return out;
}

std::string to_string(decimal value) {
  char buffer[24];
  return {buffer, write_decimal(buffer, value)};
}

std::string to_string(notional value) {
  constexpr int places = 18;
  auto magnitude = value.units < 0 ? -static_cast<uint128>(value.units) : static_cast<uint128>(value.units);
  std::string digits;
  for (; magnitude != 0 || digits.size() <= places; magnitude /= 10)
    digits += static_cast<char>('0' + static_cast<int>(magnitude % 10));
  std::reverse(digits.begin(), digits.end());
  digits.insert(digits.size() - places, ".");
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.') digits.pop_back();
  return value.units < 0 ? "-" + digits : digits;
}

std::optional<price> volume_weighted_average(notional total, quantity volume) {
  if (volume.units <= 0) return std::nullopt;
  auto quotient = divide_half_even(total.units, volume.units);
  if (quotient > std::numeric_limits<std::int64_t>::max() || quotient < std::numeric_limits<std::int64_t>::min())
    return std::nullopt;
  return price{{static_cast<std::int64_t>(quotient)}};
}

} // namespace finstream
