// SUPERVISOR: starts children in order from their specs, starts them again when they crash, stops them in reverse
// order. The meaning is OTP's: strategies one_for_one, rest_for_one and one_for_all; restart permanent, transient or
// temporary; more restarts than `intensity` within `period` are passed on to the parent as a crash of this supervisor.
#pragma once

#include "actors/context.hpp"
#include "actors/logic/child_spec.hpp"
#include "actors/logic/restart_policy.hpp"
#include "messages/protocols.hpp"

#include <functional>
#include <optional>
#include <vector>

namespace finstream {

// Spawns the child under this path and gives its handle.
using child_factory = std::function<caf::actor(caf::actor_system&, const std::string& path)>;

struct supervised_child {
  child_spec spec;
  child_factory start;
};

struct supervisor_plan {
  strategy on_crash = strategy::one_for_one;
  int max_restarts = 10;
  nanoseconds period = 10 * second;
  bool independent = false;               // children do not need each other: they are told to finish together
  std::vector<supervised_child> children; // ids differ
};

struct supervisor_state {
  using interface = supervisor_actor;
  static constexpr const char* name = "supervisor";

  explicit supervisor_state(actor_of<supervisor_state>* self) : self_{self} {}
  ~supervisor_state(); // children do not outlive it
  void prepare(node_context* context, std::string path, supervisor_plan plan);
  interface::behavior_type behavior();

private:
  struct running {
    caf::actor handle;
    std::uint64_t starts = 0;
    nanoseconds stop_by = 0; // monotonic; when its patience ends
    bool stopping = false;
    std::string last_reason;
  };

  void start_all();
  void start(std::size_t index);
  void on_down(const caf::down_msg& down);
  void on_crash(std::size_t index, const std::string& reason);
  void restart_from(std::size_t first, std::size_t last);
  void stop_next();
  void tell_to_finish(std::size_t index);
  bool restart_by_hand(const std::string& path);
  void on_pulse();
  std::string child_path(std::size_t index) const;
  status_report status() const;

  actor_of<supervisor_state>* self_;
  node_context* context_ = nullptr;
  std::string path_;
  supervisor_plan plan_;
  std::vector<running> children_;
  std::optional<restart_intensity> intensity_;
  bool stopping_ = false;
  bool looking_after_stops_ = false;          // a pulse is under way
  std::vector<caf::actor_addr> predecessors_; // children of an earlier life of this path that have yet to end
  std::vector<std::size_t> to_start_;         // children to start again once the ones being stopped are gone
};

// Spawns a supervisor under `path`, with its children under it.
caf::actor spawn_supervisor(caf::actor_system& system, node_context* context, const std::string& path,
                            supervisor_plan plan);

} // namespace finstream
