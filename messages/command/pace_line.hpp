// What a feed says of its requests to a provider that limits them (docs/feed_protocol.md). It is not part of the log:
// no bar depends on it.
#pragma once

#include "messages/value/timestamp.hpp"

#include <cstdint>

namespace finstream {

inline constexpr std::uint32_t max_paced_requests = 1000; // of one line
inline constexpr nanoseconds max_pause = 3600 * second;   // a provider that says more is asked again all the same

enum class pace_kind : std::uint8_t {
  ask,       // may I? It waits for the grant
  made,      // these were made without asking
  refused,   // the provider said that it were too many; nobody asks it for `pause`
  withdrawn, // INTERNAL: the process that asked is gone
};

struct pace_line {
  pace_kind kind = pace_kind::ask;
  std::uint32_t requests = 1;
  nanoseconds pause = 0;

  friend bool operator==(const pace_line&, const pace_line&) = default;
};

} // namespace finstream
