// Which features there are, and over which horizons. The rules travel in the log, so that a replay needs nothing else.
#pragma once

#include "messages/errors.hpp"
#include "messages/event/feature.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

// One configured feature. Its horizon ends with a bar and is a span of time or a number of bars.
//
// By time h, with t the end of the bar: the bars that end in (t - h, t]. Returns are those between consecutive bars
// that both lie in there. What is compared with the past is compared with the newest bar that ends at or before t - h.
//
// By n bars: the last n bars, and their n returns, for which the bar before the first of them is needed too (n + 1
// closes: the definition of those who recorded volatility over 20 bars). What is compared with the past is compared
// with the n-th bar before. Of rsi, n is Wilder's period; its memory has no end, so it knows no horizon by time.
struct feature_window {
  std::string name; // "vol_5m"
  feature_kind kind = feature_kind::vwap;
  nanoseconds horizon = 0; // by time, a multiple of the interval; or
  std::uint32_t bars = 0;  // by bars (exactly one of the two is not zero)
  bool talib = false;      // rsi: TA-Lib's value for a flat window

  friend bool operator==(const feature_window&, const feature_window&) = default;
};

struct feature_rules {
  nanoseconds interval = second; // features rest on bars of this interval; other bars are passed over
  std::vector<feature_window> windows;
  nanoseconds year = 365 * 86'400 * second; // of vol_ann: year / interval periods
  nanoseconds revise_for = 0;      // how far before the newest bar's start a bar may start that is revised, or late
  std::uint64_t max_bars = 10'000; // history of a series: a limit on memory
  std::uint64_t schema = 0;        // stamped into each vector
  std::uint64_t config_hash = 0;

  // Nothing, or what is wrong: a stage takes no such rules.
  std::string fault() const;
  std::string save() const;
  // Errors: corrupt_record, incompatible.
  static expected<feature_rules> load(std::string_view bytes);

  friend bool operator==(const feature_rules&, const feature_rules&) = default;
};

} // namespace finstream
