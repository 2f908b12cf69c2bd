// Standard error -> lines for the log, at a bounded rate. A process that floods its standard error is never held up by
// it, since that would hold up its data too: what is beyond the rate is read, counted and dropped, and one line says
// how much.
#pragma once

#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace finstream {

class error_lines {
public:
  static constexpr std::size_t max_line_bytes = 8 * 1024;    // the rest of a longer line is left out
  static constexpr std::uint64_t max_lines_per_second = 500; // more than a person or a log can use

  explicit error_lines(std::function<void(std::string)> hand_on) : hand_on_{std::move(hand_on)} {}

  void add(std::string_view bytes, nanoseconds now);
  // At the end of the output: the rest, and what was dropped.
  void finish();

private:
  void end_line();
  void report_dropped();

  std::function<void(std::string)> hand_on_;
  std::string line_;
  bool line_open_ = false;
  nanoseconds second_start_ = 0;
  std::uint64_t lines_in_second_ = 0;
  std::uint64_t dropped_ = 0;
};

} // namespace finstream
