// What a process that works on partitions says to the others.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace finstream {

struct work_message {
  std::string worker;               // "host/4711/09af"
  std::uint16_t partitions = 0;     // of the log, as the worker counts them
  std::vector<std::string> dead;    // other workers that were silent for too long: what they held is free
  std::vector<std::uint16_t> gives; // it no longer works on these
  std::vector<std::uint16_t> holds; // it works on these, and on those of them that were free from here on
  bool leaves = false;              // it ends, and gives all it has

  friend bool operator==(const work_message&, const work_message&) = default;
};

} // namespace finstream
