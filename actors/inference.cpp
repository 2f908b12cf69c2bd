#include "actors/inference.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace finstream {

void inference_state::prepare(node_context* context, std::uint16_t partition) {
  context_ = context;
  partition_ = partition;
  path_ = partition_path(partition, "inference");
}

inference_state::interface::behavior_type inference_state::behavior() {
  evaluation_seconds_ = &context_->metrics->inference_seconds("rules");
  return {
    [this](verb::commit, const stage_result_ptr& result, const commit_listener& from) { on_result(result, from); },
    [this](verb::stop) { self_->quit(); },
    [this](verb::status) { return status(); },
  };
}

void inference_state::on_result(const stage_result_ptr& result, const commit_listener& from) {
  if (result->begin_with)
    if (auto loaded = stage_.load(result->begin_with->inference); !loaded)
      throw std::runtime_error("the state to begin with: " + loaded.error().message);
  for (auto& step : result->steps) apply(step);
  if (result->snapshot) result->snapshot->inference = stage_.save();
  auto next = context_->where->find_as<result_taker>(partition_path(partition_, "appender"));
  if (!next) return; // it has crashed: this actor and the window are about to be started again
  self_->send(next, verb::commit_v, result, from);
}

void inference_state::apply(stage_step& step) {
  auto began = context_->time->monotonic();
  if (auto added = stage_.apply(step); !added) throw std::runtime_error(added.error().message);
  made_ += step.signals.size();
  if (!step.features.empty())
    evaluation_seconds_->observe(static_cast<double>(context_->time->monotonic() - began) / 1e9);
}

status_report inference_state::status() const { return {path_, fmt::format(R"({{"signals":{}}})", made_)}; }

} // namespace finstream
