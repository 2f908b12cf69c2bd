// Promise: what parse_decimal() accepts is exact. What it prints, in the shortest form or at full length, reads back
// the same, and rounding matters only to numbers of more than nine decimals.
#include "messages/value/decimal.hpp"

#include <cstddef>
#include <cstdint>

using namespace finstream;

namespace {

// `units` of 1e-9, written out at full length; a different way to the same number.
std::string long_form(std::int64_t units) {
  auto magnitude = units < 0 ? -static_cast<int128>(units) : static_cast<int128>(units);
  std::string digits;
  for (int i = 0; i < 10 || magnitude != 0; ++i) {
    if (i == 9) digits.insert(0, ".");
    digits.insert(0, 1, static_cast<char>('0' + static_cast<int>(magnitude % 10)));
    magnitude /= 10;
  }
  return (units < 0 ? "-" : "") + digits;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto text = std::string_view{reinterpret_cast<const char*>(data), size};
  auto exact = parse_decimal(text, rounding::reject);
  auto rounded = parse_decimal(text, rounding::half_even);
  if (exact) {
    ensure(rounded && *rounded == *exact, "rounding changes an exact number");
    ensure(parse_decimal(to_string(*exact)) == *exact, "what is printed reads back differently");
    ensure(parse_decimal(long_form(exact->units)) == *exact, "the long form reads differently");
    ensure(to_string(*exact).size() <= text.size() || text.find_first_of("eE") != std::string_view::npos,
           "the shortest form is longer than another");
  } else if (rounded) {
    ensure(exact.error().code == errc::precision, "only precision is a matter of rounding");
  }
  if (size >= sizeof(std::int64_t)) {
    decimal any;
    __builtin_memcpy(&any.units, data, sizeof(any.units));
    ensure(parse_decimal(to_string(any)) == any, "what is printed reads back differently");
  }
  return 0;
}
