#include "actors/logic/event_memory.hpp"

#include <algorithm>

namespace finstream {

namespace {
constexpr std::uint64_t full_generations = 4;
// An event this close to a run's end is put in its place there; one further back begins a run of its own, so that an
// old stretch that is sent again costs no long moves.
constexpr std::ptrdiff_t nearby = 4096;
constexpr std::size_t most_runs = 32;
} // namespace

event_memory::event_memory(std::uint64_t horizon_events)
  : generation_events_{std::max<std::uint64_t>(1, (horizon_events + full_generations - 1) / full_generations)} {
  touched_.push_back({0, {}});
}

void event_memory::insert(const event_batch& batch, std::vector<std::uint32_t>& duplicates) {
  duplicates.clear();
  auto& index = translate(batch);
  for (std::uint32_t i = 0; i < batch.rows.size(); ++i) {
    auto& row = batch.rows[i];
    if (!insert(index[row.key], {row.src_ts.ns, row.seq})) duplicates.push_back(i);
  }
}

void event_memory::remember(const event_batch& batch) {
  auto& index = translate(batch);
  for (auto& row : batch.rows) {
    add(index[row.key], {row.src_ts.ns, row.seq});
    count_one();
  }
}

const std::vector<std::uint32_t>& event_memory::translate(const event_batch& batch) {
  return index_.translate(batch, [this](const series_key&) {
    series_.emplace_back();
    return static_cast<std::uint32_t>(series_.size() - 1);
  });
}

bool event_memory::insert(std::uint32_t index, identity what) {
  auto& mine = series_[index];
  // The usual case: newer than everything in the newest run, and there is no other run that could hold it.
  if (mine.runs.size() == 1 && mine.runs[0].generation == generation_ && mine.runs[0].sorted.back() < what) {
    mine.runs[0].sorted.push_back(what);
  } else {
    if (known(mine, what)) return false;
    add(index, what);
  }
  count_one();
  return true;
}

void event_memory::count_one() {
  ++size_;
  if (++in_generation_ == generation_events_) next_generation();
}

bool event_memory::known(const series& in, identity what) const {
  return std::any_of(in.runs.rbegin(), in.runs.rend(), [&](const run& r) {
    return r.sorted.back() >= what && std::binary_search(r.sorted.begin(), r.sorted.end(), what);
  });
}

void event_memory::add(std::uint32_t index, identity what) {
  auto& mine = series_[index];
  if (mine.touched != generation_ + 1) {
    mine.touched = generation_ + 1;
    touched_.back().second.push_back(index);
  }
  run* shortest = nullptr;
  std::size_t growing = 0;
  for (auto r = mine.runs.rbegin(); r != mine.runs.rend() && r->generation == generation_; ++r, ++growing) {
    if (r->sorted.back() < what) return void(r->sorted.push_back(what));
    auto at = std::lower_bound(r->sorted.begin(), r->sorted.end(), what);
    if (r->sorted.end() - at <= nearby) return void(r->sorted.insert(at, what));
    if (shortest == nullptr || r->sorted.size() < shortest->sorted.size()) shortest = &*r;
  }
  if (growing < most_runs) return void(mine.runs.push_back({generation_, {what}}));
  shortest->sorted.insert(std::lower_bound(shortest->sorted.begin(), shortest->sorted.end(), what), what);
}

void event_memory::next_generation() {
  in_generation_ = 0;
  touched_.push_back({++generation_, {}});
  if (touched_.size() <= full_generations + 1) return;
  auto [gone, indices] = std::move(touched_.front());
  touched_.erase(touched_.begin());
  for (auto index : indices)
    std::erase_if(series_[index].runs, [&, g = gone](const run& r) {
      if (r.generation != g) return false;
      size_ -= r.sorted.size();
      return true;
    });
}

} // namespace finstream
