// The ingestor's other half: the life of the process, and the requests it makes elsewhere.
#include "actors/ingestor.hpp"
#include "actors/log_entries.hpp"
#include "actors/pacer.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

namespace finstream {

namespace {
constexpr auto pulse_every = std::chrono::milliseconds{100};
constexpr int do_not_restart = 125; // the exit code by which a feed says: starting me again is of no use
} // namespace

void ingestor_state::pulse_later() { self_->delayed_send(self_, pulse_every, verb::pulse_v); }

void ingestor_state::start() {
  ++run_;
  said_eof_ = false;
  kill_reason_.clear();
  bad_lines_ = 0;
  run_events_ = 0;
  job_->begin();
  ungranted_ = 0;
  phase_ = phase::starting;
  started_at_ = context_->time->monotonic();
  auto& limits = context_->config->limits;
  line_parser_options parsing;
  parsing.feed = feed_->name;
  parsing.partitions = static_cast<std::uint32_t>(context_->config->partitions);
  parsing.rounding_mode = feed_->round;
  parsing.max_future = context_->config->windows.max_future_ms * millisecond;
  parsing.max_line_bytes = feed_->max_line_bytes;
  parsing.max_keys = feed_->max_keys;
  parsing.max_dead_letter_bytes = feed_->raw == raw_capture::off ? 0 : limits.dead_letter_bytes;
  parsing.config_hash = context_->config_hash;
  parsing.keep_lines = feed_->raw == raw_capture::all;
  parser_.emplace(parsing);

  child_options options;
  options.command = feed_->command;
  // The feeds that come with FinStream stand beside its own program.
  auto beside = std::filesystem::path{context_->feeds_directory} / options.command.front();
  if (options.command.front().find('/') == std::string::npos && access(beside.c_str(), X_OK) == 0)
    options.command.front() = beside.string();
  options.environment = feed_->environment;
  auto resume = resume_environment();
  if (!resume) return on_start_failed(resume.error());
  for (auto& pair : *resume) options.environment.push_back(std::move(pair));
  for (auto& pair : pacing_environment()) options.environment.push_back(std::move(pair));
  options.chunk_bytes = limits.chunk_bytes;
  options.max_line_bytes = feed_->max_line_bytes;
  // What an earlier process said and the log has yet to take counts still.
  options.initial_credit =
    limits.credit_chunks -
    static_cast<int>(std::count_if(underway_.begin(), underway_.end(), [](auto& x) { return x.second.credit != 0; }));
  auto me = caf::actor_cast<caf::actor>(self_);
  child_events events;
  events.on_lines = [me, run = run_, time = context_->time](std::string lines) {
    caf::anon_send(me, feed_lines{run, time->now(), std::move(lines)});
  };
  events.on_long_line = [me, run = run_](std::string first, std::uint64_t total) {
    caf::anon_send(me, feed_long_line{run, std::move(first), total});
  };
  events.on_error_line = [me, run = run_](std::string line) {
    caf::anon_send(me, feed_error_line{run, std::move(line)});
  };
  events.on_exit = [me, run = run_](child_exit end) {
    caf::anon_send(me, feed_exit{run, end.code, end.signal, end.describe()});
  };
  auto started = start_process_(options, std::move(events));
  if (!started) return on_start_failed(started.error());
  process_ = std::move(*started);
  log::info(path_, "started as process {}", process_->pid());
}

void ingestor_state::on_start_failed(const failure& why) {
  job_->end(job_status::failed, why.message);
  plan_restart(why.message);
}

// A feed that is not told where it stopped would begin again, and say all of it a second time.
expected<std::vector<std::pair<std::string, std::string>>> ingestor_state::resume_environment() {
  std::vector<std::pair<std::string, std::string>> out{{"FINSTREAM_FEED", feed_->name}};
  auto saved = context_->log->get(feeds_table, feed_->name);
  if (!saved) return fail(saved.error().code, "where it is to go on cannot be read: " + saved.error().message);
  if (!*saved) return out;
  auto point = unpack_resume_point(**saved);
  if (!point) return fail(point.error().code, "where it is to go on cannot be read: " + point.error().message);
  out.emplace_back("FINSTREAM_RESUME_TOKEN", point->token);
  out.emplace_back("FINSTREAM_RESUME_SRC_TS", to_string(point->src_ts));
  out.emplace_back("FINSTREAM_RESUME_SEQ", std::to_string(point->seq));
  return out;
}

void ingestor_state::on_exit(const feed_exit& what) {
  if (what.run != run_) return;
  process_.reset();
  if (auto waits = std::exchange(ungranted_, 0); waits != 0) tell_pacer({pace_kind::withdrawn});
  up_->set(0);
  last_end_ = kill_reason_.empty() ? what.description : kill_reason_ + " (" + what.description + ")";
  auto well = phase_ == phase::stopping || (said_eof_ && what.code == 0);
  job_->go_on(run_events_);
  job_->end(well ? job_status::done : job_status::failed, last_end_);
  if (phase_ == phase::stopping) {
    log::info(path_, "ended: {}", last_end_);
    tell_source_change(source_change::down, "stopped");
    return finish_if_drained();
  }
  if (said_eof_ && what.code == 0 && !feed_->restart_after_eof) {
    log::info(path_, "has sent everything");
    phase_ = phase::finished;
    tell_source_change(source_change::down, "eof");
  } else if (what.code == do_not_restart) {
    log::error(path_, "asks not to be started again ({}): parked", last_end_);
    phase_ = phase::parked;
    tell_source_change(source_change::down, last_end_);
    announce(sys_kind::feed_parked, last_end_);
  } else {
    plan_restart(last_end_);
  }
}

void ingestor_state::plan_restart(const std::string& why) {
  auto now = context_->time->monotonic();
  auto pause = backoff_->next(now, now - started_at_);
  last_end_ = why;
  if (!pause) {
    log::error(path_, "has crashed {} times in {} s, the last time with: {}. Parked; mend it and restart it",
               feed_->backoff.crash_limit + 1, feed_->backoff.crash_period_ms / 1000, why);
    phase_ = phase::parked;
    tell_source_change(source_change::down, why);
    announce(sys_kind::feed_parked, why);
    return;
  }
  log::warning(path_, "ended ({}): starting it again in {} ms", why, *pause / millisecond);
  restarts_->add();
  phase_ = phase::waiting;
  start_again_at_ = now + *pause;
  tell_source_change(source_change::restarting, why);
  announce(sys_kind::feed_down, why);
}

void ingestor_state::become_ready() {
  if (phase_ != phase::starting) return;
  phase_ = phase::up;
  up_->set(1);
  announce(sys_kind::feed_up, "");
}

void ingestor_state::on_pulse() {
  pulse_later();
  auto now = context_->time->monotonic();
  if (phase_ == phase::waiting && now >= start_again_at_) start();
  if (process_ && kill_reason_.empty()) {
    if (phase_ == phase::starting && now - started_at_ > feed_->ready_timeout_ms * millisecond &&
        process_->blocked_for() == 0)
      kill_reason_ = why_not_ready();
    if (process_->blocked_for() > feed_->overflow_kill_ms * millisecond) kill_reason_ = "BackpressureOverflow";
    if (!kill_reason_.empty()) {
      log::error(path_, "is killed: {}", kill_reason_);
      announce(sys_kind::feed_killed, kill_reason_);
      process_->kill();
    }
  }
  ask_new_pacer();
  job_->go_on(run_events_);
  for (std::size_t p = 0; p < appenders_.size(); ++p)
    if (appender_lost_[p]) find_successor(static_cast<std::uint16_t>(p));
  if (underway_.empty() && unsaved_resume_) save_resume_point();
}

void ingestor_state::on_stop() {
  phase_ = phase::stopping;
  if (!process_) return finish_if_drained();
  process_->stop(feed_->stop_grace_ms * millisecond);
}

// Everything the process said is in the log.
void ingestor_state::finish_if_drained() {
  if (phase_ != phase::stopping || process_ || !underway_.empty()) return;
  if (unsaved_resume_) return save_resume_point(); // comes back here when it is written
  self_->quit();
}

// ---- the requests it makes elsewhere

std::vector<std::pair<std::string, std::string>> ingestor_state::pacing_environment() const {
  auto provider = provider_named(*context_->config, feed_->paced_by);
  if (provider == nullptr) return {};
  return {{"FINSTREAM_PACE_PROVIDER", provider->name},
          {"FINSTREAM_PACE_REQUESTS_PER_S", fmt::format("{}", provider->pacing.requests_per_s)},
          {"FINSTREAM_PACE_BURST", std::to_string(provider->pacing.burst)}};
}

// Of a chunk, all of one kind are told as one: a feed that prints nothing else must not flood the pacer. A feed may ask
// without knowing whether it is held to anything.
void ingestor_state::on_paces(const std::vector<pace_line>& all) {
  pace_line asked{pace_kind::ask, 0}, made{pace_kind::made, 0}, refused{pace_kind::refused, 0};
  for (auto& x : all) {
    auto& sum = x.kind == pace_kind::ask ? asked : x.kind == pace_kind::made ? made : refused;
    sum.requests += x.requests;
    sum.pause = std::max(sum.pause, x.pause);
  }
  ungranted_ = std::min<std::uint32_t>(ungranted_ + asked.requests, request_pacing::most_waiting);
  if (feed_->paced_by.empty()) {
    if (asked.requests != 0) on_grant(run_, asked.requests);
    return;
  }
  for (auto* x : {&made, &refused, &asked})
    if (x->requests != 0) tell_pacer(*x);
}

void ingestor_state::tell_pacer(const pace_line& what) {
  auto pacer = context_->where->find_as<pacer_actor>(pacer_path(feed_->paced_by));
  if (!pacer) return; // it comes back: ask_new_pacer()
  if (!pacer_) pacer_ = pacer.address();
  if (pacer_ == pacer.address()) self_->send(pacer, verb::pace_v, what, run_, grant_listener{self_});
}

// What a pacer knew is gone with it. So the one that comes after it is asked for what was not granted.
void ingestor_state::ask_new_pacer() {
  if (feed_->paced_by.empty()) return;
  auto pacer = context_->where->find_as<pacer_actor>(pacer_path(feed_->paced_by));
  if (!pacer || pacer.address() == pacer_) return;
  pacer_ = pacer.address();
  if (ungranted_ != 0) tell_pacer({pace_kind::ask, ungranted_});
}

void ingestor_state::on_grant(std::uint64_t run, std::uint32_t requests) {
  if (run != run_ || !process_) return;
  ungranted_ -= std::min(ungranted_, requests);
  if (process_->say(fmt::format(R"({{"type":"grant","requests":{}}})", requests)) || !kill_reason_.empty()) return;
  kill_reason_ = "it does not read the grants it asked for";
  log::error(path_, "is killed: {}", kill_reason_);
  announce(sys_kind::feed_killed, kill_reason_);
  process_->kill();
}

} // namespace finstream
