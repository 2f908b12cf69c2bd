// The part of the appender that concerns a log which other processes write, too.
#include "actors/appender.hpp"

#include <algorithm>

namespace finstream {

namespace {
constexpr nanoseconds trim_interval = 60 * second;
} // namespace

void appender_state::on_grown() {
  if (!writes_events_)
    if (auto range = context_->log->range(topic::events, partition_)) next_event_ = range->next;
  if (!writes_outputs_)
    if (auto dealt_with = derived_->follow()) context_->figures->looked_at.at(partition_) = *dealt_with;
  serve_readers();
}

// Windows that another process works on are not seen from here. By then every one that is open now has been closed, by
// events or by the silence of its source.
void appender_state::expect_windows() {
  auto& windows = context_->config->windows;
  auto longest = *std::max_element(windows.intervals.begin(), windows.intervals.end());
  auto patience = windows.allow_late_ms + windows.flush_timeout_ms + windows.resume_grace_ms;
  windows_are_closed_at_ = context_->time->now() + longest + (patience + 2 * windows.clock_interval_ms) * millisecond;
}

// Who writes the outputs trims as it writes them; so that its disk does not fill either, this one does now and then.
void appender_state::trim_what_is_followed() {
  auto now = context_->time->now();
  if (writes_outputs_ || context_->config->bus.retain_ms == 0 || now - trimmed_at_ < trim_interval) return;
  trimmed_at_ = now;
  derived_->trim(now);
}

bool appender_state::is_time_to_pass() const {
  if (!writes_events_) return false;
  return writes_outputs_ ? open_windows_ : context_->time->now() < windows_are_closed_at_;
}

} // namespace finstream
