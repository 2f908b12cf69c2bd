// Stops asking something that keeps failing, for a while, and then tries again with care: closed (all calls go), open
// (none goes), half-open (a few trials go). Time is passed in, any clock that never goes back; what it decides depends
// on nothing else.
//
//             failures in a row, or too large a share of the last calls
//    closed ------------------------------------------------------------> open <-----------+
//      ^                                                                    |              | a trial fails:
//      |   all trials succeed                          its time has passed  |              | twice as long
//      +---------------------------------- half-open <----------------------+              |
//                                              +-------------------------------------------+
#pragma once

#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace finstream {

struct breaker_limits {
  int failures_in_a_row = 5;               // that many open it: something is down, not merely slow now and then
  int window_calls = 50;                   // the last calls of which the share is taken; fewer are too few to judge
  double failed_share = 0.5;               // of a full window: this or more opens it
  nanoseconds open_for = 5 * second;       // the first time; doubled whenever a trial fails
  nanoseconds open_at_most = 300 * second; // so that a thing that was down for a day is back within minutes
  int half_open_trials = 3;                // successes in a row that close it
  nanoseconds trial_within = 60 * second;  // a trial without a result for so long counts as failed
};

enum class breaker_state : std::uint8_t { closed, open, half_open };
std::string_view to_string(breaker_state state);

class circuit_breaker {
public:
  // Leave to make one call, to be given back with its result. A result that is older than the breaker's last change of
  // state says nothing of the present, and is left out.
  struct permit {
    std::uint64_t era = 0;
  };

  explicit circuit_breaker(breaker_limits limits) : limits_{limits} {}

  // Nothing: do not call. Half-open, one trial is under way at a time.
  std::optional<permit> allow(nanoseconds now);
  void succeeded(permit which, nanoseconds now);
  void failed(permit which, nanoseconds now, std::string_view why);

  // As of the last call of the above, but that the time of an open one may have passed since.
  breaker_state state() const { return state_; }
  // Why it is not closed: "5 failures in a row, the last: timed_out ...". Empty while closed.
  const std::string& reason() const { return reason_; }
  // While open: from when on a trial is allowed.
  nanoseconds tries_again_at() const { return until_; }
  std::uint64_t times_opened() const { return times_opened_; }

private:
  void open(nanoseconds now, std::string reason);
  void change(breaker_state to);
  void count(bool failure);

  breaker_limits limits_;
  breaker_state state_ = breaker_state::closed;
  std::uint64_t era_ = 0; // rises with each change of state
  // Closed.
  std::deque<bool> window_; // of the last calls: failed?
  int failed_in_window_ = 0;
  int in_a_row_ = 0; // failures
  // Open.
  nanoseconds until_ = 0;
  nanoseconds open_for_ = 0; // this time; 0: the next is the first
  // Half-open.
  std::optional<nanoseconds> trial_since_;
  int good_trials_ = 0;

  std::string reason_;
  std::uint64_t times_opened_ = 0;
};

} // namespace finstream
