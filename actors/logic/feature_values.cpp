#include "actors/logic/feature_values.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace finstream {

namespace {

// A window's horizon at the close of one bar, as places in the history.
struct reach {
  const feature_history& history;
  std::size_t from = 0; // the first bar in the horizon
  std::size_t at = 0;   // the last, whose close it is
  bool covered = false;
  timestamp start{};
  bool by_time = false;
  std::optional<std::size_t> before{}; // the bar with which the last is compared

  std::size_t count() const { return at - from + 1; }
  // The first bar whose close is an end of a return of the horizon.
  std::size_t first_close() const { return by_time ? from : before.value_or(from); }
};

reach reach_of(const feature_window& window, nanoseconds interval, const feature_history& history, std::size_t at) {
  reach x{history};
  x.at = at;
  x.by_time = window.horizon != 0;
  if (x.by_time) {
    x.start = history[at].start + interval - window.horizon;
    x.from = history.find(x.start - interval + 1); // the first that ends after the horizon's start
    x.covered = history.covers(x.start, interval);
    if (x.from > 0) x.before = x.from - 1;
  } else {
    x.covered = at + 1 >= window.bars;
    x.from = x.covered ? at + 1 - window.bars : 0;
    x.start = history[x.from].start;
    if (at >= window.bars) x.before = at - window.bars;
  }
  return x;
}

std::uint32_t highest_revision(const feature_history& history, std::size_t from, std::size_t to) {
  std::uint32_t highest = 0;
  for (auto i = from; i <= to; ++i) highest = std::max(highest, history[i].revision);
  return highest;
}

void set_exact(feature_value& out, std::optional<decimal> x) {
  out.exact = x;
  out.value = x ? std::optional{as_double(*x)} : std::nullopt;
}

std::optional<decimal> narrow(int128 units) {
  if (units > std::numeric_limits<std::int64_t>::max() || units < std::numeric_limits<std::int64_t>::min())
    return std::nullopt;
  return decimal{static_cast<std::int64_t>(units)};
}

std::optional<decimal> volume_of(const reach& x) {
  int128 sum = 0;
  for (auto i = x.from; i <= x.at; ++i) sum += x.history[i].volume.units;
  return narrow(sum);
}

std::optional<decimal> average_price(const reach& x) {
  notional sum;
  for (auto i = x.from; i <= x.at; ++i)
    if (!checked_add(sum, x.history[i].traded, sum)) return std::nullopt;
  auto volume = volume_of(x);
  if (!volume) return std::nullopt;
  return volume_weighted_average(sum, quantity{*volume});
}

void add_ohlcv(std::vector<feature_value>& out, const feature_value& common, const reach& x) {
  auto high = x.history[x.from].high, low = x.history[x.from].low;
  for (auto i = x.from; i <= x.at; ++i) {
    high = std::max(high, x.history[i].high);
    low = std::min(low, x.history[i].low);
  }
  auto add = [&](const char* part, std::optional<decimal> value) {
    auto& one = out.emplace_back(common);
    one.name += part;
    set_exact(one, value);
  };
  add(".open", x.history[x.from].open);
  add(".high", high);
  add(".low", low);
  add(".close", x.history[x.at].close);
  add(".volume", volume_of(x));
}

// Over the log returns of the horizon; returns the oldest bar that counts.
std::size_t read_statistic(feature_value& out, feature_kind kind, nanoseconds interval, nanoseconds year,
                           const reach& x) {
  auto returns = x.history.returns_between(x.first_close(), x.at);
  out.warm = x.by_time ? x.covered : x.before.has_value();
  if (kind == feature_kind::skew) {
    out.value = adjusted_skewness(returns);
  } else if (kind == feature_kind::kurt) {
    out.value = excess_kurtosis(returns);
  } else {
    out.value = sample_deviation(returns);
    if (kind == feature_kind::vol_ann) {
      out.factor = std::sqrt(static_cast<double>(year) / static_cast<double>(interval));
      if (out.value) *out.value *= *out.factor;
    }
  }
  out.inputs_revision = highest_revision(x.history, x.first_close(), x.at);
  return x.first_close();
}

// The last close against one of the past; returns the oldest bar that counts.
std::size_t read_change(feature_value& out, feature_kind kind, const reach& x) {
  out.warm = x.before.has_value();
  out.inputs_revision = x.history[x.at].revision;
  if (!x.before) return x.at;
  out.inputs_revision = std::max(out.inputs_revision, x.history[*x.before].revision);
  auto from = x.history[*x.before].close, to = x.history[x.at].close;
  if (kind == feature_kind::momentum_abs)
    set_exact(out, narrow(static_cast<int128>(to.units) - from.units));
  else if (kind == feature_kind::logret)
    out.value = log_return(as_double(from), as_double(to));
  else
    out.value = simple_return(as_double(from), as_double(to));
  return *x.before;
}

std::size_t read_strength(feature_value& out, const feature_window& window, const strength& state, std::size_t at) {
  auto reading = read_rsi(state.averages, window.bars, window.talib);
  if (reading) out.value = reading->value, out.flat = reading->flat;
  out.warm = state.averages.changes >= window.bars;
  out.n = state.averages.changes + 1;
  out.window_start = state.since;
  out.inputs_revision = state.revision;
  return at > window.bars ? at - window.bars : 0;
}

} // namespace

std::size_t add_values(std::vector<feature_value>& out, const feature_window& window, const feature_rules& rules,
                       const feature_needs& needs, const feature_history& history, std::size_t at) {
  feature_value value;
  value.name = window.name;
  if (window.kind == feature_kind::rsi) {
    auto& state = history.strength_at(at, needs.index_of_period(window.bars));
    auto oldest = read_strength(value, window, state, at);
    out.push_back(std::move(value));
    return oldest;
  }
  auto x = reach_of(window, rules.interval, history, at);
  value.n = x.count();
  value.warm = x.covered;
  value.window_start = x.start;
  auto oldest = x.from;
  switch (window.kind) {
  case feature_kind::vwap: set_exact(value, average_price(x)); [[fallthrough]];
  case feature_kind::ohlcv: value.inputs_revision = highest_revision(history, x.from, at); break;
  case feature_kind::ret:
  case feature_kind::logret:
  case feature_kind::momentum:
  case feature_kind::momentum_abs: oldest = read_change(value, window.kind, x); break;
  case feature_kind::vol:
  case feature_kind::vol_ann:
  case feature_kind::skew:
  case feature_kind::kurt: oldest = read_statistic(value, window.kind, rules.interval, rules.year, x); break;
  case feature_kind::rsi: break; // was read above
  }
  if (window.kind == feature_kind::ohlcv)
    add_ohlcv(out, value, x);
  else
    out.push_back(std::move(value));
  return oldest;
}

} // namespace finstream
