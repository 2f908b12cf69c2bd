// How a log goes to a broker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace finstream {

enum class framing : std::uint8_t {
  block, // packed, for FinStream alone
  event, // before each block, every event of it as one message of JSON
};
enum class compression : std::uint8_t { none, zstd }; // of blocks

// What becomes of the messages for other programs (framing `event`) while much waits for the broker. The blocks, which
// are the log, always wait their turn.
enum class overflow_policy : std::uint8_t { delay, drop };
struct flow_rules {
  overflow_policy policy = overflow_policy::delay;
  std::vector<std::string> types{"end_of_interval", "features"}; // that may be left out: no market data, unless named
  std::uint64_t slow_bytes = 4u << 20;                           // from here on (until it is half of that) only
  int keep_one_in = 10;                                          // is sent,
  std::uint64_t drop_bytes = 16u << 20;                          // and from here on none

  friend bool operator==(const flow_rules&, const flow_rules&) = default;
};

} // namespace finstream
