// How a log goes to a broker.
#pragma once

#include <cstdint>

namespace finstream {

enum class framing : std::uint8_t {
  block, // packed, for FinStream alone
  event, // before each block, every event of it as one message of JSON
};
enum class compression : std::uint8_t { none, zstd }; // of blocks

} // namespace finstream
