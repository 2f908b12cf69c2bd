// Features of one series at the close of one of its bars: rolling statistics over horizons that end there. CONVENTIONS
// 6 says what each kind is; actors/logic/feature_math.hpp computes them.
#pragma once

#include "messages/field.hpp"
#include "messages/value/decimal.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

// DO NOT CHANGE THESE VALUES: they are in the log, where the node's start says which features there are.
enum class feature_kind : std::uint8_t {
  vwap = 0,
  ohlcv = 1, // five values: NAME.open, NAME.high, NAME.low, NAME.close, NAME.volume
  ret = 2,
  logret = 3,
  vol = 4,
  vol_ann = 5,
  rsi = 6,
  momentum = 7,
  momentum_abs = 8,
  skew = 9,
  kurt = 10,
};
std::string_view to_string(feature_kind kind);
// By its own name or the start of a window's: "vol", "vol_5m", "volatility" -> vol. The longest name that fits counts.
std::optional<feature_kind> feature_kind_of(std::string_view name);

struct feature_value {
  std::string name;                  // of the window: "vol_5m"
  std::optional<double> value;       // nothing: not defined yet, or not defined for these inputs
  std::optional<decimal> exact;      // of prices and volumes: `value` before it became a double
  std::optional<double> factor;      // of vol_ann: the square root of periods per year, by which vol was multiplied
  std::uint64_t n = 0;               // bars in the horizon; of rsi, all since the series began
  bool warm = false;                 // the horizon is covered: more bars before it would not change the value
  bool flat = false;                 // of rsi: there was no change at all
  timestamp window_start;            // the horizon is [window_start, end of the bar)
  std::uint32_t inputs_revision = 0; // the highest revision among the bars that count

  friend bool operator==(const feature_value&, const feature_value&) = default;
};
template <of<feature_value> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"name", x.name}, field{"value", x.value}, field{"exact", x.exact}, field{"factor", x.factor},
           field{"n", x.n}, field{"warm", x.warm}, field{"flat", x.flat}, field{"window_start", x.window_start},
           field{"inputs_revision", x.inputs_revision});
}

// All features at the close of one bar.
struct feature_vector {
  std::string provider;
  std::string symbol;
  nanoseconds interval = 0; // of the bar
  timestamp start;          // of the bar
  timestamp end;            // of the bar, and of every horizon
  price close;
  std::uint32_t revision = 0;        // of this vector: rises when bars it rests on are revised
  std::uint32_t inputs_revision = 0; // the highest among the values'
  std::uint64_t first_offset = 0;    // in topic `events` of the partition: first and last event behind the values
  std::uint64_t last_offset = 0;
  std::vector<feature_value> values; // in the order of the config
  std::uint64_t schema = 0;
  std::uint64_t config_hash = 0;

  friend bool operator==(const feature_vector&, const feature_vector&) = default;
};
template <of<feature_vector> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"provider", x.provider}, field{"symbol", x.symbol}, field{"interval", x.interval},
           field{"start", x.start}, field{"end", x.end}, field{"close", x.close}, field{"revision", x.revision},
           field{"inputs_revision", x.inputs_revision}, field{"first_offset", x.first_offset},
           field{"last_offset", x.last_offset}, field{"values", x.values}, field{"schema", x.schema},
           field{"config_hash", x.config_hash});
}

} // namespace finstream
