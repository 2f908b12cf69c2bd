#include "actors/logic/bar_stage.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

namespace finstream {

namespace {
constexpr timestamp never{std::numeric_limits<std::int64_t>::max()};
} // namespace

bar_stage::bar_stage(bar_rules rules) : rules_{std::move(rules)} {
  auto ascend = std::adjacent_find(rules_.intervals.begin(), rules_.intervals.end(), std::greater_equal<>{}) ==
                rules_.intervals.end();
  ensure(!rules_.intervals.empty() && rules_.intervals[0] > 0 && ascend, "bar intervals ascend");
  grid_ = std::accumulate(rules_.intervals.begin() + 1, rules_.intervals.end(), rules_.intervals[0],
                          [](auto a, auto b) { return std::gcd(a, b); });
  if (rules_.intervals[0] == grid_) grid_interval_ = 0;
}

// ---- what enters

void bar_stage::on_events(std::uint64_t first_offset, timestamp log_ts, const event_batch& batch) {
  auto& index = index_.translate(batch, [this](const series_key& key) {
    targets_.push_back(make_target(key));
    return static_cast<std::uint32_t>(targets_.size() - 1);
  });
  current_feed_ = feed_number(batch.feed);
  for (auto& row : batch.rows) add_event(targets_[index[row.key]], batch, row, first_offset++, log_ts);
  publish_revisions();
  follow_time(log_ts);
}

// A feed that names no provider speaks for all it has sent events of.
void bar_stage::on_source(timestamp log_ts, const source_event& what) {
  auto known = providers_of_feed_.find(what.feed);
  if (what.provider != what.feed || known == providers_of_feed_.end()) {
    change_source(log_ts, what);
  } else {
    auto one = what;
    for (auto& provider : known->second) one.provider = provider, change_source(log_ts, one);
  }
  follow_time(log_ts);
}

void bar_stage::change_source(timestamp log_ts, const source_event& what) {
  auto& set = sets_[find_set(what.provider)];
  auto rank = rank_in(set, what.provider);
  switch (what.change) {
  case source_change::heartbeat:
    if (what.at != earliest && set.clock.newest() != earliest) {
      see_again(set, what.at);
      set.clock.advance(rank, what.at, log_ts);
      follow_watermark(set, set.clock.watermark(log_ts));
    }
    break;
  case source_change::gap: note_hole(set, what.from, what.at); break;
  case source_change::up:
    // It goes on where it stopped, or what lies between is not known. Of a set whose others were there nothing is
    // missed.
    if (what.resumed)
      set.unknown_since = earliest;
    else if (set.clock.providers() == 1 || set.clock.is_down())
      lose_sight(set);
    set.clock.change(rank, what.change, log_ts);
    break;
  case source_change::down:
  case source_change::restarting:
    set.clock.change(rank, what.change, log_ts);
    if (set.clock.is_down()) lose_sight(set);
    break;
  case source_change::eof:
    set.clock.change(rank, what.change, log_ts);
    if (set.clock.providers() == 1) close_until(set, never), forget_taken(set);
    break;
  }
}

void bar_stage::on_clock(timestamp log_ts) { follow_time(log_ts); }

void bar_stage::on_rules(const bar_rules& rules) {
  if (rules.save() != rules_.save()) change_rules(rules);
}

void bar_stage::on_start(timestamp log_ts, const bar_rules& rules) {
  on_rules(rules);
  for (auto& set : sets_) {
    set.clock.node_started(log_ts);
    lose_sight(set);
  }
}

void bar_stage::change_rules(const bar_rules& rules) {
  if (rules.intervals == rules_.intervals && rules.sets == rules_.sets) { // what is open stays open
    for (auto& set : sets_) {
      set.clock.obey(rules.clock);
      // No more is kept than was to be kept so far.
      if (set.accept_from != earliest)
        set.revisable_from = std::max(set.revisable_from, set.accept_from - rules_.revise_for);
    }
    rules_ = rules;
    for (auto& set : sets_) forget_closed(set), forget_taken(set);
    return;
  }
  for (auto& set : sets_) close_until(set, never);
  bar_stage next{rules};
  next.events_ = events_;
  next.output_ = take_output();
  for (auto& set : sets_) {
    for (auto& provider : set.providers) {
      auto& heir = next.sets_[next.find_set(provider)];
      if (heir.name != set.name) continue;
      if (heir.providers == set.providers) heir.clock.adopt(set.clock);
      heir.accept_from = heir.revisable_from = set.accept_from;
      // Of an interval that is new, what lies before is no part.
      heir.first_seen = set.first_seen == never ? never : std::max(set.first_seen, set.accept_from);
      heir.holes = set.holes;
      heir.unknown_since = set.unknown_since;
      heir.taken = set.taken;
      for (std::size_t i = 0; i < rules.intervals.size(); ++i)
        for (std::size_t j = 0; j < rules_.intervals.size(); ++j)
          if (rules.intervals[i] == rules_.intervals[j]) heir.said_until[i] = set.said_until[j];
      next.forget_taken(heir);
      break;
    }
  }
  next.providers_of_feed_ = providers_of_feed_;
  *this = std::move(next);
}

stage_output bar_stage::take_output() { return std::exchange(output_, {}); }

// ---- an event

void bar_stage::add_event(target& where, const event_batch& batch, const event_row& row, std::uint64_t offset,
                          timestamp log_ts) {
  auto& set = sets_[where.set];
  if (where.feed != current_feed_) note_provider(where, batch, row);
  auto late = row.src_ts < set.accept_from;
  if (late && !is_revisable(set, row.src_ts))
    return reject(errc::late, batch, row, offset, set.accept_from - row.src_ts);
  contribution x{{row.src_ts.ns, where.rank, row.seq, offset}, {}, {}, {}, {}, {}};
  if (!count(where, row, (*batch.keys)[row.key].symbol, x, late)) return reject(errc::overflow, batch, row, offset, 0);
  ++events_;
  if (row.src_ts < set.first_seen) set.first_seen = row.src_ts;
  if (set.unknown_since != earliest) see_again(set, row.src_ts);
  if (set.clock.advance(where.rank, row.src_ts, log_ts) && row.src_ts >= set.next_boundary)
    follow_watermark(set, set.clock.watermark(log_ts));
  if (open_windows_ > rules_.max_open_windows) enforce_limit(set);
}

// False, and it is counted nowhere, if a sum would overflow.
bool bar_stage::count(target& where, const event_row& row, const std::string& symbol, contribution& x, bool late) {
  auto trade = [&](std::int64_t at, std::int64_t size) {
    x.open = x.high = x.low = x.close = price{{at}};
    x.volume = quantity{{size}};
  };
  if (row.kind == event_kind::quote) {
    // Two series, as if its sides were trades.
    if (where.bid < 0)
      where.bid = make_series(where.set, symbol + ".BID"), where.ask = make_series(where.set, symbol + ".ASK");
    trade(row.values[1], row.values[3]);
    auto ask = x;
    trade(row.values[0], row.values[2]);
    if (late) {
      if (!can_revise(where.bid, x) || !can_revise(where.ask, ask)) return false;
      revise(where.bid, x), revise(where.ask, ask);
      return true;
    }
    auto &bids = window_at(where.bid, row.src_ts.ns), &asks = window_at(where.ask, row.src_ts.ns);
    return asks.has_room_for(ask) && bids.add(x) && asks.add(ask);
  }
  if (where.trade < 0) where.trade = make_series(where.set, symbol);
  if (row.kind == event_kind::tick) {
    trade(row.values[0], row.values[1]);
  } else {
    x.open.units = row.values[0], x.high.units = row.values[1], x.low.units = row.values[2],
    x.close.units = row.values[3];
    x.volume.units = row.values[4];
  }
  if (!late) return window_at(where.trade, row.src_ts.ns).add(x);
  if (!can_revise(where.trade, x)) return false;
  revise(where.trade, x);
  return true;
}

bar_builder& bar_stage::window_at(std::int32_t index, std::int64_t ts) {
  auto& open = series_[static_cast<std::uint32_t>(index)].grid.open;
  if (!open.empty() && ts >= open.back().start && ts < open.back().start + grid_) return open.back();
  return grid_window(static_cast<std::uint32_t>(index), floor_to({ts}, grid_).ns);
}

bar_builder& bar_stage::grid_window(std::uint32_t index, std::int64_t start) {
  auto& open = series_[index].grid.open;
  auto at = std::lower_bound(open.begin(), open.end(), start, [](auto& x, auto s) { return x.start < s; });
  if (at != open.end() && at->start == start) return *at;
  at = open.insert(at, bar_builder{});
  at->start = start;
  sets_[series_[index].set].grid_open[start + grid_].push_back(index);
  ++open_windows_;
  return *at;
}

void bar_stage::reject(errc code, const event_batch& batch, const event_row& row, std::uint64_t offset,
                       nanoseconds lateness) {
  output_.rejected.push_back({code, spell_out(batch, row), offset, lateness});
}

// ---- time

void bar_stage::follow_time(timestamp log_ts) {
  for (auto index : sets_by_name_) {
    auto& set = sets_[index];
    if (set.clock.newest() == earliest) continue;
    if (set.clock.is_idle(log_ts))
      flush_idle(set, log_ts);
    else if (set.clock.providers() > 1) // with one provider only its own events move the watermark
      follow_watermark(set, set.clock.watermark(log_ts));
    enforce_limit(set); // a window that closes is merged into several
  }
}

void bar_stage::follow_watermark(set_state& set, timestamp watermark) {
  if (watermark == earliest) return;
  auto limit = floor_to(watermark, grid_);
  // Until the newest event is past this, no window can close: spares the hot path a division.
  set.next_boundary = limit + grid_ + rules_.clock.allow_late;
  if (limit <= set.accept_from) return;
  close_until(set, limit);
  for (std::size_t i = 0; i < rules_.intervals.size(); ++i) say_silence(set, i, floor_to(limit, rules_.intervals[i]));
  set.accept_from = limit;
  std::erase_if(set.holes, [&](auto& h) { return h.to < limit - rules_.intervals.back() - rules_.revise_for; });
  forget_closed(set);
  forget_taken(set);
}

// All its sources are idle: a window closes once log time has passed its end by the time-out, counted in the source's
// own time. Of a live source the two are the same; recorded data, whose time is long past, may pause without losing
// what follows.
void bar_stage::flush_idle(set_state& set, timestamp log_ts) {
  follow_watermark(set, std::min(set.clock.extrapolated(log_ts), log_ts - rules_.clock.flush_timeout));
}

// Of the windows that are open; the largest number if none is.
std::int64_t bar_stage::first_end(const set_state& set) const {
  auto end = set.grid_open.empty() ? never.ns : set.grid_open.begin()->first;
  for (auto& open : set.longer_open)
    if (!open.empty()) end = std::min(end, open.begin()->first);
  return end;
}

// Closes what is open and ends at or before `limit`, in the order of ends, then intervals, then names.
void bar_stage::close_until(set_state& set, timestamp limit) {
  for (;;) {
    auto end = first_end(set);
    if (end > limit.ns || end == never.ns) return;
    if (!set.grid_open.empty() && set.grid_open.begin()->first == end) close_grid(set, end);
    for (std::size_t i = 0; i < set.longer_open.size(); ++i)
      if (!set.longer_open[i].empty() && set.longer_open[i].begin()->first == end) close_longer(set, i, end);
    set.accept_from = std::max(set.accept_from, timestamp{end});
  }
}

void bar_stage::close_grid(set_state& set, std::int64_t end) {
  auto indices = in_name_order(std::move(set.grid_open.begin()->second));
  set.grid_open.erase(set.grid_open.begin());
  if (grid_interval_ >= 0) say_silence(set, static_cast<std::size_t>(grid_interval_), {end - grid_});
  auto had_bars = false;
  for (auto index : indices) {
    auto& open = series_[index].grid.open;
    auto at = std::find_if(open.begin(), open.end(), [&](auto& x) { return x.start == end - grid_; });
    if (at->trades != 0) { // nothing, if its only event did not fit
      had_bars = true;
      merge_up(set, index, *at);
      if (grid_interval_ >= 0) {
        emit(set, series_[index], *at, grid_);
        keep(set, {index, static_cast<std::uint32_t>(grid_interval_)}, *at);
      }
    }
    open.erase(at);
    --open_windows_;
  }
  if (grid_interval_ >= 0 && had_bars)
    say_end(set, static_cast<std::size_t>(grid_interval_), {end - grid_}, {end}, interval_reason::closed);
}

void bar_stage::merge_up(set_state& set, std::uint32_t index, const bar_builder& child) {
  for (std::size_t i = 0; i < rules_.intervals.size(); ++i) {
    if (static_cast<std::int32_t>(i) == grid_interval_) continue;
    auto interval = rules_.intervals[i];
    auto start = floor_to({child.start}, interval).ns;
    auto& open = series_[index].longer[i].open;
    auto at = std::lower_bound(open.begin(), open.end(), start, [](auto& x, auto s) { return x.start < s; });
    if (at == open.end() || at->start != start) {
      at = open.insert(at, bar_builder{});
      at->start = start;
      set.longer_open[i][start + interval].push_back(index);
      ++open_windows_;
    }
    at->merge(child);
  }
}

void bar_stage::close_longer(set_state& set, std::size_t interval, std::int64_t end) {
  auto span = rules_.intervals[interval];
  auto indices = in_name_order(std::move(set.longer_open[interval].begin()->second));
  set.longer_open[interval].erase(set.longer_open[interval].begin());
  say_silence(set, interval, {end - span});
  for (auto index : indices) {
    auto& open = series_[index].longer[interval].open;
    auto at = std::find_if(open.begin(), open.end(), [&](auto& x) { return x.start == end - span; });
    emit(set, series_[index], *at, span);
    keep(set, {index, static_cast<std::uint32_t>(interval)}, *at);
    open.erase(at);
    --open_windows_;
  }
  say_end(set, interval, {end - span}, {end}, interval_reason::closed);
}

// Closes the oldest windows of the set that has opened one too many, though they are not complete: what comes for them
// now is late, and said to be.
void bar_stage::enforce_limit(set_state& set) {
  while (open_windows_ > rules_.max_open_windows && first_end(set) != never.ns) close_until(set, {first_end(set)});
}

} // namespace finstream
