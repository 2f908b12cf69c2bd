#include "actors/window.hpp"

#include "actors/log_bases.hpp"
#include "messages/planted.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <chrono>

namespace finstream {

namespace {
constexpr std::size_t catch_up_read_bytes = 1u << 20; // of the log at a time while behind
} // namespace

window_state::~window_state() {
  if (caught_up_) --context_->figures->partitions_caught_up;
}

void window_state::prepare(node_context* context, std::uint16_t partition) {
  context_ = context;
  partition_ = partition;
  path_ = partition_path(partition, "window");
}

window_state::interface::behavior_type window_state::behavior() {
  recover();
  job_.emplace(context_, job_kind::micro_batch, path_);
  job_->begin();
  see_whether_caught_up(); // if so, nobody answers before there is something new
  self_->delayed_send(self_, std::chrono::milliseconds{context_->config->checkpoint.interval_ms}, verb::pulse_v);
  set_poison_aside();
  pull();
  return {
    [this](verb::pulse) { on_pulse(); },
    [this](const fresh_entries& fresh) { on_entries(fresh); },
    [this](verb::committed, std::uint64_t dealt_with) { on_committed(dealt_with); },
    [this](verb::set_aside, const std::string&, bool done) { on_set_aside(done); },
    [this](verb::stop) { on_stop(); },
    [this](verb::status) { return status(); },
  };
}

void window_state::recover() {
  lag_seconds_ = &context_->metrics->pipeline_lag_seconds();
  latency_ms_ = &context_->metrics->window_latency_ms();
  open_windows_ = &context_->metrics->open_windows(partition_);
  consumer_lag_ms_ = &context_->metrics->consumer_lag_ms(partition_);
  auto aside = set_aside_records::load(*context_->log, partition_);
  if (!aside) throw std::runtime_error("what was set aside: " + aside.error().message);
  aside_ = std::move(*aside);
  auto range = context_->log->range(topic::events, partition_);
  if (range) next_ = range->head;
  auto states = load_snapshot();
  if (!states && next_ != 0) {
    auto base = load_base(*context_->log, partition_, next_);
    if (!base) throw std::runtime_error("the log cannot be gone over: " + base.error().message);
    states = std::move(base->second);
    if (auto loaded = stage_.load(states->window); !loaded)
      throw std::runtime_error("the log cannot be gone over: " + loaded.error().message);
  }
  result_.begin_with = states.value_or(stage_states{});
}

// Nothing if there is none of use. The log is the truth: without a snapshot it is only a longer way.
std::optional<stage_states> window_state::load_snapshot() {
  auto saved = context_->log->get(stage_table, snapshot_key(partition_));
  auto useless = [&](const std::string& why) {
    log::warning(path_, "the checkpoint cannot be used ({}): going over the whole log", why);
    return std::nullopt;
  };
  if (!saved) return useless(saved.error().message);
  if (!*saved) return std::nullopt;
  auto [offset, states] = unpack_snapshot(**saved);
  if (pack_snapshot(offset, states) != **saved) return useless("its bytes are not what was written");
  if (states.window.empty()) return std::nullopt;
  if (auto loaded = partition_stages{}.load(states); !loaded) return useless(loaded.error().message);
  ensure(stage_.load(states.window).has_value(), "a state that could be loaded can be loaded again");
  next_ = snapshot_at_ = offset;
  return states;
}

void window_state::set_poison_aside() {
  auto& config = *context_->config;
  auto poison = context_->figures->crashes.at_least(partition_, config.supervisor.poison_after);
  if (!poison) return;
  auto request =
    poison_letter(*context_->log, partition_, *poison, config.limits.dead_letter_bytes, context_->config_hash);
  if (!request && (request.error().code == errc::not_found || request.error().code == errc::trimmed))
    return context_->figures->crashes.forget(partition_); // the partition was another process's in between
  if (!request) throw std::runtime_error("the record to set aside: " + request.error().message);
  setting_aside_ = std::make_shared<const set_aside_request>(std::move(*request));
  send_set_aside();
}

// Who is asked may be in another process, or may have crashed: so it is asked again at every pulse.
void window_state::send_set_aside() {
  if (auto setter = find_aside_setter(*context_, partition_))
    self_->send(setter, verb::set_aside_v, setting_aside_, set_aside_listener{self_});
}

// If it was refused, it will crash its stage again, until the supervisor has had enough.
void window_state::on_set_aside(bool done) {
  if (!setting_aside_) return; // an answer to what was asked twice
  if (done) context_->figures->crashes.forget(partition_);
  auto aside = set_aside_records::load(*context_->log, partition_);
  if (!aside) throw std::runtime_error("what was set aside: " + aside.error().message);
  aside_ = std::move(*aside);
  setting_aside_ = nullptr;
  if (stopping_) return hand_in();
  pull();
}

void window_state::pull() {
  if (pulling_ || underway_ || setting_aside_ || stopping_) return;
  auto appender = context_->where->find_as<appender_actor>(partition_path(partition_, "appender"));
  if (!appender) return; // its supervisor starts this actor again after it
  pulling_ = true;
  self_->send(appender, verb::pull_v, next_, entry_reader{self_});
}

void window_state::on_entries(const fresh_entries& fresh) {
  pulling_ = false;
  if (stopping_) return;
  if (fresh.behind) {
    read_from_log();
  } else {
    for (auto& entry : fresh.entries)
      if (entry->offset >= next_) apply(*entry);
  }
  see_whether_caught_up();
  hand_in();
  pull();
}

void window_state::see_whether_caught_up() {
  if (caught_up_) return;
  auto range = context_->log->range(topic::events, partition_);
  caught_up_ = range && next_ >= range->next;
  if (caught_up_) ++context_->figures->partitions_caught_up;
}

template <class Work> auto window_state::at_work_on(std::uint64_t offset, Work work) {
  return context_->figures->crashes.watch(partition_, offset, line_stage::window, context_->time->now(), work);
}

void window_state::read_from_log() {
  auto records = context_->log->read(topic::events, partition_, next_, catch_up_read_bytes);
  if (!records) throw std::runtime_error("reading the log: " + records.error().message);
  for (auto& r : *records) {
    if (aside_.is_unseen(r.offset)) {
      next_ = r.next();
      continue;
    }
    auto entry = at_work_on(r.offset, [&] {
      auto read = to_log_entry(std::move(r));
      if (!read) throw std::runtime_error("reading the log: " + read.error().message);
      return *read;
    });
    apply(*entry);
  }
}

void window_state::apply(const log_entry& entry) {
  if (aside_.is_unseen(entry.offset)) return void(next_ = entry.next());
  auto began = context_->time->monotonic();
  auto step = at_work_on(entry.offset, [&] {
    auto made = stage_.apply(entry);
    if (!made) throw std::runtime_error(made.error().message);
    return std::move(*made);
  });
  step.set_aside_from = aside_.from(entry.offset);
  if (planted(fault::late_event_is_forgotten) && result_.begin_with) step.rejected.clear();
  latency_ms_->observe(static_cast<double>(context_->time->monotonic() - began) / 1e6);
  next_ = entry.next();
  made_ += step.bars.size();
  if (step.rules || step.answered || step.is_healed || !step.bars.empty() || !step.rejected.empty())
    result_.steps.push_back(std::move(step));
  consumer_lag_ms_->set(static_cast<double>(context_->time->now() - entry.log_ts) / 1e6);
  context_->figures->looked_at.at(partition_) = next_;
  if (entry.events) lag_seconds_->observe(static_cast<double>(context_->time->now() - entry.events->ingest_ts) / 1e9);
}

// Whatever there is to write goes down the line; no more is pulled before it is written.
void window_state::hand_in() {
  if (underway_) return;
  if (snapshot_due_ && next_ != snapshot_at_) {
    result_.snapshot = stage_states{stage_.save(), {}, {}}; // the others add theirs
    snapshot_at_ = next_;
  }
  snapshot_due_ = false;
  auto open = stage_.has_open_windows();
  open_windows_->set(static_cast<double>(stage_.open_windows()));
  if (result_.steps.empty() && !result_.snapshot && open == said_open_) {
    if (stopping_) finish();
    return;
  }
  auto next = context_->where->find_as<features_actor>(partition_path(partition_, "features"));
  if (!next) return; // it has crashed, and its supervisor starts this actor again after it
  result_.dealt_with = next_;
  result_.open_windows = said_open_ = open;
  underway_ = true;
  self_->send(next, verb::commit_v, std::make_shared<stage_result>(std::exchange(result_, {})), commit_listener{self_});
}

void window_state::on_committed(std::uint64_t) {
  underway_ = false;
  hand_in(); // what has come meanwhile
  pull();
}

void window_state::on_pulse() {
  if (setting_aside_) send_set_aside();
  snapshot_due_ = true;
  hand_in();
  job_->go_on(made_);
  // A large state is written more rarely, or the disk would do little else.
  auto& limits = context_->config->checkpoint;
  auto bytes = context_->figures->checkpoint_bytes.at(partition_).load();
  auto pause =
    std::max<std::uint64_t>(static_cast<std::uint64_t>(limits.interval_ms), bytes * 1000 / limits.max_bytes_per_s);
  self_->delayed_send(self_, std::chrono::milliseconds{pause}, verb::pulse_v);
}

void window_state::finish() {
  job_->go_on(made_);
  job_->end(job_status::done, "stopped");
  self_->quit();
}

// A last checkpoint. What it has not looked at stays in the log for the next start.
void window_state::on_stop() {
  stopping_ = true;
  snapshot_due_ = true;
  hand_in();
}

status_report window_state::status() const {
  return {path_, fmt::format(R"({{"next":{},"snapshot_at":{},"open_windows":{},"series":{},"caught_up":{}}})", next_,
                             snapshot_at_, stage_.open_windows(), stage_.series_count(), caught_up_)};
}

} // namespace finstream
