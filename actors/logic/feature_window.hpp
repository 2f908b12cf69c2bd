#pragma once

#include "messages/event/feature.hpp"

#include <cstdint>
#include <string>

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

} // namespace finstream
