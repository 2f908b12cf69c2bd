#include "feeds/csv/cells.hpp"

#include "feeds/output/put.hpp"

#include <charconv>

namespace finstream::feed {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view take_digits(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  auto digits = text.substr(0, n);
  text.remove_prefix(n);
  return digits;
}

// Whole units since 1970, with a fraction that comes to whole nanoseconds: 1356998659.486096 seconds.
bool parse_count(std::string_view text, nanoseconds unit, timestamp& parsed) {
  std::int64_t whole = 0;
  bool negative = !text.empty() && text.front() == '-';
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (error != std::errc{} || __builtin_mul_overflow(whole, unit, &parsed.ns)) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty()) return true;
  if (text.front() != '.' || text.size() < 2) return false;
  text.remove_prefix(1);
  for (auto value = unit / 10; !text.empty(); value /= 10) {
    if (!is_digit(text.front()) || (value == 0 && text.front() != '0')) return false;
    auto part = (text.front() - '0') * value;
    if (__builtin_add_overflow(parsed.ns, negative ? -part : part, &parsed.ns)) return false;
    text.remove_prefix(1);
  }
  return true;
}

} // namespace

std::string_view trim(std::string_view cell) {
  while (!cell.empty() && (cell.front() == ' ' || cell.front() == '\t')) cell.remove_prefix(1);
  while (!cell.empty() && (cell.back() == ' ' || cell.back() == '\t')) cell.remove_suffix(1);
  return cell;
}

char* write_number(char* out, std::string_view cell) {
  cell = trim(cell);
  if (!cell.empty() && (cell.front() == '+' || cell.front() == '-')) {
    if (cell.front() == '-') *out++ = '-';
    cell.remove_prefix(1);
  }
  auto whole = take_digits(cell);
  bool any_digit = !whole.empty();
  while (whole.size() > 1 && whole.front() == '0') whole.remove_prefix(1);
  out = put(out, whole.empty() ? "0" : whole);
  if (!cell.empty() && cell.front() == '.') {
    cell.remove_prefix(1);
    auto fraction = take_digits(cell);
    any_digit = any_digit || !fraction.empty();
    if (!fraction.empty()) {
      *out++ = '.';
      out = put(out, fraction);
    }
  }
  if (!any_digit) return nullptr;
  if (!cell.empty() && (cell.front() == 'e' || cell.front() == 'E')) {
    *out++ = 'e';
    cell.remove_prefix(1);
    if (!cell.empty() && (cell.front() == '+' || cell.front() == '-')) {
      *out++ = cell.front();
      cell.remove_prefix(1);
    }
    auto exponent = take_digits(cell);
    if (exponent.empty()) return nullptr;
    out = put(out, exponent);
  }
  return cell.empty() ? out : nullptr;
}

char* write_time(char* out, std::string_view cell, time_format format, timestamp& parsed) {
  cell = trim(cell);
  if (format.unit != 0) {
    // The years that a node takes; what is beyond would not come back the same.
    static const auto first = *parse_timestamp("1678-01-01T00:00:00Z"), last = *parse_timestamp("2261-12-31T23:59:59Z");
    if (!parse_count(cell, format.unit, parsed) || parsed < first || parsed > last) return nullptr;
    return write_timestamp(out, parsed);
  }
  auto when = parse_timestamp(cell);
  if (!when) return nullptr;
  parsed = *when;
  // As it was written, if that is the form that a line has.
  if (cell[10] == 'T' && cell.back() == 'Z') return put(out, cell);
  return write_timestamp(out, parsed);
}

} // namespace finstream::feed
