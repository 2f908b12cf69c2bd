// One window of a series of bars, by name.
#pragma once

#include "messages/field.hpp"
#include "messages/value/timestamp.hpp"

#include <compare>
#include <string>
#include <vector>

namespace finstream {

// Ordered by time, so that neighbours are healed together.
struct window_name {
  timestamp start;
  nanoseconds interval = 0;
  std::string provider; // or the source set's name
  std::string symbol;

  timestamp end() const { return start + interval; }
  friend auto operator<=>(const window_name&, const window_name&) = default;
};
template <of<window_name> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"start", x.start}, field{"interval", x.interval}, field{"provider", x.provider},
           field{"symbol", x.symbol});
}

// The backfill lane takes these over, as far as their sources are at rest: the live stages publish nothing more of
// them.
struct taken_windows {
  std::vector<window_name> windows;

  friend bool operator==(const taken_windows&, const taken_windows&) = default;
};
template <of<taken_windows> X, class F> decltype(auto) fields(X& x, F&& f) { return f(field{"windows", x.windows}); }

} // namespace finstream
