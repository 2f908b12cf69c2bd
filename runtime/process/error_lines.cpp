#include "runtime/process/error_lines.hpp"

#include <algorithm>
#include <utility>

namespace finstream {

void error_lines::add(std::string_view bytes, nanoseconds now) {
  if (now - second_start_ >= second) {
    report_dropped();
    second_start_ = now;
    lines_in_second_ = 0;
  }
  while (!bytes.empty()) {
    auto end = bytes.find('\n');
    auto part = bytes.substr(0, end);
    line_ += part.substr(0, max_line_bytes - line_.size());
    line_open_ = true;
    if (end == std::string_view::npos) return;
    end_line();
    bytes.remove_prefix(end + 1);
  }
}

void error_lines::finish() {
  if (line_open_) end_line();
  report_dropped();
}

void error_lines::end_line() {
  line_open_ = false;
  auto line = std::exchange(line_, {});
  if (++lines_in_second_ > max_lines_per_second) {
    ++dropped_;
    return;
  }
  hand_on_(std::move(line));
}

void error_lines::report_dropped() {
  if (dropped_ == 0) return;
  hand_on_("warning: " + std::to_string(std::exchange(dropped_, 0)) +
           " more lines of standard error were dropped: only " + std::to_string(max_lines_per_second) +
           " a second are kept");
}

} // namespace finstream
