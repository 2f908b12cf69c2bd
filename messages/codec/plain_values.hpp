// Numbers and words of a line, read where they stand: each function takes where a value starts and returns the
// character after it, or null for what is not plain. All stop at the line's newline and look at most a few words beyond
// it, which line_reader::padding covers.
#pragma once

#include "messages/value/decimal.hpp"
#include "messages/value/words.hpp"

#include <limits>

namespace finstream {

// Digits without a sign, at most 19 of them, which 64 bits hold.
inline const char* read_digits(const char* p, std::uint64_t& value) {
  auto word = load_word(p);
  auto count = leading_digits(word);
  if (count == 0 || (count > 1 && *p == '0')) return nullptr;
  value = digits_value(word, count);
  for (unsigned total = count; count == 8; total += count) {
    p += 8;
    word = load_word(p);
    count = leading_digits(word);
    if (count == 0) return p;
    if (total + count > 19) return nullptr;
    value = value * powers_of_ten[count] + digits_value(word, count);
  }
  return p + count;
}

inline const char* read_integer(const char* p, std::int64_t& value) {
  bool negative = *p == '-';
  std::uint64_t magnitude = 0;
  p = read_digits(p + negative, magnitude);
  if (magnitude > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return nullptr;
  value = negative ? -static_cast<std::int64_t>(magnitude) : static_cast<std::int64_t>(magnitude);
  return p;
}

inline const char* number_end(const char* p) {
  while (is_digit(*p) || *p == '-' || *p == '+' || *p == '.' || *p == 'e' || *p == 'E') ++p;
  return p;
}

// Numbers that are long, have exponents or are to be rounded.
inline const char* read_long_decimal(const char* p, std::int64_t& units, rounding mode) {
  auto end = number_end(p);
  auto value = parse_decimal({p, static_cast<std::size_t>(end - p)}, mode);
  if (!value) return nullptr;
  units = value->units;
  return end;
}

inline const char* read_decimal(const char* start, std::int64_t& units, rounding mode) {
  auto p = start;
  bool negative = *p == '-';
  p += negative;
  auto word = load_word(p);
  auto count = leading_digits(word);
  if (count == 0 || (count > 1 && *p == '0')) return nullptr;
  if (count == 8) return read_long_decimal(start, units, mode);
  auto value = static_cast<std::int64_t>(digits_value(word, count)) * units_per_one;
  p += count;
  if (*p == '.') {
    word = load_word(++p);
    count = leading_digits(word);
    if (count == 0) return nullptr;
    auto fraction = digits_value(word, count);
    p += count;
    if (count == 8 && is_digit(*p)) fraction = fraction * 10 + static_cast<unsigned>(*p++ - '0'), ++count;
    if (count == 9 && is_digit(*p)) return read_long_decimal(start, units, mode);
    value += static_cast<std::int64_t>(fraction * powers_of_ten[9 - count]);
  }
  if (*p == 'e' || *p == 'E') return read_long_decimal(start, units, mode);
  units = negative ? -value : value;
  return p;
}

// A JSON number nobody wants.
inline const char* skip_number(const char* p) {
  p += *p == '-';
  auto first = p;
  while (is_digit(*p)) ++p;
  if (p == first || (p - first > 1 && *first == '0')) return nullptr;
  if (*p == '.') {
    auto fraction = ++p;
    while (is_digit(*p)) ++p;
    if (p == fraction) return nullptr;
  }
  if (*p == 'e' || *p == 'E') {
    ++p;
    p += *p == '-' || *p == '+';
    auto exponent = p;
    while (is_digit(*p)) ++p;
    if (p == exponent) return nullptr;
  }
  return p;
}

inline const char* skip_word(const char* p) {
  for (auto word : {std::string_view{"true"}, std::string_view{"false"}, std::string_view{"null"}})
    if (std::memcmp(p, word.data(), word.size()) == 0) return p + word.size();
  return nullptr;
}

} // namespace finstream
