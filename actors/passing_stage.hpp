// FEATURES and INFERENCE: the stages behind the window, bars -> features -> signals, of one partition. Each adds to a
// result what its stage makes of it and, to a snapshot, its own state, and hands it on; the last one to the appender,
// which writes it. A stage reads nothing and waits for nothing: what it knows it was handed, and a window that is
// started again tells it where to begin.
#pragma once

#include "actors/context.hpp"
#include "actors/stages.hpp"
#include "messages/protocols.hpp"

namespace finstream {

// Where in the line a stage stands, and what there is its own.
struct features_place {
  using stage = features_stage;
  using interface = features_actor;
  static constexpr const char* name = "features";
  static constexpr auto place = line_stage::features;
  static constexpr const char* next = "inference";
  static std::string& state(stage_states& x) { return x.features; }
  static const std::vector<derived>& takes(const stage_step& x) { return x.bars; }
  static const std::vector<derived>& makes(const stage_step& x) { return x.features; }
  static metrics::histogram& seconds(node_metrics& x) { return x.features_update_seconds(); }
};

struct inference_place {
  using stage = inference_stage;
  using interface = inference_actor;
  static constexpr const char* name = "inference";
  static constexpr auto place = line_stage::inference;
  static constexpr const char* next = "appender";
  static std::string& state(stage_states& x) { return x.inference; }
  static const std::vector<derived>& takes(const stage_step& x) { return x.features; }
  static const std::vector<derived>& makes(const stage_step& x) { return x.signals; }
  static metrics::histogram& seconds(node_metrics& x) { return x.inference_seconds("rules"); }
};

template <class Place> struct passing_stage_state {
  using interface = typename Place::interface;
  static constexpr const char* name = Place::name;

  explicit passing_stage_state(actor_of<passing_stage_state>* self) : self_{self} {}
  void prepare(node_context* context, std::uint16_t partition);
  typename interface::behavior_type behavior();

private:
  void on_result(const stage_result_ptr& result, const commit_listener& from);
  void apply(stage_step& step);
  status_report status() const;

  actor_of<passing_stage_state>* self_;
  node_context* context_ = nullptr;
  std::uint16_t partition_ = 0;
  typename Place::stage stage_;
  std::uint64_t made_ = 0; // vectors, or signals, since the start
  metrics::histogram* seconds_ = nullptr;
};

using features_state = passing_stage_state<features_place>;
using inference_state = passing_stage_state<inference_place>;
extern template struct passing_stage_state<features_place>;
extern template struct passing_stage_state<inference_place>;

} // namespace finstream
