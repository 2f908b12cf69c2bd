#include "actors/logic/work_table.hpp"

#include <algorithm>

namespace finstream {

work_table::work_table(std::string me, int partitions, nanoseconds claim_after)
  : me_{std::move(me)}, partitions_{static_cast<std::uint16_t>(partitions)}, claim_after_{claim_after} {}

void work_table::on_message(const work_message& what, nanoseconds now) {
  others_.erase(what.worker);
  if (what.partitions != partitions_) {
    if (!what.leaves) others_[what.worker] = {what.partitions, now};
    return;
  }
  heard_[what.worker] = now;
  for (auto& worker : what.dead) forget(worker);
  for (auto p : what.gives)
    if (auto at = holder_.find(p); at != holder_.end() && at->second == what.worker) holder_.erase(at);
  for (auto p : what.holds)
    if (p < partitions_) holder_.try_emplace(p, what.worker);
  if (what.leaves) forget(what.worker);
}

void work_table::on_silence(nanoseconds now) {
  for (auto& [worker, last] : heard_) last = now;
}

std::optional<std::string> work_table::contradiction(nanoseconds now) const {
  for (auto& [worker, x] : others_)
    if (now - x.second <= claim_after_)
      return "the process " + worker + " has partitions: " + std::to_string(x.first) + ", this one has " +
             std::to_string(partitions_) + ": all that share a log need the same config";
  return std::nullopt;
}

void work_table::forget(const std::string& worker) {
  heard_.erase(worker);
  std::erase_if(holder_, [&](auto& x) { return x.second == worker; });
}

std::vector<std::string> work_table::dead(nanoseconds now) const {
  std::vector<std::string> out;
  for (auto& [worker, last] : heard_)
    if (worker != me_ && now - last > claim_after_) out.push_back(worker);
  return out;
}

// Those who have most keep one more, where it does not come out even: so nothing moves without need.
std::size_t work_table::share(const std::vector<std::string>& without) const {
  std::map<std::string, std::size_t> held;
  for (auto& [worker, last] : heard_) held[worker] = 0;
  held[me_] = 0;
  for (auto& worker : without) held.erase(worker);
  for (auto& [p, worker] : holder_)
    if (auto at = held.find(worker); at != held.end()) ++at->second;
  auto each = partitions_ / held.size(), more = partitions_ % held.size();
  std::size_t before_me = 0;
  for (auto& [worker, count] : held)
    if (count > held[me_] || (count == held[me_] && worker < me_)) ++before_me;
  return each + (before_me < more ? 1 : 0);
}

std::optional<work_message> work_table::decide(nanoseconds now) const {
  work_message out{.worker = me_, .partitions = partitions_, .dead = dead(now), .gives = {}, .holds = {}};
  auto due = share(out.dead);
  auto have = mine();
  while (have.size() > due) {
    out.gives.push_back(*have.rbegin());
    have.erase(std::prev(have.end()));
  }
  auto is_free = [&](std::uint16_t p) {
    auto at = holder_.find(p);
    return at == holder_.end() || std::find(out.dead.begin(), out.dead.end(), at->second) != out.dead.end();
  };
  auto takes = false;
  for (std::uint16_t p = 0; p < partitions_ && have.size() < due; ++p)
    if (is_free(p)) takes = have.insert(p).second || takes;
  out.holds.assign(have.begin(), have.end());
  auto at = heard_.find(me_);
  auto is_time = at == heard_.end() || now - at->second >= claim_after_ / 4;
  if (!is_time && out.dead.empty() && out.gives.empty() && !takes) return std::nullopt;
  return out;
}

work_message work_table::farewell() const {
  return {.worker = me_, .partitions = partitions_, .dead = {}, .gives = {}, .holds = {}, .leaves = true};
}

std::set<std::uint16_t> work_table::mine() const {
  std::set<std::uint16_t> out;
  for (auto& [p, worker] : holder_)
    if (worker == me_) out.insert(p);
  return out;
}

} // namespace finstream
