// The faults one may ask for. Repeated and broken lines stand before an event, as extras: with or without them, the
// events themselves are the same. Which event has which is a function of the seed and its number.
#pragma once

#include "feeds/output/line_writer.hpp"
#include "feeds/synthetic/event_lines.hpp"

#include <array>

namespace finstream::feed {

class faults {
public:
  explicit faults(const synthetic_options& options) : options_{options} {}

  // How far back the src_ts of this event is shifted; 0 for most.
  nanoseconds lateness(std::uint64_t number) const;
  // Notes an event that was sent, now or before a restart, as one that may be repeated.
  void remember(const trade& x, timestamp src_ts);
  // The repeated and broken lines that stand before this event.
  void write_before(const trade& x, timestamp src_ts, event_lines& lines, line_writer& out) const;

private:
  struct sent_event {
    trade event;
    timestamp src_ts;
  };
  bool falls(std::uint64_t number, std::uint64_t purpose, double share) const;
  void write_broken(const trade& x, timestamp src_ts, event_lines& lines, line_writer& out) const;

  const synthetic_options& options_;
  std::array<sent_event, 64> recent_{}; // by number; number 0: none
};

} // namespace finstream::feed
