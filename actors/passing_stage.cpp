#include "actors/passing_stage.hpp"

#include "messages/planted.hpp"

#include <fmt/format.h>
#include <stdexcept>

namespace finstream {

template <class Place> void passing_stage_state<Place>::prepare(node_context* context, std::uint16_t partition) {
  context_ = context;
  partition_ = partition;
}

template <class Place> auto passing_stage_state<Place>::behavior() -> typename interface::behavior_type {
  seconds_ = &Place::seconds(*context_->metrics);
  return {
    [this](verb::commit, const stage_result_ptr& result, const commit_listener& from) { on_result(result, from); },
    [this](verb::stop) { self_->quit(); },
    [this](verb::status) { return status(); },
  };
}

template <class Place>
void passing_stage_state<Place>::on_result(const stage_result_ptr& result, const commit_listener& from) {
  if (result->begin_with && !planted(fault::stage_begins_empty))
    if (auto loaded = stage_.load(Place::state(*result->begin_with)); !loaded)
      throw std::runtime_error("the state to begin with: " + loaded.error().message);
  for (auto& step : result->steps) apply(step);
  if (result->snapshot) Place::state(*result->snapshot) = stage_.save();
  auto next = context_->where->find_as<result_taker>(partition_path(partition_, Place::next));
  if (!next) return; // it has crashed: this actor and the window are about to be started again
  self_->send(next, verb::commit_v, result, from);
}

template <class Place> void passing_stage_state<Place>::apply(stage_step& step) {
  auto began = context_->time->monotonic();
  context_->figures->crashes.watch(partition_, step.cause, Place::place, context_->time->now(), [&] {
    if (auto added = stage_.apply(step); !added) throw std::runtime_error(added.error().message);
  });
  made_ += Place::makes(step).size();
  if (!Place::takes(step).empty()) seconds_->observe(static_cast<double>(context_->time->monotonic() - began) / 1e9);
}

template <class Place> status_report passing_stage_state<Place>::status() const {
  return {partition_path(partition_, Place::name), fmt::format(R"({{"made":{}}})", made_)};
}

template struct passing_stage_state<features_place>;
template struct passing_stage_state<inference_place>;

} // namespace finstream
