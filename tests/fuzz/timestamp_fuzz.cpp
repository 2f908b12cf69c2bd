// Promise: what parse_timestamp() accepts is the one time it says: printed and read again it is the same.
#include "messages/value/timestamp.hpp"

#include <cstddef>
#include <cstdint>

using namespace finstream;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto text = std::string_view{reinterpret_cast<const char*>(data), size};
  if (auto time = parse_timestamp(text)) {
    auto printed = to_string(*time);
    // An offset can move a time out of the years that may be written.
    bool writable = printed >= "1678" && printed < "2262";
    auto again = parse_timestamp(printed);
    ensure(again.has_value() == writable, "a printed time does not read");
    ensure(!writable || *again == *time, "a printed time reads back differently");
    // In UTC what was read is the beginning of what is printed, but for zeros and the letter between date and time.
    if (text.back() == 'Z') ensure(printed.substr(11, 8) == text.substr(11, 8), "another time of day");
  }
  if (auto span = parse_span(text))
    ensure(parse_span(span_to_string(*span)) == *span, "a printed span reads differently");
  if (size >= sizeof(std::int64_t)) {
    timestamp any;
    __builtin_memcpy(&any.ns, data, sizeof(any.ns));
    ensure(to_string(any).size() <= 30, "a time longer than its buffer");
  }
  return 0;
}
