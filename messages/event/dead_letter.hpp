// What could not be used, kept with its bytes and the reason, in topic `dead_letters`.
#pragma once

#include "messages/errors.hpp"
#include "messages/field.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <string>

namespace finstream {

struct dead_letter {
  std::string feed;
  timestamp seen_ts;
  errc code = errc::none;
  std::string reason;            // the sentence, with the field or value at fault
  std::uint64_t line_number = 0; // of the feed process's output since its start, from 1
  std::uint64_t byte_offset = 0; // of the line's first byte in that output
  std::string bytes;             // the line as it came, cut at dead_letter_max_bytes

  friend bool operator==(const dead_letter&, const dead_letter&) = default;
};
template <of<dead_letter> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"feed", x.feed}, field{"seen_ts", x.seen_ts}, field{"code", x.code}, field{"reason", x.reason},
           field{"line_number", x.line_number}, field{"byte_offset", x.byte_offset}, field{"bytes", x.bytes});
}

} // namespace finstream
