// Bars by chance, for tests of features: what the bars are in the end, and orders in which their versions may come.
#pragma once

#include "tests/support/feature_bars.hpp"

#include <random>
#include <utility>
#include <vector>

namespace finstream::test {

inline feature_rules random_feature_rules(std::mt19937_64& random) {
  feature_rules rules;
  auto bars = [&] { return static_cast<std::uint32_t>(1 + random() % 8); };
  for (auto* name : {"vwap_t", "ohlcv_t", "ret_t", "logret_t", "vol_t", "vol_ann_t", "momentum_t", "momentum_abs_t",
                     "skew_t", "kurt_t"})
    if (random() % 2 == 0) rules.windows.push_back(over(name, static_cast<std::int64_t>(1 + random() % 10) * second));
  for (auto* name :
       {"vwap", "ohlcv", "ret", "logret", "vol", "vol_ann", "rsi", "rsi_b", "momentum", "momentum_abs", "skew", "kurt"})
    if (random() % 2 == 0) rules.windows.push_back(over_bars(name, bars()));
  if (rules.windows.empty()) rules.windows.push_back(over_bars("rsi", 3));
  rules.revise_for = static_cast<std::int64_t>(random() % 12) * second;
  return rules;
}

// What a bar is at some revision. Few prices, so that different bars are often equal where it matters.
inline bar random_bar(std::mt19937_64& random, std::int64_t at_second, const std::string& symbol,
                      std::uint32_t revision) {
  auto number = [&](std::uint64_t below) { return static_cast<std::int64_t>(random() % below); };
  auto x = bar_of(at_second, std::to_string(10 + number(3)), std::to_string(number(3)));
  x.open.units = x.close.units + (number(3) - 1) * units_per_one;
  x.high.units = std::max(x.open.units, x.close.units) + number(2) * units_per_one;
  x.low.units = std::min(x.open.units, x.close.units) - number(2) * units_per_one;
  x.symbol = symbol;
  return revision == 0 ? x : revised(x, revision);
}

struct random_bars {
  std::vector<bar> in_the_end; // in order of time
  std::vector<bar> arrivals;   // all versions, none later than may be revised
};

inline random_bars make_random_bars(std::mt19937_64& random, nanoseconds revise_for, int seconds) {
  random_bars out;
  std::vector<std::pair<std::int64_t, bar>> keyed;
  for (std::int64_t at = 1000; at < 1000 + seconds; ++at) {
    for (auto* symbol : {"SPY", "IBM"}) {
      if (random() % 5 == 0) continue;
      // A version comes after the one before, and not after what is too far ahead of it.
      auto versions = random() % 3 == 0 ? 1 + random() % 4 : 1;
      std::int64_t delay = 0;
      for (std::uint32_t revision = 0; revision < versions; ++revision) {
        auto left = static_cast<std::uint64_t>(revise_for / second - delay + 1);
        if (random() % 2 == 0) delay += static_cast<std::int64_t>(random() % left);
        keyed.emplace_back(at + delay, random_bar(random, at, symbol, revision));
      }
      out.in_the_end.push_back(keyed.back().second);
    }
  }
  std::stable_sort(keyed.begin(), keyed.end(), [](auto& a, auto& b) { return a.first < b.first; });
  for (auto& [key, x] : keyed) out.arrivals.push_back(std::move(x));
  return out;
}

} // namespace finstream::test
