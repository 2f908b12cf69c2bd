// Features and signals of healed bars: the bars of the series around them are read from the store.
#include "actors/healer.hpp"
#include "runtime/store/bar_store.hpp"
#include "runtime/store/feature_store.hpp"
#include "runtime/store/signal_store.hpp"

#include <algorithm>

namespace finstream {

namespace {

// Bars of a series around a stretch: as far as `reach` says before it and after it, or as there are any.
class bars_around {
public:
  bars_around(const bus& log, const bar& of, feature_reach reach) : log_{log}, reach_{reach} {
    series_.symbol = of.symbol, series_.interval = of.interval, series_.provider = of.provider;
  }

  // In steps that double, since a store is read forwards and the series may have holes.
  expected<void> read_before(timestamp from, std::map<timestamp, bar>& out) const {
    auto query = series_;
    query.to = from;
    std::vector<bar> before;
    for (auto back = std::max(reach_.span, static_cast<nanoseconds>(reach_.bars) * series_.interval);; back *= 4) {
      query.from = back > longest_look ? earliest : from - back;
      before.clear();
      if (auto read = scan_bars(log_, query, [&](const bar& x) { return before.push_back(x), true; }); !read)
        return read;
      if (before.size() >= reach_.bars || query.from == earliest) break;
    }
    for (auto& x : before) out.emplace(x.start, std::move(x));
    return {};
  }
  expected<void> read_after(timestamp from, timestamp last, std::map<timestamp, bar>& out) const {
    auto query = series_;
    query.from = from;
    std::uint64_t behind = 0;
    return scan_bars(log_, query, [&](const bar& x) {
      if (x.start > last && ++behind > reach_.bars && x.start - last > reach_.span) return false;
      out.emplace(x.start, x);
      return true;
    });
  }

private:
  static constexpr nanoseconds longest_look = 366 * 86'400 * second; // beyond it all of the series is read

  const bus& log_;
  feature_reach reach_;
  bar_query series_;
};

} // namespace

expected<void> healer::heal_features(const std::vector<bar>& bars, healing& out) const {
  if (!features_) return {};
  std::map<std::pair<std::string, std::string>, std::vector<bar>> series;
  for (auto& x : bars)
    if (x.interval == features_->interval) series[{x.provider, x.symbol}].push_back(x);
  for (auto& [name, changed] : series)
    if (auto healed = heal_series(*features_, changed, out); !healed) return healed;
  return {};
}

// Vectors of bars that a late event may revise are left to the live stages.
expected<void> healer::heal_series(const feature_rules& rules, const std::vector<bar>& changed, healing& out) const {
  std::map<timestamp, bar> bars;
  bars_around around{log_, changed.front(), reach_of(rules)};
  auto first = changed.front().start, last = changed.back().start;
  if (auto read = around.read_before(first, bars); !read) return read;
  if (auto read = around.read_after(first, last, bars); !read) return read;
  for (auto& x : changed) bars.insert_or_assign(x.start, x);
  std::vector<bar> in_order;
  for (auto& [start, x] : bars) in_order.push_back(x);
  feature_query query;
  query.symbol = changed.front().symbol, query.provider = changed.front().provider, query.interval = rules.interval;
  query.from = in_order.front().start, query.to = in_order.back().start + 1;
  std::map<timestamp, feature_vector> published;
  auto read = scan_features(log_, query, [&](const feature_vector& x) { return published.emplace(x.start, x), true; });
  if (!read) return read;
  auto settled = stage_->settled(changed.front().provider);
  auto to = in_order.back().start + 1;
  if (!settled.at_rest && stage_->rules().revise_for > 0) to = std::min(to, settled.until);
  auto healed = finstream::heal_features(rules, signals_ ? &*signals_ : nullptr, in_order, published, first, to);
  out.counts.features += healed.vectors.size();
  for (auto& x : healed.vectors) out.part.healed.emplace_back(std::move(x));
  for (auto& x : healed.signals) {
    auto known = find_signal(log_, x.signal_id);
    if (!known) return tl::unexpected{known.error()};
    if (*known) continue;
    ++out.counts.signals;
    out.part.healed.emplace_back(std::move(x));
  }
  return {};
}

} // namespace finstream
