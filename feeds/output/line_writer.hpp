// Whole lines to standard output, many a write, and the one place where a feed learns that it is to end: its standard
// input was closed, it got SIGTERM or SIGINT, or nobody reads its output any more. It then finishes the line it is in,
// and no more.
#pragma once

#include "messages/value/timestamp.hpp"

#include <csignal>
#include <string_view>
#include <vector>

namespace finstream::feed {

// The clocks of this machine; the feeds read them here only.
timestamp wall_time();
nanoseconds monotonic_time();

class line_writer {
public:
  static constexpr std::size_t write_bytes = 128 * 1024;    // a write is made when so much has gathered
  static constexpr std::size_t max_line_bytes = 128 * 1024; // room for one line

  // One a process: it takes over SIGPIPE, SIGTERM and SIGINT.
  line_writer();

  // At least `bytes` (up to max_line_bytes) to write a line to; end_line() with its end, newline included, makes it
  // one.
  char* room(std::size_t bytes) {
    if (used_ + bytes > buffer_.size()) flush();
    return buffer_.data() + used_;
  }
  void end_line(char* end) {
    used_ = static_cast<std::size_t>(end - buffer_.data());
    if (used_ >= write_bytes) flush();
  }
  void line(std::string_view text); // adds the newline

  // Writes what has gathered, and looks whether the feed is to end.
  void flush();
  // Flushes and waits. False if the feed is to end.
  bool wait_until(nanoseconds monotonic);
  bool is_stopped() const { return stopped_; }

private:
  void look_for_stop();
  void read_input();

  std::vector<char> buffer_;
  std::size_t used_ = 0;
  bool stopped_ = false;
  bool watch_input_ = false;
  sigset_t mask_while_waiting_{};
};

} // namespace finstream::feed
