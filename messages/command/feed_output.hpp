// What a feed's process gave, told to its ingestor by the thread that waits for it. INTERNAL to one process.
#pragma once

#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <string>

namespace finstream {

// `run` counts the starts of the process, so that the last words of an earlier one are not taken for the present one's.
struct feed_lines {
  std::uint64_t run = 0;
  timestamp read_at; // the ingest_ts of what is in them
  std::string lines;
};
struct feed_long_line {
  std::uint64_t run = 0;
  std::string first_bytes;
  std::uint64_t total_bytes = 0;
};
struct feed_error_line {
  std::uint64_t run = 0;
  std::string line;
};
struct feed_exit {
  std::uint64_t run = 0;
  int code = 0;   // or -1
  int signal = 0; // or 0
  std::string description;
};

} // namespace finstream
