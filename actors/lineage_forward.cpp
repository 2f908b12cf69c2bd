// Forwards: from an event of the log to the bars, features and signals that it is in.
#include "actors/lineage.hpp"
#include "actors/lineage_reach.hpp"
#include "runtime/store/bar_store.hpp"
#include "runtime/store/feature_store.hpp"
#include "runtime/store/signal_store.hpp"

#include <algorithm>
#include <set>

namespace finstream {

namespace {

using known_rules = std::optional<logged_rules>;

// The sides of a quote are two series.
std::vector<std::string> symbols_of(const logged_event& x) {
  auto& symbol = x.key().symbol;
  if (x.what().kind == event_kind::quote) return {symbol + ".BID", symbol + ".ASK"};
  return {symbol};
}

std::string series_name(const std::string& provider, const known_rules& rules) {
  if (rules)
    for (auto& set : rules->bars.sets)
      if (std::find(set.providers.begin(), set.providers.end(), provider) != set.providers.end()) return set.name;
  return provider;
}

// Of the bars there were when the event was dealt with; where that is not known, of those there are at all.
expected<std::set<nanoseconds>> intervals_of(const bus& log, const known_rules& rules) {
  if (rules) return std::set<nanoseconds>{rules->bars.intervals.begin(), rules->bars.intervals.end()};
  std::set<nanoseconds> out;
  auto scanned = scan_series(log, 0, "", [&](const bar_series& x) { return out.insert(x.interval), true; });
  if (!scanned) return tl::unexpected{scanned.error()};
  return out;
}

expected<std::optional<bar>> first_bar(const bus& log, bar_query query) {
  std::optional<bar> found;
  auto scanned = scan_bars(log, query, [&](const bar& x) { return found = x, false; });
  if (!scanned) return tl::unexpected{scanned.error()};
  return found;
}

bar_query series_of(const bar& x) {
  bar_query out;
  out.symbol = x.symbol, out.provider = x.provider, out.interval = x.interval;
  return out;
}

expected<void> find_bars(const bus& log, const known_rules& rules, event_lineage& out) {
  auto intervals = intervals_of(log, rules);
  if (!intervals) return tl::unexpected{intervals.error()};
  auto& event = out.what;
  for (auto interval : *intervals)
    for (auto& symbol : symbols_of(event)) {
      bar_query query;
      query.symbol = symbol, query.provider = series_name(event.key().provider, rules), query.interval = interval;
      query.from = floor_to(event.what().src_ts, interval), query.to = query.from + 1;
      auto found = first_bar(log, query);
      if (!found) return tl::unexpected{found.error()};
      auto name = to_string(bar_name{query.provider, symbol, interval, query.from});
      if (!*found)
        out.notes.push_back("there is no bar " + name + " yet");
      else if (event.offset < (*found)->first_offset || event.offset > (*found)->last_offset)
        out.notes.push_back("it is not among the events that bar " + name + " counts");
      else
        out.bars.push_back(std::move(**found));
    }
  return {};
}

// Vectors of the bar's series from the bar on; and the signals made of them.
class follower {
public:
  follower(const bus& log, const lineage_limits& limits, const known_rules& rules, event_lineage& out)
    : log_{log}, limits_{limits}, rules_{rules}, out_{out} {}

  expected<void> follow(const bar& x) {
    auto after = series_of(x);
    after.from = x.start + 1;
    auto next = first_bar(log_, after);
    if (!next) return tl::unexpected{next.error()};
    next_start_ = *next ? std::optional{(*next)->start} : std::nullopt;
    auto first = out_.vectors.size();
    if (auto found = find_vectors(x); !found) return found;
    if (first == out_.vectors.size()) return {};
    return find_signals(x, first);
  }

private:
  // The rules of a vector, if they are those that are known.
  const logged_rules* rules_of(const feature_vector& x) const {
    return rules_ && rules_->features && rules_->features->config_hash == x.config_hash ? &*rules_ : nullptr;
  }

  expected<void> find_vectors(const bar& x) {
    feature_query query;
    query.symbol = x.symbol, query.provider = x.provider, query.interval = x.interval, query.from = x.start;
    auto looked_at = limits_.vectors_looked_at;
    auto cut = false, rests = false;
    auto scanned = scan_features(log_, query, [&](const feature_vector& v) {
      if (looked_at-- == 0) return cut = rests, false; // by then no horizon reaches back to the bar, or all do
      rests = std::any_of(v.values.begin(), v.values.end(),
                          [&](auto& value) { return rests_on(value, x.start, next_start_, rules_of(v)); });
      if (!rests) return true;
      if (out_.vectors.size() == limits_.vectors) return cut = true, false;
      out_.vectors.push_back(v);
      return true;
    });
    if (!scanned) return scanned;
    out_.truncated |= cut;
    return {};
  }

  expected<void> find_signals(const bar& x, std::size_t first) {
    signal_query query;
    query.symbol = x.symbol, query.provider = x.provider;
    query.from = out_.vectors[first].end, query.to = out_.vectors.back().end + 1;
    return scan_signals(log_, query, [&](const signal& made) {
      auto vector = std::lower_bound(out_.vectors.begin() + static_cast<std::ptrdiff_t>(first), out_.vectors.end(),
                                     made.bar_start, [](auto& v, auto start) { return v.start < start; });
      if (made.interval != x.interval || vector == out_.vectors.end() || vector->start != made.bar_start) return true;
      if (!is_made_of(made, *vector, x)) return true;
      if (out_.signals.size() == limits_.signals) return out_.truncated = true, false;
      out_.signals.push_back(made);
      return true;
    });
  }

  // The inputs of a signal begin with the longest window it used, so what lies in them was used; but for the bar before
  // a window, for which the rule must be known.
  bool is_made_of(const signal& made, const feature_vector& vector, const bar& x) const {
    if (x.start >= made.inputs_start) return true;
    auto rule = rules_ ? rule_behind(made, *rules_) : std::nullopt;
    return std::any_of(vector.values.begin(), vector.values.end(), [&](auto& value) {
      return is_used(made, rule, value) && rests_on(value, x.start, next_start_, rules_of(vector));
    });
  }

  const bus& log_;
  const lineage_limits& limits_;
  const known_rules& rules_;
  event_lineage& out_;
  std::optional<timestamp> next_start_; // of the bar that follows in the series
};

} // namespace

expected<event_lineage> lineage_of_event(const bus& log, std::uint32_t partitions, const lineage_limits& limits,
                                         std::uint16_t partition, std::uint64_t offset) {
  lineage_log events{log, partitions, limits.read_bytes};
  auto event = events.event_at(partition, offset);
  if (!event) return tl::unexpected{event.error()};
  std::vector<logged_event> one{std::move(*event)};
  if (auto added = events.add_lines(partition, one); !added) return tl::unexpected{added.error()};
  event_lineage out;
  out.what = std::move(one.front());
  auto rejected = events.rejection_of(out.what);
  if (!rejected) return tl::unexpected{rejected.error()};
  out.rejected = rejected->value_or("");
  if (!out.rejected.empty()) return out;
  auto rules = events.rules_at(partition, offset);
  if (!rules) return tl::unexpected{rules.error()};
  if (!*rules)
    out.notes.push_back("the rules that were in force are not found: source sets are not known, and which features "
                        "compare with the bar before them is read from their names");
  if (auto done = find_bars(log, *rules, out); !done) return tl::unexpected{done.error()};
  for (auto& x : out.bars)
    if (auto done = follower{log, limits, *rules, out}.follow(x); !done) return tl::unexpected{done.error()};
  if (out.truncated)
    out.notes.push_back("there are more: an answer shows " + std::to_string(limits.vectors) + " feature vectors and " +
                        std::to_string(limits.signals) + " signals at most");
  return out;
}

} // namespace finstream
