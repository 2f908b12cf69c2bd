// Bars made the plain way: all events of a window in a list, sorted, and added up in 128 bits. It knows no time, no
// order of arrival and no windows that are open, so it shares no mistake with the stage.
#pragma once

#include "tests/support/market.hpp"

#include <map>
#include <tuple>

namespace finstream::test {

struct part_of_bar {
  std::tuple<std::int64_t, std::size_t, std::int64_t, std::uint64_t> order; // src_ts, rank, seq, offset
  std::int64_t open, high, low, close, volume;
};

inline std::pair<std::string, std::size_t> set_and_rank(const bar_rules& rules, const std::string& provider) {
  for (auto& set : rules.sets)
    for (std::size_t i = 0; i < set.providers.size(); ++i)
      if (set.providers[i] == provider) return {set.name, i};
  return {provider, 0};
}

// The nearest whole number to n / d; of two equally near the even one.
inline std::int64_t nearest_even(int128 n, int128 d) {
  auto magnitude = n < 0 ? -n : n;
  auto q = magnitude / d, twice = magnitude % d * 2;
  if (twice > d || (twice == d && q % 2 != 0)) ++q;
  return static_cast<std::int64_t>(n < 0 ? -q : q);
}

using bar_key_text = std::tuple<nanoseconds, std::string, std::string, std::int64_t>; // interval, set, symbol, start
inline bar_key_text key_of(const bar& x) { return {x.interval, x.provider, x.symbol, x.start.ns}; }

inline bar naive_bar(const bar_rules& rules, const bar_key_text& key, std::vector<part_of_bar> parts) {
  std::sort(parts.begin(), parts.end(), [](auto& a, auto& b) { return a.order < b.order; });
  bar x;
  std::tie(x.interval, x.provider, x.symbol, x.start.ns) = key;
  x.end = x.start + x.interval;
  x.open.units = parts.front().open, x.close.units = parts.back().close;
  x.high.units = x.low.units = parts.front().open;
  x.first_ts.ns = std::get<0>(parts.front().order), x.last_ts.ns = std::get<0>(parts.back().order);
  x.first_offset = x.last_offset = std::get<3>(parts.front().order);
  int128 volume = 0, traded = 0;
  for (auto& p : parts) {
    x.high.units = std::max(x.high.units, p.high), x.low.units = std::min(x.low.units, p.low);
    volume += p.volume, traded += static_cast<int128>(p.close) * p.volume;
    x.first_offset = std::min(x.first_offset, std::get<3>(p.order)),
    x.last_offset = std::max(x.last_offset, std::get<3>(p.order));
  }
  x.volume.units = static_cast<std::int64_t>(volume);
  if (volume != 0) x.vwap = price{{nearest_even(traded, volume)}};
  x.traded.units = traded;
  x.trades = parts.size();
  x.schema = rules.schema, x.config_hash = rules.config_hash;
  return x;
}

// Every bar of these events, in order of key. Coverage and flags are not its business.
inline std::vector<bar> naive_bars(const bar_rules& rules,
                                   const std::vector<std::pair<happening, std::uint64_t>>& events) {
  std::map<bar_key_text, std::vector<part_of_bar>> windows;
  for (auto& [x, offset] : events) {
    auto [set, rank] = set_and_rank(rules, x.provider);
    for (auto interval : rules.intervals) {
      auto start = x.src_ts.ns / interval * interval;
      if (start > x.src_ts.ns) start -= interval; // division rounds towards zero
      auto order = std::make_tuple(x.src_ts.ns, rank, x.seq, offset);
      auto& v = x.values;
      if (x.kind == event_kind::bar) {
        windows[{interval, set, x.symbol, start}].push_back({order, v[0], v[1], v[2], v[3], v[4]});
      } else if (x.kind == event_kind::tick) {
        windows[{interval, set, x.symbol, start}].push_back({order, v[0], v[0], v[0], v[0], v[1]});
      } else {
        windows[{interval, set, x.symbol + ".BID", start}].push_back({order, v[0], v[0], v[0], v[0], v[2]});
        windows[{interval, set, x.symbol + ".ASK", start}].push_back({order, v[1], v[1], v[1], v[1], v[3]});
      }
    }
  }
  std::vector<bar> out;
  for (auto& [key, parts] : windows) out.push_back(naive_bar(rules, key, parts));
  return out;
}

// The same bars in order of key, without what the naive ones lack.
inline std::vector<bar> plain(std::vector<bar> bars) {
  for (auto& x : bars) x.flags = 0, x.coverage.units = units_per_one;
  std::sort(bars.begin(), bars.end(), [](auto& a, auto& b) { return key_of(a) < key_of(b); });
  return bars;
}

} // namespace finstream::test
