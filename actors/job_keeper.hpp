// JOB KEEPER: what ran when, and how it ended, in table "job_runs" of the log. Whoever runs something tells it; what
// crashed can tell nothing, so the next run of the same place ends the one before.
#pragma once

#include "actors/context.hpp"
#include "messages/protocols.hpp"

#include <map>
#include <string>

namespace finstream {

struct job_keeper_state {
  using interface = job_keeper_actor;
  static constexpr const char* name = "job_keeper";

  explicit job_keeper_state(actor_of<job_keeper_state>* self) : self_{self} {}
  void prepare(node_context* context) { context_ = context; }
  interface::behavior_type behavior();

private:
  void on_run(const job_run& run);
  void write();
  status_report status() const;

  actor_of<job_keeper_state>* self_;
  node_context* context_ = nullptr;
  std::map<std::string, job_run> running_; // by place
  std::map<std::string, job_run> unsaved_; // by id
  bool trying_again_ = false;
};

// One run after the other of the same place, told to the keeper as they go.
class job_teller {
public:
  job_teller(node_context* context, job_kind kind, std::string place)
    : context_{context}, kind_{kind}, place_{std::move(place)} {}

  void begin();
  void go_on(std::uint64_t rows); // says so every ten seconds at most
  void end(job_status how, const std::string& detail);

private:
  void tell();

  node_context* context_;
  job_kind kind_;
  std::string place_;
  job_run run_;
  nanoseconds told_at_ = 0;
  bool runs_ = false;
};

} // namespace finstream
