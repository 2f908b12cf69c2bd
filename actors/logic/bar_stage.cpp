#include "actors/logic/bar_stage.hpp"

#include <algorithm>
#include <numeric>

namespace finstream {

bar_stage::bar_stage(bar_rules rules) : rules_{std::move(rules)} {
  ensure(!rules_.intervals.empty() && std::is_sorted(rules_.intervals.begin(), rules_.intervals.end()), "bar intervals ascend");
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
  for (auto& row : batch.rows) add_event(targets_[index[row.key]], batch, row, first_offset++, log_ts);
  follow_time(log_ts);
}

void bar_stage::on_source(timestamp log_ts, const source_event& what) {
  auto& set = sets_[find_set(what.provider)];
  auto rank = rank_in(set, what.provider);
  auto newest_before = set.clock.newest();
  switch (what.change) {
    case source_change::heartbeat:
      if (what.at != earliest && newest_before != earliest) {
        set.clock.advance(rank, what.at, log_ts);
        follow_watermark(set, set.clock.watermark(log_ts));
      }
      break;
    case source_change::gap: set.holes.push_back({what.from, what.at}); break;
    case source_change::up:
      // It goes on where it stopped, or what lies between is not known.
      if (what.resumed)
        set.unknown_since = earliest;
      else if (newest_before != earliest && set.unknown_since == earliest)
        set.unknown_since = newest_before;
      set.clock.change(rank, what.change, log_ts);
      break;
    case source_change::down:
      if (newest_before != earliest && set.unknown_since == earliest) set.unknown_since = newest_before;
      set.clock.change(rank, what.change, log_ts);
      break;
    case source_change::restarting: set.clock.change(rank, what.change, log_ts); break;
    case source_change::eof:
      set.clock.change(rank, what.change, log_ts);
      if (set.clock.providers() == 1) close_until(set, {std::numeric_limits<std::int64_t>::max()});
      break;
  }
  follow_time(log_ts);
}

void bar_stage::on_clock(timestamp log_ts) { follow_time(log_ts); }

void bar_stage::on_start(timestamp log_ts, const bar_rules& rules) {
  if (rules.config_hash != rules_.config_hash) change_rules(rules);
  for (auto& set : sets_) set.clock.node_started(log_ts);
}

void bar_stage::change_rules(const bar_rules& rules) {
  for (auto& set : sets_) close_until(set, {std::numeric_limits<std::int64_t>::max()});
  bar_stage next{rules};
  next.events_ = events_;
  next.output_ = take_output();
  for (auto& set : sets_) {
    auto& heir = next.sets_[next.find_set(set.providers.front())];
    if (heir.name != set.name || heir.providers != set.providers) continue;
    heir.clock.adopt(set.clock);
    heir.accept_from = set.accept_from;
    heir.first_seen = set.first_seen;
  }
  *this = std::move(next);
}

stage_output bar_stage::take_output() { return std::exchange(output_, {}); }

// ---- an event

void bar_stage::add_event(target& where, const event_batch& batch, const event_row& row, std::uint64_t offset, timestamp log_ts) {
  auto& set = sets_[where.set];
  if (row.src_ts < set.accept_from) return reject(errc::late, batch, row, offset, set.accept_from - row.src_ts);
  contribution x{{row.src_ts.ns, where.rank, row.seq, offset}, {}, {}, {}, {}, {}};
  auto trade = [&](std::int64_t at, std::int64_t size) {
    x.open = x.high = x.low = x.close = price{{at}};
    x.volume = quantity{{size}};
  };
  auto symbol = [&] { return (*batch.keys)[row.key].symbol; };
  auto fits = true;
  if (row.kind == event_kind::tick) {
    if (where.trade < 0) where.trade = make_series(where.set, symbol());
    trade(row.values[0], row.values[1]);
    fits = count_in(where.trade, x);
  } else if (row.kind == event_kind::bar) {
    if (where.trade < 0) where.trade = make_series(where.set, symbol());
    x.open.units = row.values[0], x.high.units = row.values[1], x.low.units = row.values[2], x.close.units = row.values[3];
    x.volume.units = row.values[4];
    fits = count_in(where.trade, x);
  } else {
    // A quote makes two series, as if its sides were trades.
    if (where.bid < 0) where.bid = make_series(where.set, symbol() + ".BID"), where.ask = make_series(where.set, symbol() + ".ASK");
    trade(row.values[0], row.values[2]);
    fits = count_in(where.bid, x);
    trade(row.values[1], row.values[3]);
    fits = count_in(where.ask, x) && fits;
  }
  if (!fits) reject(errc::overflow, batch, row, offset, 0);
  ++events_;
  if (row.src_ts < set.first_seen) set.first_seen = row.src_ts;
  if (set.unknown_since != earliest) {
    if (row.src_ts > set.unknown_since) set.holes.push_back({set.unknown_since, row.src_ts});
    set.unknown_since = earliest;
  }
  if (set.clock.advance(where.rank, row.src_ts, log_ts) && row.src_ts >= set.next_boundary)
    follow_watermark(set, set.clock.watermark(log_ts));
  if (open_windows_ > rules_.max_open_windows) enforce_limit(set);
}

bool bar_stage::count_in(std::int32_t index, const contribution& x) {
  auto& open = series_[static_cast<std::uint32_t>(index)].grid.open;
  auto ts = x.order.src_ts;
  if (!open.empty() && ts >= open.back().start && ts < open.back().start + grid_) return open.back().add(x);
  return grid_window(static_cast<std::uint32_t>(index), floor_to({ts}, grid_).ns).add(x);
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

void bar_stage::reject(errc code, const event_batch& batch, const event_row& row, std::uint64_t offset, nanoseconds lateness) {
  output_.rejected.push_back({code, spell_out(batch, row), offset, lateness});
}

// ---- time

void bar_stage::follow_time(timestamp log_ts) {
  for (auto& set : sets_) {
    if (set.clock.newest() == earliest) continue;
    if (set.clock.is_idle(log_ts))
      flush_idle(set, log_ts);
    else if (set.clock.providers() > 1) // with one provider only its own events move the watermark
      follow_watermark(set, set.clock.watermark(log_ts));
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
  std::erase_if(set.holes, [&](auto& h) { return h.to < limit - rules_.intervals.back(); });
}

// All its sources are idle: what is open closes once log time has passed its end by the time-out. Silence is only said as far
// as the source's own time would have come, so that recorded data, whose time is long past, is not declared silent till now.
void bar_stage::flush_idle(set_state& set, timestamp log_ts) {
  auto passed = log_ts - rules_.clock.flush_timeout;
  close_until(set, passed);
  follow_watermark(set, std::min(set.clock.extrapolated(log_ts), passed));
}

// Closes what is open and ends at or before `limit`, in the order of ends, then intervals, then names.
void bar_stage::close_until(set_state& set, timestamp limit) {
  auto longer = std::vector<std::size_t>{};
  for (std::size_t i = 0; i < rules_.intervals.size(); ++i)
    if (static_cast<std::int32_t>(i) != grid_interval_) longer.push_back(i);
  for (;;) {
    auto end = std::numeric_limits<std::int64_t>::max();
    if (!set.grid_open.empty()) end = set.grid_open.begin()->first;
    for (auto i : longer)
      if (!set.longer_open[i].empty()) end = std::min(end, set.longer_open[i].begin()->first);
    if (end > limit.ns || end == std::numeric_limits<std::int64_t>::max()) return;
    if (!set.grid_open.empty() && set.grid_open.begin()->first == end) close_grid(set, end);
    for (auto i : longer)
      if (!set.longer_open[i].empty() && set.longer_open[i].begin()->first == end) close_longer(set, i, end);
    set.accept_from = std::max(set.accept_from, timestamp{end});
  }
}

void bar_stage::close_grid(set_state& set, std::int64_t end) {
  auto indices = in_name_order(std::move(set.grid_open.begin()->second));
  set.grid_open.erase(set.grid_open.begin());
  if (grid_interval_ >= 0) say_silence(set, static_cast<std::size_t>(grid_interval_), {end - grid_});
  for (auto index : indices) {
    auto& open = series_[index].grid.open;
    auto at = std::find_if(open.begin(), open.end(), [&](auto& x) { return x.start == end - grid_; });
    if (at->trades != 0) { // nothing, if its only event did not fit
      merge_up(set, index, *at);
      if (grid_interval_ >= 0) emit(set, series_[index], *at, grid_);
    }
    open.erase(at);
    --open_windows_;
  }
  if (grid_interval_ >= 0) say_end(set, static_cast<std::size_t>(grid_interval_), {end - grid_}, {end}, true);
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
    open.erase(at);
    --open_windows_;
  }
  say_end(set, interval, {end - span}, {end}, true);
}

void bar_stage::enforce_limit(set_state& set) {
  if (set.grid_open.empty()) return;
  close_until(set, {set.grid_open.begin()->first});
}

// ---- what leaves

void bar_stage::emit(const set_state& set, const series& of, const bar_builder& x, nanoseconds interval) {
  if (!x.fits()) {
    market_event lost;
    lost.provider = of.key.provider, lost.symbol = of.key.symbol;
    lost.kind = event_kind::bar, lost.interval = span_to_string(interval), lost.src_ts = {x.start};
    return void(output_.rejected.push_back({errc::overflow, std::move(lost), x.last_offset, 0}));
  }
  bar out;
  out.provider = of.key.provider;
  out.symbol = of.key.symbol;
  out.interval = interval;
  out.start = {x.start};
  out.end = {x.start + interval};
  out.open = x.open, out.high = x.high, out.low = x.low, out.close = x.close;
  out.volume.units = static_cast<std::int64_t>(x.volume);
  out.vwap = volume_weighted_average(x.traded, out.volume);
  out.trades = x.trades;
  out.first_ts = {x.first.src_ts};
  out.last_ts = {x.last.src_ts};
  out.first_offset = x.first_offset;
  out.last_offset = x.last_offset;
  out.schema = rules_.schema;
  out.config_hash = rules_.config_hash;
  judge_coverage(set, out);
  output_.records.emplace_back(std::move(out));
}

// The share of the window that no hole covers. The time before the source was first seen is a hole too.
void bar_stage::judge_coverage(const set_state& set, bar& x) const {
  auto missing = nanoseconds{0};
  auto subtract = [&](timestamp from, timestamp to, bar_flag flag) {
    auto overlap = std::min(to, x.end) - std::max(from, x.start);
    if (to <= x.start || from >= x.end || overlap <= 0) return;
    missing += overlap;
    x.flags |= flag;
  };
  subtract(x.start, set.first_seen, partial_start);
  for (auto& h : set.holes) subtract(h.from, h.to, gap);
  if (set.unknown_since != earliest) subtract(set.unknown_since, x.end, gap);
  auto length = x.end - x.start;
  missing = std::min(missing, length);
  x.coverage.units = static_cast<std::int64_t>(static_cast<int128>(length - missing) * units_per_one / length);
}

void bar_stage::say_silence(set_state& set, std::size_t interval, timestamp until) {
  auto& said = set.said_until[interval];
  if (said == earliest) said = floor_to(set.first_seen, rules_.intervals[interval]);
  if (until > said) say_end(set, interval, said, until, false);
}

void bar_stage::say_end(set_state& set, std::size_t interval, timestamp start, timestamp end, bool had_bars) {
  auto reason = had_bars ? interval_reason::closed : set.clock.is_down() ? interval_reason::feed_down : interval_reason::no_trades;
  output_.records.emplace_back(end_of_interval{set.name, rules_.intervals[interval], start, end, reason});
  set.said_until[interval] = std::max(set.said_until[interval], end);
}

std::vector<std::uint32_t> bar_stage::in_name_order(std::vector<std::uint32_t> indices) {
  std::sort(indices.begin(), indices.end(), [&](auto a, auto b) { return series_[a].key.symbol < series_[b].key.symbol; });
  return indices;
}

} // namespace finstream
