// What all makers of signals, rules and models, have in common. CONVENTIONS 7.
#pragma once

#include "messages/event/signal.hpp"
#include "messages/schema/schema.hpp"
#include "messages/value/bytes.hpp"

#include <string>

namespace finstream {

// DO NOT CHANGE: it is in every signal, and stores know signals by it.
inline std::string id_of(const signal& x) {
  std::string bytes;
  byte_writer out{bytes};
  out.text(x.name);
  out.number(x.maker);
  out.text(x.provider);
  out.text(x.symbol);
  out.signed_number(x.ts.ns);
  return hash_text_128_hex(bytes);
}

// Event time only moves forward here, but two times can be further apart than a span can say.
inline bool is_within(timestamp from, timestamp to, nanoseconds span) {
  return static_cast<std::uint64_t>(to.ns) - static_cast<std::uint64_t>(from.ns) < static_cast<std::uint64_t>(span);
}

} // namespace finstream
