// INTERNAL to runtime/broker: a server is asked how it is from time to time only, however often we are asked.
#pragma once

#include "messages/errors.hpp"
#include "runtime/clock/clock.hpp"

#include <optional>

namespace finstream {

class throttled_health {
public:
  explicit throttled_health(int interval_ms) : interval_{interval_ms * millisecond} {}

  template <class Ask> expected<void> ask(Ask ask_server) {
    auto now = system_clock().monotonic();
    if (!asked_ || now - *asked_ >= interval_) {
      answer_ = ask_server();
      asked_ = system_clock().monotonic();
    }
    return answer_;
  }

private:
  nanoseconds interval_;
  std::optional<nanoseconds> asked_;
  expected<void> answer_;
};

} // namespace finstream
