// INFERENCE: features -> signals, of one partition. It adds to each result the signals that the rules make of its
// features and, to a snapshot, its own state, and hands it on to the appender to be written.
#pragma once

#include "actors/context.hpp"
#include "actors/stages.hpp"
#include "messages/protocols.hpp"

namespace finstream {

struct inference_state {
  using interface = inference_actor;
  static constexpr const char* name = "inference";

  explicit inference_state(actor_of<inference_state>* self) : self_{self} {}
  void prepare(node_context* context, std::uint16_t partition);
  interface::behavior_type behavior();

private:
  void on_result(const stage_result_ptr& result, const commit_listener& from);
  void apply(stage_step& step);
  status_report status() const;

  actor_of<inference_state>* self_;
  node_context* context_ = nullptr;
  std::uint16_t partition_ = 0;
  std::string path_;
  inference_stage stage_;
  std::uint64_t made_ = 0; // signals since the start
  metrics::histogram* evaluation_seconds_ = nullptr;
};

} // namespace finstream
