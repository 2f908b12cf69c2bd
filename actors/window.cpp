#include "actors/window.hpp"

#include "actors/log_bases.hpp"
#include "runtime/log/log.hpp"

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
  see_whether_caught_up(); // if so, nobody answers before there is something new
  self_->delayed_send(self_, std::chrono::milliseconds{context_->config->checkpoint.interval_ms}, verb::pulse_v);
  pull();
  return {
    [this](verb::pulse) { on_pulse(); },
    [this](const fresh_entries& fresh) { on_entries(fresh); },
    [this](verb::committed, std::uint64_t dealt_with) { on_committed(dealt_with); },
    [this](verb::stop) { on_stop(); },
    [this](verb::status) { return status(); },
  };
}

void window_state::recover() {
  lag_seconds_ = &context_->metrics->pipeline_lag_seconds();
  latency_ms_ = &context_->metrics->window_latency_ms();
  open_windows_ = &context_->metrics->open_windows(partition_);
  consumer_lag_ms_ = &context_->metrics->consumer_lag_ms(partition_);
  auto range = context_->log->range(topic::events, partition_);
  if (range) next_ = range->head;
  if (load_snapshot() || next_ == 0) return;
  if (auto loaded = load_base(*context_->log, partition_, next_, stage_); !loaded)
    throw std::runtime_error("the log cannot be gone over: " + loaded.error().message);
}

// False if there is none of use. The log is the truth: without a snapshot it is only a longer way.
bool window_state::load_snapshot() {
  auto saved = context_->log->get(stage_table, snapshot_key(partition_));
  if (!saved || !*saved) return false;
  auto [offset, state] = unpack_snapshot(**saved);
  if (state.empty()) return false;
  if (auto loaded = stage_.load(state); !loaded) {
    log::warning(path_, "the checkpoint at offset {} cannot be used ({}): going over the whole log", offset,
                 loaded.error().message);
    stage_ = {};
    return false;
  }
  next_ = snapshot_at_ = offset;
  return true;
}

void window_state::pull() {
  if (pulling_ || underway_ || stopping_) return;
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

void window_state::read_from_log() {
  auto records = context_->log->read(topic::events, partition_, next_, catch_up_read_bytes);
  if (!records) throw std::runtime_error("reading the log: " + records.error().message);
  for (auto& r : *records) {
    auto entry = to_log_entry(std::move(r));
    if (!entry) throw std::runtime_error("reading the log: " + entry.error().message);
    apply(**entry);
  }
}

void window_state::apply(const log_entry& entry) {
  auto began = context_->time->monotonic();
  if (auto applied = stage_.apply(entry); !applied) throw std::runtime_error(applied.error().message);
  latency_ms_->observe(static_cast<double>(context_->time->monotonic() - began) / 1e6);
  next_ = entry.next();
  for (auto& bars : stage_.take_bars(entry)) result_.bars.push_back(std::move(bars));
  consumer_lag_ms_->set(static_cast<double>(context_->time->now() - entry.log_ts) / 1e6);
  if (auto rejected = stage_.take_rejected(entry)) result_.rejected.push_back(std::move(*rejected));
  if (entry.events) lag_seconds_->observe(static_cast<double>(context_->time->now() - entry.events->ingest_ts) / 1e9);
}

// Whatever there is to write goes to the appender; the next pull waits behind it in the appender's mailbox.
void window_state::hand_in() {
  if (underway_) return;
  if (snapshot_due_ && next_ != snapshot_at_) {
    result_.snapshot = stage_.save();
    snapshot_at_ = next_;
  }
  snapshot_due_ = false;
  auto open = stage_.has_open_windows();
  open_windows_->set(static_cast<double>(stage_.open_windows()));
  if (result_.bars.empty() && result_.rejected.empty() && !result_.snapshot && open == said_open_) {
    if (stopping_) self_->quit();
    return;
  }
  auto appender = context_->where->find_as<appender_actor>(partition_path(partition_, "appender"));
  if (!appender) return;
  result_.dealt_with = next_;
  result_.open_windows = said_open_ = open;
  underway_ = true;
  self_->send(appender, verb::commit_v, std::exchange(result_, {}), commit_listener{self_});
}

void window_state::on_committed(std::uint64_t) {
  underway_ = false;
  hand_in(); // what has come meanwhile
  pull();
}

void window_state::on_pulse() {
  snapshot_due_ = true;
  hand_in();
  self_->delayed_send(self_, std::chrono::milliseconds{context_->config->checkpoint.interval_ms}, verb::pulse_v);
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
