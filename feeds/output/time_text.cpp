#include "feeds/output/time_text.hpp"

#include <cstring>

namespace finstream::feed {

namespace {
constexpr std::size_t bytes_to_second = 19; // "2026-11-21T09:10:00"
}

char* time_text::write(char* out, timestamp t, int digits) {
  auto second_start = floor_to(t, second);
  if (second_start != second_) {
    second_ = second_start;
    write_timestamp(text_, second_start);
  }
  std::memcpy(out, text_, bytes_to_second);
  out += bytes_to_second;
  *out++ = '.';
  auto fraction = static_cast<std::uint32_t>(t - second_start);
  if (digits == 6) fraction /= 1000;
  for (int i = digits - 1; i >= 0; --i) out[i] = static_cast<char>('0' + fraction % 10), fraction /= 10;
  out += digits;
  *out++ = 'Z';
  return out;
}

} // namespace finstream::feed
