// Time as a thing that is passed in. Nothing outside this folder reads a clock, and no stage after the log is given
// one.
#pragma once

#include "messages/value/timestamp.hpp"

#include <atomic>

namespace finstream {

class clock {
public:
  virtual ~clock() = default;
  virtual timestamp now() const = 0;         // the world's time, UTC
  virtual nanoseconds monotonic() const = 0; // for spans: never goes back
};

const clock& system_clock();

// Blocks the calling thread. Only for waiting on what gives no signal, a bounded number of times, and never in a stage.
void pause(nanoseconds span);

// Time moves when a test says so.
class manual_clock : public clock {
public:
  explicit manual_clock(timestamp start = {}) : now_ns_{start.ns} {}
  timestamp now() const override { return {now_ns_.load()}; }
  nanoseconds monotonic() const override { return now_ns_.load(); }
  void advance(nanoseconds d) { now_ns_.fetch_add(d); }

private:
  std::atomic<std::int64_t> now_ns_;
};

} // namespace finstream
