// What a feed says besides events, and what is known of its process. They are facts like trades and enter the log,
// because windows close by them.
#pragma once

#include "messages/field.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace finstream {

// DO NOT CHANGE THESE VALUES: they are in the log.
enum class source_change : std::uint8_t {
  up = 0,         // the feed's process said hello; what it sends goes on where it stopped if `resumed`
  down = 1,       // the process ended or was stopped, and is not expected back at once
  restarting = 2, // the process ended and is being started again: wait for it a while before calling it idle
  heartbeat = 3,  // alive, and nothing older than `at` will come (less the lateness)
  gap = 4,        // nothing is known of [from, at)
  eof = 5,        // all has been sent: every open window of the source may close
};
std::string_view to_string(source_change change);

struct source_event {
  std::string feed;
  std::string provider;
  source_change change = source_change::up;
  timestamp at;   // heartbeat: the source's time; gap: its end
  timestamp from; // gap: its start
  bool resumed = false;
  std::string reason;

  friend bool operator==(const source_event&, const source_event&) = default;
};
template <of<source_event> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"feed", x.feed}, field{"provider", x.provider}, field{"change", x.change}, field{"at", x.at},
           field{"from", x.from}, field{"resumed", x.resumed}, field{"reason", x.reason});
}

} // namespace finstream
