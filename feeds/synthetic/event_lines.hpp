// Trades as lines. Everything that is the same from line to line is made once.
#pragma once

#include "feeds/output/time_text.hpp"
#include "feeds/synthetic/options.hpp"
#include "feeds/synthetic/walk.hpp"

namespace finstream::feed {

class event_lines {
public:
  explicit event_lines(const synthetic_options& options);

  // The most that write() needs.
  std::size_t max_bytes() const { return max_bytes_; }
  // The line and its newline; returns the end. `pad_to` 0: as the options say.
  char* write(char* out, const trade& x, timestamp src_ts, std::uint32_t pad_to = 0);

private:
  std::vector<std::string> heads_; // by symbol, up to the value of src_ts
  time_text times_;
  int time_digits_;
  std::uint32_t pad_to_;
  std::size_t max_bytes_;
};

} // namespace finstream::feed
