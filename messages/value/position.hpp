// Where something stands in the log: the epoch in which the partition's log was created, and the offset of the event in
// it. Offsets count events, not records: a record of 1000 events takes 1000 offsets.
#pragma once

#include <compare>
#include <cstdint>

namespace finstream {

struct position {
  std::uint64_t epoch = 0;  // changes when a log is created anew
  std::uint64_t offset = 0; // of one event, from 0

  friend constexpr auto operator<=>(const position&, const position&) = default;
};

} // namespace finstream
