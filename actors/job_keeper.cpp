#include "actors/job_keeper.hpp"

#include "runtime/log/log.hpp"
#include "runtime/store/job_store.hpp"

#include <chrono>
#include <fmt/format.h>

namespace finstream {

namespace {

constexpr auto retry_pause = std::chrono::milliseconds{1000};
constexpr nanoseconds tell_every = 10 * second;
constexpr std::size_t most_unsaved = 10'000; // a log that is full for days costs the oldest

} // namespace

job_keeper_state::interface::behavior_type job_keeper_state::behavior() {
  return {
    [this](const job_run& run) { on_run(run); },
    [this](verb::pulse) {
      trying_again_ = false;
      write();
    },
    [this](verb::stop) { self_->quit(); },
    [this](verb::status) { return status(); },
  };
}

void job_keeper_state::on_run(const job_run& run) {
  auto place = place_of(run);
  if (auto before = running_.find(place); before != running_.end() && before->second.id != run.id) {
    auto& lost = before->second;
    lost.ended = run.started;
    lost.status = job_status::failed;
    lost.detail = "it crashed";
    unsaved_[lost.id] = lost;
  }
  if (run.status == job_status::running)
    running_[place] = run;
  else
    running_.erase(place);
  unsaved_[run.id] = run;
  while (unsaved_.size() > most_unsaved) unsaved_.erase(unsaved_.begin()); // ids begin with the start
  if (!trying_again_) write();
}

// All that is to be written, at once. A log that cannot be written is tried again, and says so by its appenders.
void job_keeper_state::write() {
  transaction tx;
  for (auto& [id, run] : unsaved_) tx.writes.push_back(job_write(run));
  if (tx.writes.empty()) return;
  if (auto written = context_->log->write(std::move(tx)); written) {
    unsaved_.clear();
    ++context_->figures->jobs_written;
  } else if (!trying_again_) {
    trying_again_ = true;
    self_->delayed_send(self_, retry_pause, verb::pulse_v);
  }
}

status_report job_keeper_state::status() const {
  return {"/jobs", fmt::format(R"({{"running":{},"unsaved":{}}})", running_.size(), unsaved_.size())};
}

void job_teller::begin() {
  run_ = begin_job(kind_, place_, context_->time->now(), context_->config_hash);
  runs_ = true;
  tell();
}

void job_teller::go_on(std::uint64_t rows) {
  if (!runs_ || rows == run_.rows) return;
  run_.rows = rows;
  if (context_->time->monotonic() - told_at_ >= tell_every) tell();
}

void job_teller::end(job_status how, const std::string& detail) {
  if (!std::exchange(runs_, false)) return;
  run_.ended = context_->time->now();
  run_.status = how;
  run_.detail = detail;
  tell();
}

// Without a keeper nothing is kept: it is being started again, and the next word has all of this one.
void job_teller::tell() {
  told_at_ = context_->time->monotonic();
  if (auto keeper = context_->where->find_as<job_keeper_actor>("/jobs")) caf::anon_send(keeper, run_);
}

} // namespace finstream
