#include "actors/logic/backfill_bars.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <tuple>

namespace finstream {

window_name window_of(const bar& x) { return {x.start, x.interval, x.provider, x.symbol}; }

const std::string& set_of(const bar_rules& rules, const std::string& provider) {
  for (auto& set : rules.sets)
    if (std::find(set.providers.begin(), set.providers.end(), provider) != set.providers.end()) return set.name;
  return provider;
}

void touch(std::set<window_name>& windows, const bar_rules& rules, const series_key& key, const event_row& row) {
  auto& set = set_of(rules, key.provider);
  for (auto interval : rules.intervals) {
    auto start = floor_to(row.src_ts, interval);
    if (row.kind == event_kind::quote) {
      windows.insert({start, interval, set, key.symbol + ".BID"});
      windows.insert({start, interval, set, key.symbol + ".ASK"});
    } else {
      windows.insert({start, interval, set, key.symbol});
    }
  }
}

// ---- stretches

void stretches::add(timestamp from, timestamp to) {
  if (from >= to) return;
  auto first = parts_.upper_bound(from);
  if (first != parts_.begin() && std::prev(first)->second >= from) --first;
  auto last = first;
  for (; last != parts_.end() && last->first <= to; ++last)
    from = std::min(from, last->first), to = std::max(to, last->second);
  parts_.erase(first, last);
  parts_.emplace(from, to);
}

bool stretches::holds(timestamp t) const { return meets(t, t); }

bool stretches::meets(timestamp first, timestamp last) const {
  auto at = parts_.upper_bound(last);
  return at != parts_.begin() && std::prev(at)->second > first;
}

bool stretches::covers(timestamp from, timestamp to) const {
  auto at = parts_.upper_bound(from);
  return at != parts_.begin() && std::prev(at)->second >= to;
}

// ---- events

void gathered_events::add(const event_batch& batch, const event_row& row, std::uint64_t offset) {
  auto x = row;
  x.key = keys_.try_emplace((*batch.keys)[row.key], static_cast<std::uint32_t>(keys_.size())).first->second;
  if (row.interval != 0) {
    auto& name = batch.intervals[row.interval];
    auto at = std::find(intervals_.begin(), intervals_.end(), name);
    x.interval = static_cast<std::uint8_t>(at - intervals_.begin());
    if (at == intervals_.end()) intervals_.push_back(name);
  }
  rows_.push_back({x, offset});
}

void gathered_events::put_in_order() {
  std::sort(rows_.begin(), rows_.end(), [](auto& a, auto& b) { return order(a) < order(b); });
  auto same = [](auto& a, auto& b) {
    return a.what.src_ts == b.what.src_ts && a.what.key == b.what.key && a.what.seq == b.what.seq;
  };
  rows_.erase(std::unique(rows_.begin(), rows_.end(), same), rows_.end());
}

std::optional<std::uint64_t> gathered_events::find(const series_key& key, timestamp src_ts, std::int64_t seq) const {
  auto named = keys_.find(key);
  if (named == keys_.end()) return std::nullopt;
  placed_row wanted;
  wanted.what.src_ts = src_ts, wanted.what.key = named->second, wanted.what.seq = seq;
  auto at = std::lower_bound(rows_.begin(), rows_.end(), wanted, [](auto& a, auto& b) { return order(a) < order(b); });
  if (at == rows_.end() || at->what.src_ts != src_ts || at->what.key != named->second || at->what.seq != seq)
    return std::nullopt;
  return at->offset;
}

// In the order of time nothing comes late, so the stage closes each window when it has all of it. Its log time is the
// events' own.
std::vector<bar> gathered_events::bars(const bar_rules& rules) const {
  if (rows_.empty()) return {};
  auto lane = rules;
  lane.revise_for = 0;
  lane.max_open_windows = std::numeric_limits<std::uint64_t>::max();
  bar_stage stage{std::move(lane)};
  event_batch one;
  auto names = std::make_shared<std::vector<series_key>>(keys_.size());
  for (auto& [key, index] : keys_) (*names)[index] = key;
  one.keys = std::move(names);
  one.intervals = intervals_;
  one.rows.resize(1);
  for (auto& x : rows_) {
    one.rows[0] = x.what;
    stage.on_events(x.offset, x.what.src_ts, one);
  }
  auto idle = rules.clock.flush_timeout + rules.clock.allow_late + rules.intervals.back() + second;
  stage.on_clock(rows_.back().what.src_ts + 2 * idle);
  std::vector<bar> out;
  for (auto& item : stage.take_output().records)
    if (auto* made = std::get_if<bar>(&item)) out.push_back(std::move(*made));
  return out;
}

// ---- what changes

namespace {

bool say_the_same(const bar& a, const bar& b) {
  auto content = [](const bar& x) {
    return std::tie(x.open, x.high, x.low, x.close, x.volume, x.traded, x.trades, x.first_ts, x.last_ts);
  };
  return content(a) == content(b);
}

} // namespace

std::optional<bar> healed_bar(const bar& made, const std::optional<bar>& published,
                              const bar_stage::withheld_bars* withheld) {
  if (published && say_the_same(made, *published)) return std::nullopt;
  auto out = made;
  auto is_live = withheld != nullptr && withheld->count != 0;
  out.flags = backfilled | (is_live ? withheld->flags : published ? published->flags : 0);
  out.coverage = is_live ? withheld->coverage : published ? published->coverage : decimal{};
  out.revision = published ? published->revision + 1 : 0;
  out.state = out.revision == 0 ? bar_state::final_bar : bar_state::revised;
  out.reason = "backfill";
  return out;
}

bool lacks_events(const bar& made, const bar& published) { return made.trades < published.trades; }

} // namespace finstream
