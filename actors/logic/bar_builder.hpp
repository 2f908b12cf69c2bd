// A bar under construction. Trades are added in any order, smaller bars are merged, and both give the same bar: the
// merge law of CONVENTIONS 4. Sums are exact and never wrap: an event that does not fit is refused, a bar that does not
// fit says so.
#pragma once

#include "messages/event/bar.hpp"
#include "messages/event/market_event.hpp"
#include "messages/value/bytes.hpp"

#include <compare>
#include <cstdint>
#include <limits>

namespace finstream {

// The total order of events inside a window: the first one's price is the open, the last one's the close.
struct event_order {
  std::int64_t src_ts = 0;
  std::uint32_t rank = 0; // of the provider in its source set
  std::int64_t seq = 0;
  std::uint64_t offset = 0;

  friend constexpr auto operator<=>(const event_order&, const event_order&) = default;
};

// What one event adds: a trade has one price four times.
struct contribution {
  event_order order;
  price open, high, low, close;
  quantity volume;
};

struct bar_builder {
  std::int64_t start = 0; // ns
  price open, high, low, close;
  int128 volume = 0; // 1e-9
  notional traded;   // sum of price * size
  std::uint64_t trades = 0;
  event_order first, last;
  std::uint64_t first_offset = 0, last_offset = 0; // smallest and largest that count

  bool overflowed = false; // its sums do not fit: it cannot be published

  // False, and nothing is changed, if a sum would overflow.
  [[nodiscard]] bool add(const contribution& x);
  bool has_room_for(const contribution& x) const {
    notional sum;
    return checked_add(traded, multiply(x.close, x.volume), sum);
  }
  void merge(const bar_builder& child);
  bool fits() const {
    using limits = std::numeric_limits<std::int64_t>;
    return !overflowed && volume <= limits::max() && volume >= limits::min();
  }

  void save(byte_writer& out) const;
  void load(byte_reader& in);
};

} // namespace finstream
