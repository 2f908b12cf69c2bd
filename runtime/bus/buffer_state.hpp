// What waits on this disk for the broker.
#pragma once

#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <optional>

namespace finstream {

struct buffer_state {
  bool up = false;           // the broker takes what it is sent
  std::uint64_t entries = 0; // transactions, or pieces of very large ones
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
  std::uint64_t shipped_events = 0; // by this process
  std::uint64_t sent_again = 0;     // entries that the broker had acknowledged and forgotten
  std::uint64_t outages = 0;
  std::optional<timestamp> oldest; // when what waits longest was written
};

} // namespace finstream
