// When to start something again that has ended: at once inside a tree (intensity decides when to give up), after a
// growing, random pause for the outside world (backoff with full jitter), and after too many crashes not at all.
#pragma once

#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <random>

namespace finstream {

// OTP's restart intensity: more than `most` restarts within `period` are too many.
class restart_intensity {
public:
  restart_intensity(int most, nanoseconds period) : most_{most}, period_{period} {}
  // One more restart at `now`: false if it is one too many.
  bool allow(nanoseconds now);

private:
  int most_;
  nanoseconds period_;
  std::deque<nanoseconds> restarts_;
};

struct backoff_rules {
  nanoseconds initial = 200 * millisecond;
  nanoseconds most = 30 * second;
  nanoseconds healthy_after = 60 * second; // a life this long starts again from `initial`
  int crash_limit = 10;                    // in crash_period: the next one parks
  nanoseconds crash_period = 300 * second;
};

class backoff {
public:
  backoff(backoff_rules rules, std::uint64_t seed)
    : rules_{rules}, random_{seed}, crashes_{rules.crash_limit, rules.crash_period} {}
  // It ended at `now` after living for `lived`: how long to wait, or nothing: park it.
  std::optional<nanoseconds> next(nanoseconds now, nanoseconds lived);
  void reset(); // someone said: try again

private:
  backoff_rules rules_;
  std::mt19937_64 random_;
  restart_intensity crashes_;
  int step_ = 0;
};

} // namespace finstream
