// What leaves the bars stage: bars, how much of their window was seen, and what is said of intervals without any.
#include "actors/logic/bar_stage.hpp"

#include <algorithm>
#include <limits>

namespace finstream {

namespace {
constexpr timestamp never{std::numeric_limits<std::int64_t>::max()};
// Of one source within the longest interval. Beyond it the two oldest are taken for one, with what lies between them.
constexpr std::size_t most_holes = 1000;
} // namespace

void bar_stage::emit(set_state& set, const series& of, const bar_builder& x, nanoseconds interval,
                     std::uint32_t revision) {
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
  out.traded = x.traded;
  out.trades = x.trades;
  out.first_ts = {x.first.src_ts};
  out.last_ts = {x.last.src_ts};
  out.first_offset = x.first_offset;
  out.last_offset = x.last_offset;
  out.schema = rules_.schema;
  out.config_hash = rules_.config_hash;
  if (revision != 0) out.revision = revision, out.state = bar_state::revised, out.reason = "late events";
  judge_coverage(set, out);
  if (!withhold(set, out)) output_.records.emplace_back(std::move(out));
}

// The share of the window that no hole covers. The time before the source was first seen is a hole too.
void bar_stage::judge_coverage(const set_state& set, bar& x) const {
  auto missing = nanoseconds{0};
  auto counted_to = x.start; // what lies before is counted already
  auto subtract = [&](timestamp from, timestamp to, bar_flag flag) {
    if (std::max(from, x.start) >= std::min(to, x.end)) return;
    x.flags |= flag;
    from = std::max(from, counted_to), to = std::min(to, x.end);
    if (from < to) missing += to - from, counted_to = to;
  };
  subtract(x.start, set.first_seen, partial_start);
  for (auto& h : set.holes)
    if (set.unknown_since == earliest || h.from < set.unknown_since) subtract(h.from, h.to, gap);
  if (set.unknown_since != earliest) subtract(set.unknown_since, x.end, gap);
  auto length = x.end - x.start;
  x.coverage.units = static_cast<std::int64_t>(static_cast<int128>(length - missing) * units_per_one / length);
}

// What the source sends from here on is not known, till it is heard again.
void bar_stage::lose_sight(set_state& set) {
  if (set.unknown_since == earliest) set.unknown_since = set.clock.newest();
}

void bar_stage::see_again(set_state& set, timestamp from) {
  if (set.unknown_since != earliest) note_hole(set, set.unknown_since, from);
  set.unknown_since = earliest;
}

void bar_stage::note_hole(set_state& set, timestamp from, timestamp to) {
  if (from >= to) return;
  auto first = std::lower_bound(set.holes.begin(), set.holes.end(), from, [](auto& h, auto t) { return h.to < t; });
  auto last = first;
  for (; last != set.holes.end() && last->from <= to; ++last)
    from = std::min(from, last->from), to = std::max(to, last->to);
  set.holes.insert(set.holes.erase(first, last), {from, to});
  if (set.holes.size() <= most_holes) return;
  set.holes[1].from = set.holes[0].from;
  set.holes.erase(set.holes.begin());
}

// An interval without bars that a hole touches was one in which the source was not there.
void bar_stage::say_silence(set_state& set, std::size_t interval, timestamp until) {
  auto span = rules_.intervals[interval];
  auto& said = set.said_until[interval];
  if (said == earliest) said = floor_to(set.first_seen, span);
  if (until <= said) return;
  auto whole = [&](timestamp t) { return t >= until ? until : std::min(until, floor_to(t + (span - 1), span)); };
  auto silent = [&](timestamp to) {
    if (to > said) say_end(set, interval, said, to, interval_reason::no_trades);
  };
  auto missed = [&](timestamp from, timestamp to) {
    if (to <= said || from >= until || said >= until) return;
    silent(floor_to(from, span));
    say_end(set, interval, said, whole(to), interval_reason::feed_down);
  };
  for (auto& h : set.holes)
    if (set.unknown_since == earliest || h.from < set.unknown_since) missed(h.from, h.to);
  if (set.unknown_since != earliest) missed(set.unknown_since, never);
  silent(until);
}

void bar_stage::say_end(set_state& set, std::size_t interval, timestamp start, timestamp end, interval_reason reason) {
  output_.records.emplace_back(end_of_interval{set.name, rules_.intervals[interval], start, end, reason});
  set.said_until[interval] = std::max(set.said_until[interval], end);
}

std::vector<std::uint32_t> bar_stage::in_name_order(std::vector<std::uint32_t> indices) {
  std::sort(indices.begin(), indices.end(),
            [&](auto a, auto b) { return series_[a].key.symbol < series_[b].key.symbol; });
  return indices;
}

} // namespace finstream
