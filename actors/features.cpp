#include "actors/features.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace finstream {

void features_state::prepare(node_context* context, std::uint16_t partition) {
  context_ = context;
  partition_ = partition;
  path_ = partition_path(partition, "features");
}

features_state::interface::behavior_type features_state::behavior() {
  update_seconds_ = &context_->metrics->features_update_seconds();
  return {
    [this](verb::commit, const stage_result_ptr& result, const commit_listener& from) { on_result(result, from); },
    [this](verb::stop) { self_->quit(); },
    [this](verb::status) { return status(); },
  };
}

void features_state::on_result(const stage_result_ptr& result, const commit_listener& from) {
  if (result->begin_with)
    if (auto loaded = stage_.load(result->begin_with->features); !loaded)
      throw std::runtime_error("the state to begin with: " + loaded.error().message);
  for (auto& step : result->steps) apply(step);
  if (result->snapshot) result->snapshot->features = stage_.save();
  auto next = context_->where->find_as<result_taker>(partition_path(partition_, "inference"));
  if (!next) return; // it has crashed: this actor and the window are about to be started again
  self_->send(next, verb::commit_v, result, from);
}

void features_state::apply(stage_step& step) {
  auto began = context_->time->monotonic();
  if (auto added = stage_.apply(step); !added) throw std::runtime_error(added.error().message);
  made_ += step.features.size();
  if (!step.bars.empty()) update_seconds_->observe(static_cast<double>(context_->time->monotonic() - began) / 1e9);
}

status_report features_state::status() const {
  return {path_, fmt::format(R"({{"vectors":{},"series":{}}})", made_, stage_.series_count())};
}

} // namespace finstream
