// What the bars stage and the backfill lane have to do with each other: whose windows are whose.
#include "actors/logic/bar_stage.hpp"

#include <algorithm>
#include <map>

namespace finstream {

void bar_stage::on_backfill(const event_batch& batch) {
  std::map<std::uint32_t, timestamp> newest; // by set
  for (auto& row : batch.rows) {
    auto& last = newest.try_emplace(find_set((*batch.keys)[row.key].provider), earliest).first->second;
    last = std::max(last, row.src_ts);
  }
  for (auto& [index, last] : newest) {
    auto& set = sets_[index];
    if (set.clock.newest() != earliest) continue;
    set.accept_from = set.revisable_from = std::max(set.accept_from, floor_to(last, grid_) + grid_);
    forget_taken(set);
  }
}

const bar_stage::set_state* bar_stage::find_set_named(const std::string& name) const {
  auto at = std::find_if(sets_.begin(), sets_.end(), [&](auto& set) { return set.name == name; });
  return at == sets_.end() ? nullptr : &*at;
}

bool bar_stage::knows(const std::string& set_name) const { return find_set_named(set_name) != nullptr; }

bar_stage::settlement bar_stage::settled(const std::string& set_name) const {
  auto* set = find_set_named(set_name);
  return set == nullptr ? settlement{earliest, earliest, false} : settled(*set);
}

bar_stage::settlement bar_stage::settled(const set_state& set) const {
  auto open = !set.grid_open.empty() ||
              std::any_of(set.longer_open.begin(), set.longer_open.end(), [](auto& x) { return !x.empty(); });
  if (set.accept_from == earliest) return {earliest, earliest, !open};
  auto revisable = rules_.revise_for == 0 ? set.accept_from : set.accept_from - rules_.revise_for;
  return {std::min(set.accept_from, std::max(revisable, set.revisable_from)), set.accept_from, !open};
}

// ---- windows that are taken over: of a source at rest, which may never go on. Had both a say in one, there would be
// two bars of one revision.

void bar_stage::on_taken_over(const taken_windows& what) {
  for (auto& window : what.windows) {
    auto* found = find_set_named(window.provider);
    if (found == nullptr) continue;
    auto now = settled(*found);
    if (now.at_rest && window.end() > now.until)
      sets_[set_of_provider_.at(found->providers.front())].taken.try_emplace(window);
  }
}

const bar_stage::withheld_bars* bar_stage::withheld(const window_name& x) const {
  auto* set = find_set_named(x.provider);
  if (set == nullptr) return nullptr;
  auto at = set->taken.find(x);
  return at == set->taken.end() ? nullptr : &at->second;
}

bool bar_stage::withhold(set_state& set, const bar& x) {
  if (set.taken.empty()) return false;
  auto at = set.taken.find({x.start, x.interval, x.provider, x.symbol});
  if (at == set.taken.end()) return false;
  at->second = {at->second.count + 1, x.flags, x.coverage};
  return true;
}

void bar_stage::forget_taken(set_state& set) const {
  if (set.taken.empty()) return;
  auto until = settled(set).until;
  for (auto at = set.taken.begin(); at != set.taken.end() && at->first.start < until;)
    at = at->first.end() <= until ? set.taken.erase(at) : std::next(at);
}

} // namespace finstream
