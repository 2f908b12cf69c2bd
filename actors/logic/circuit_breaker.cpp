#include "actors/logic/circuit_breaker.hpp"

#include <algorithm>
#include <utility>

namespace finstream {

std::string_view to_string(breaker_state state) {
  switch (state) {
  case breaker_state::closed: return "closed";
  case breaker_state::open: return "open";
  case breaker_state::half_open: return "half_open";
  }
  return "unknown";
}

std::optional<circuit_breaker::permit> circuit_breaker::allow(nanoseconds now) {
  if (state_ == breaker_state::open && now >= until_) change(breaker_state::half_open);
  if (state_ == breaker_state::half_open && trial_since_) {
    if (now - *trial_since_ < limits_.trial_within) return std::nullopt;
    open(now, "a trial had no result in time");
  }
  if (state_ == breaker_state::open) return std::nullopt;
  if (state_ == breaker_state::half_open) trial_since_ = now;
  return permit{era_};
}

void circuit_breaker::succeeded(permit which, nanoseconds) {
  if (which.era != era_) return;
  if (state_ == breaker_state::closed) return count(false);
  trial_since_.reset();
  if (++good_trials_ < limits_.half_open_trials) return;
  change(breaker_state::closed);
  open_for_ = 0;
  reason_.clear();
}

void circuit_breaker::failed(permit which, nanoseconds now, std::string_view why) {
  if (which.era != era_) return;
  auto last = ", the last: " + std::string{why};
  if (state_ == breaker_state::half_open) return open(now, "a trial failed: " + std::string{why});
  count(true);
  if (in_a_row_ >= limits_.failures_in_a_row) return open(now, std::to_string(in_a_row_) + " failures in a row" + last);
  bool is_full = window_.size() == static_cast<std::size_t>(limits_.window_calls);
  if (is_full && failed_in_window_ >= limits_.failed_share * limits_.window_calls)
    open(now, std::to_string(failed_in_window_) + " of the last " + std::to_string(limits_.window_calls) +
                " calls failed" + last);
}

void circuit_breaker::open(nanoseconds now, std::string reason) {
  change(breaker_state::open);
  open_for_ = open_for_ == 0 ? limits_.open_for : std::min(limits_.open_at_most, 2 * open_for_);
  until_ = now + open_for_;
  reason_ = std::move(reason);
  ++times_opened_;
}

void circuit_breaker::change(breaker_state to) {
  state_ = to;
  ++era_;
  window_.clear();
  failed_in_window_ = in_a_row_ = good_trials_ = 0;
  trial_since_.reset();
}

void circuit_breaker::count(bool failure) {
  window_.push_back(failure);
  failed_in_window_ += failure;
  in_a_row_ = failure ? in_a_row_ + 1 : 0;
  if (window_.size() <= static_cast<std::size_t>(limits_.window_calls)) return;
  failed_in_window_ -= window_.front();
  window_.pop_front();
}

} // namespace finstream
