// An OHLCV bar of one series and one interval, over [start, end), and the end of an interval of one source.
// CONVENTIONS 4 says what each field means.
#pragma once

#include "messages/field.hpp"
#include "messages/value/decimal.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace finstream {

// DO NOT CHANGE THESE VALUES: they are in the log and in the bar store.
enum class bar_state : std::uint8_t { final_bar = 0, revised = 1 };
std::string_view to_string(bar_state state);

// Bits of bar::flags. DO NOT CHANGE THESE VALUES.
enum bar_flag : std::uint32_t {
  partial_start = 1, // the source was first seen inside this window
  gap = 2,           // the source said, or was seen, to have missed something
  halted = 4,
  backfilled = 8,
  truncated_late = 16, // events of this window came too late to count
  synthetic = 32,      // filled on request, never stored
};
// "partial_start gap", space separated; empty for none.
std::string flags_to_string(std::uint32_t flags);

struct bar {
  std::string provider; // or the source set's name
  std::string symbol;
  nanoseconds interval = 0;
  timestamp start;
  timestamp end;
  price open;
  price high;
  price low;
  price close;
  quantity volume;
  std::optional<price> vwap; // nothing at zero volume
  std::uint64_t trades = 0;
  timestamp first_ts;
  timestamp last_ts;
  std::uint32_t revision = 0;
  bar_state state = bar_state::final_bar;
  decimal coverage{units_per_one}; // 0 to 1: share of the window in which the source was connected and healthy
  std::uint32_t flags = 0;         // bar_flag
  std::string reason;              // why it was revised, or empty
  std::uint64_t first_offset = 0;  // offsets in topic `events` of the partition: the first and last event that count
  std::uint64_t last_offset = 0;
  std::uint64_t schema = 0;      // hash of this field list
  std::uint64_t config_hash = 0; // hash of the settings that decide what a bar is
  notional traded;               // exact sum of price times size, in 1e-18; vwap is it over volume, rounded

  friend bool operator==(const bar&, const bar&) = default;
};
template <of<bar> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"provider", x.provider}, field{"symbol", x.symbol}, field{"interval", x.interval},
           field{"start", x.start}, field{"end", x.end}, field{"open", x.open}, field{"high", x.high},
           field{"low", x.low}, field{"close", x.close}, field{"volume", x.volume}, field{"vwap", x.vwap},
           field{"trades", x.trades}, field{"first_ts", x.first_ts}, field{"last_ts", x.last_ts},
           field{"revision", x.revision}, field{"state", x.state}, field{"coverage", x.coverage},
           field{"flags", x.flags}, field{"reason", x.reason}, field{"first_offset", x.first_offset},
           field{"last_offset", x.last_offset}, field{"schema", x.schema}, field{"config_hash", x.config_hash},
           field{"notional", x.traded});
}

// Why nothing more comes for an interval of a source. DO NOT CHANGE THESE VALUES.
enum class interval_reason : std::uint8_t {
  closed = 0,    // bars were made; a symbol without one had no trades
  no_trades = 1, // the source was there and silent
  feed_down = 2, // the source was not there
  halted = 3,
  paused = 4,
};
std::string_view to_string(interval_reason reason);

// Said once per interval and source when it is complete. A silent stretch that is passed in one step is said once for
// the whole stretch: then end - start is a multiple of the interval.
struct end_of_interval {
  std::string provider;
  nanoseconds interval = 0;
  timestamp start;
  timestamp end;
  interval_reason reason = interval_reason::closed;

  friend bool operator==(const end_of_interval&, const end_of_interval&) = default;
};
template <of<end_of_interval> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"provider", x.provider}, field{"interval", x.interval}, field{"start", x.start}, field{"end", x.end},
           field{"reason", x.reason});
}

} // namespace finstream
