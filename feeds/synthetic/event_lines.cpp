#include "feeds/synthetic/event_lines.hpp"

#include "feeds/output/put.hpp"

#include <algorithm>
#include <cstring>

namespace finstream::feed {

event_lines::event_lines(const synthetic_options& options)
  : time_digits_{options.in_nanoseconds() ? 9 : 6}, pad_to_{options.pad_to} {
  std::size_t longest = 0;
  for (auto& symbol : options.symbols) {
    heads_.push_back(R"({"ver":1,"provider":")" + options.provider + R"(","symbol":")" + symbol +
                     R"(","kind":"tick","src_ts":")");
    longest = std::max(longest, heads_.back().size());
  }
  max_bytes_ = longest + 256 + options.pad_to;
}

char* event_lines::write(char* out, const trade& x, timestamp src_ts, std::uint32_t pad_to) {
  auto start = out;
  out = put(out, heads_[x.symbol]);
  out = times_.write(out, src_ts, time_digits_);
  out = put(out, "\",\"price\":");
  out = put_number(out, x.price_cents / 100);
  auto cents = static_cast<int>(x.price_cents % 100);
  *out++ = '.';
  *out++ = static_cast<char>('0' + cents / 10);
  *out++ = static_cast<char>('0' + cents % 10);
  out = put(out, ",\"size\":");
  out = put_number(out, x.size);
  char digits[24];
  std::string_view number{digits, static_cast<std::size_t>(put_number(digits, x.number) - digits)};
  out = put(put(out, ",\"seq\":"), number);
  out = put(put(out, ",\"resume\":\""), number);
  *out++ = '"';
  if (pad_to == 0) pad_to = pad_to_;
  if (pad_to != 0) {
    // Always there, even if empty: lines of one shape.
    constexpr std::string_view note = ",\"note\":\"", close = "\"}\n";
    auto have = static_cast<std::size_t>(out - start) + note.size() + close.size();
    auto missing = pad_to > have ? pad_to - have : 0;
    out = put(out, note);
    std::memset(out, '-', missing);
    out += missing;
    *out++ = '"';
  }
  return put(out, "}\n");
}

} // namespace finstream::feed
