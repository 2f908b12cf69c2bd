// The system's own announcements: starts, restarts with their reason, kills, limits reached. Control plane only, no
// data.
#pragma once

#include "messages/field.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace finstream {

// DO NOT CHANGE THESE VALUES: they are sent to clients.
enum class sys_kind : std::uint8_t {
  actor_started = 0,
  actor_restarted = 1,
  actor_parked = 2, // too many crashes: it stays down until someone says otherwise
  feed_up = 3,
  feed_down = 4,
  feed_killed = 5, // reason BackpressureOverflow and the like
  feed_parked = 6,
  limit_reached = 7,
  storage = 8,        // torn tail cut, disk full
  node = 9,           // started, draining, stopped
  model = 10,         // a model that keeps failing is not asked for a while, or is asked again
  bus_down = 11,      // the broker that keeps the log is not reached: what is written waits on this disk
  bus_recovered = 12, // it is back; how much waits for it
};
std::string_view to_string(sys_kind kind);

struct sys_event {
  sys_kind kind = sys_kind::node;
  timestamp at;
  std::string subject; // the path in the supervision tree
  std::string reason;

  friend bool operator==(const sys_event&, const sys_event&) = default;
};
template <of<sys_event> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"kind", x.kind}, field{"at", x.at}, field{"subject", x.subject}, field{"reason", x.reason});
}

} // namespace finstream
