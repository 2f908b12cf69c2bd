// FEATURES: bars -> features, of one partition. It adds to each result of the window the features of its bars and, to a
// snapshot, its own state, and hands it on to inference. It reads nothing and waits for nothing: what it knows it was
// handed, and a window that is started again tells it where to begin.
#pragma once

#include "actors/context.hpp"
#include "actors/stages.hpp"
#include "messages/protocols.hpp"

namespace finstream {

struct features_state {
  using interface = features_actor;
  static constexpr const char* name = "features";

  explicit features_state(actor_of<features_state>* self) : self_{self} {}
  void prepare(node_context* context, std::uint16_t partition);
  interface::behavior_type behavior();

private:
  void on_result(const stage_result_ptr& result, const commit_listener& from);
  void apply(stage_step& step);
  status_report status() const;

  actor_of<features_state>* self_;
  node_context* context_ = nullptr;
  std::uint16_t partition_ = 0;
  std::string path_;
  features_stage stage_;
  std::uint64_t made_ = 0; // vectors since the start
  metrics::histogram* update_seconds_ = nullptr;
};

} // namespace finstream
