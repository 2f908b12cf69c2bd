// Late events: what is kept of closed windows, and how they are revised.
#include "actors/logic/bar_stage.hpp"

#include <algorithm>
#include <tuple>

namespace finstream {

bool bar_stage::is_revisable(const set_state& set, timestamp ts) const {
  return rules_.revise_for > 0 && ts >= set.accept_from - rules_.revise_for && ts >= set.revisable_from;
}

bar_stage::window_list& bar_stage::windows_at(window_place where) {
  auto& s = series_[where.series];
  return static_cast<std::int32_t>(where.interval) == grid_interval_ ? s.grid : s.longer[where.interval];
}

void bar_stage::keep(set_state& set, window_place where, const bar_builder& x) {
  if (rules_.revise_for == 0) return;
  auto& closed = windows_at(where).closed;
  auto at = std::lower_bound(closed.begin(), closed.end(), x.start,
                             [](auto& window, auto start) { return window.content.start < start; });
  closed.insert(at, {x, 0});
  set.closed_ends[x.start + rules_.intervals[where.interval]].push_back(where);
}

// A window is kept while a late event may belong to it. What the record at hand has revised is said before it goes.
void bar_stage::forget_closed(set_state& set) {
  auto old = [&](const auto& ends) { return timestamp{ends.first} <= set.accept_from - rules_.revise_for; };
  if (set.closed_ends.empty() || !old(*set.closed_ends.begin())) return;
  publish_revisions();
  while (!set.closed_ends.empty() && old(*set.closed_ends.begin())) {
    auto first = set.closed_ends.begin();
    for (auto where : first->second) {
      auto start = first->first - rules_.intervals[where.interval];
      std::erase_if(windows_at(where).closed, [&](auto& window) { return window.content.start == start; });
    }
    set.closed_ends.erase(first);
  }
}

// Whether no sum would overflow. Every longer bar holds at least what a shorter one holds, so the longest has the least
// room.
bool bar_stage::can_revise(std::int32_t index, const contribution& x) {
  auto longest = static_cast<std::uint32_t>(rules_.intervals.size() - 1);
  auto start = floor_to({x.order.src_ts}, rules_.intervals[longest]).ns;
  auto& windows = windows_at({static_cast<std::uint32_t>(index), longest});
  for (auto& window : windows.open)
    if (window.start == start && !window.has_room_for(x)) return false;
  for (auto& window : windows.closed)
    if (window.content.start == start && !window.content.has_room_for(x)) return false;
  return true;
}

void bar_stage::revise(std::int32_t index, const contribution& x) {
  for (std::uint32_t i = 0; i < rules_.intervals.size(); ++i) revise({static_cast<std::uint32_t>(index), i}, x);
}

// The window may be open still, if it is a longer one; it may be closed; or there was no event in it as yet.
void bar_stage::revise(window_place where, const contribution& x) {
  auto& set = sets_[series_[where.series].set];
  auto span = rules_.intervals[where.interval];
  auto start = floor_to({x.order.src_ts}, span).ns;
  auto& windows = windows_at(where);
  if (timestamp{start + span} > set.accept_from) {
    auto at =
      std::lower_bound(windows.open.begin(), windows.open.end(), start, [](auto& w, auto s) { return w.start < s; });
    if (at == windows.open.end() || at->start != start) {
      at = windows.open.insert(at, bar_builder{});
      at->start = start;
      set.longer_open[where.interval][start + span].push_back(where.series);
      ++open_windows_;
    }
    if (!at->add(x)) at->overflowed = true;
    return;
  }
  auto at = std::lower_bound(windows.closed.begin(), windows.closed.end(), start,
                             [](auto& w, auto s) { return w.content.start < s; });
  if (at == windows.closed.end() || at->content.start != start) {
    at = windows.closed.insert(at, closed_window{});
    at->content.start = start;
    set.closed_ends[start + span].push_back(where);
  }
  if (!at->content.add(x)) at->content.overflowed = true;
  revised_.push_back({start, where});
}

// In the order of ends, then intervals, then names: as bars are published when they close. That there was no bar counts
// as a first revision: a window that has its first event now was said to be silent.
void bar_stage::publish_revisions() {
  if (revised_.empty()) return;
  auto order = [&](const revised_window& x) {
    auto span = rules_.intervals[x.where.interval];
    auto& key = series_[x.where.series].key;
    return std::tuple<std::int64_t, nanoseconds, const std::string&, const std::string&>{x.start + span, span,
                                                                                         key.provider, key.symbol};
  };
  std::sort(revised_.begin(), revised_.end(), [&](auto& a, auto& b) { return order(a) < order(b); });
  auto same = [&](auto& a, auto& b) { return order(a) == order(b); };
  revised_.erase(std::unique(revised_.begin(), revised_.end(), same), revised_.end());
  for (auto& x : revised_) {
    auto& of = series_[x.where.series];
    for (auto& window : windows_at(x.where).closed)
      if (window.content.start == x.start)
        emit(sets_[of.set], of, window.content, rules_.intervals[x.where.interval], ++window.revision);
  }
  revised_.clear();
}

} // namespace finstream
