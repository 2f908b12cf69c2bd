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
  }
}

bar_stage::settlement bar_stage::settled(const std::string& set_name) const {
  for (auto& set : sets_) {
    if (set.name != set_name) continue;
    auto open = !set.grid_open.empty() ||
                std::any_of(set.longer_open.begin(), set.longer_open.end(), [](auto& x) { return !x.empty(); });
    if (set.accept_from == earliest) return {earliest, !open};
    auto revisable = rules_.revise_for == 0 ? set.accept_from : set.accept_from - rules_.revise_for;
    return {std::min(set.accept_from, std::max(revisable, set.revisable_from)), !open};
  }
  return {};
}

} // namespace finstream
