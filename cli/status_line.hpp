// The live line at the foot of a terminal: events a second, bars, lag, clients, errors.
#pragma once

#include "cli/node.hpp"

#include <string>

namespace finstream {

class status_line {
public:
  // Shows itself only where standard error is a terminal.
  status_line();
  ~status_line();
  void refresh(const node_status& now, nanoseconds monotonic);
  // "12,345 events/s  bars 1,234  lag p99 0.8 ms  clients 2  errors 0"
  static std::string text(double events_per_second, const node_status& now);

private:
  bool shown_ = false;
  std::uint64_t last_events_ = 0;
  nanoseconds last_at_ = 0;
};

} // namespace finstream
