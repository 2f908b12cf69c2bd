// What one may ask of the synthetic feed.
#pragma once

#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace finstream::feed {

struct synthetic_options {
  std::string provider;
  std::vector<std::string> symbols;
  double rate = 10;        // events a second in total; 0: flat out
  std::uint64_t count = 0; // events; 0: endless
  std::uint64_t seed = 1;
  double volatility = 0.0002; // standard deviation of one step, as a share of the start price
  double start_price = 100;
  std::optional<timestamp> start_time; // simulated time; nothing: src_ts is the wall clock
  std::int64_t step_us = 1000;
  double late_share = 0, duplicate_share = 0, malformed_share = 0, oversize_share = 0;
  std::int64_t late_ms = 1000;
  std::uint32_t pad_to = 0;       // bytes of a line, newline included
  std::uint64_t resume_after = 0; // the number of the last event that need not be sent again
  bool resumed = false;

  // More events a second than this need times finer than microseconds to stay in order.
  static constexpr double most_in_microseconds = 200'000;
  bool in_nanoseconds() const { return !start_time && (rate == 0 || rate > most_in_microseconds); }
};

// Reads arguments and FINSTREAM_RESUME_TOKEN. An int is the exit code to end with at once: help was asked for, or what
// was asked makes no sense, which has been said on standard error.
std::variant<synthetic_options, int> read_options(int argc, char** argv);

} // namespace finstream::feed
