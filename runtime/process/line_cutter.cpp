#include "runtime/process/line_cutter.hpp"

#include <string_view>
#include <utility>

namespace finstream {

cut_lines line_cutter::cut(std::string chunk, std::size_t carried) {
  cut_lines result;
  if (giving_up_) {
    auto end = chunk.find('\n');
    give_up(std::string_view{chunk}.substr(0, end));
    if (end == std::string::npos) return result;
    result.given_up.push_back(std::exchange(too_long_, {}));
    giving_up_ = false;
    chunk.erase(0, end + 1);
    carried = 0;
  }
  // What was carried over is known to hold no newline.
  auto last = std::string_view{chunk}.substr(carried).rfind('\n');
  if (last != std::string::npos) {
    auto lines_end = carried + last + 1;
    carry_.assign(chunk, lines_end);
    chunk.resize(lines_end);
    result.lines = std::move(chunk);
  } else {
    carry_ = std::move(chunk);
  }
  if (carry_.size() > max_line_bytes_) {
    giving_up_ = true;
    give_up(carry_);
    carry_ = {};
  }
  return result;
}

cut_lines line_cutter::finish() {
  cut_lines result;
  if (std::exchange(giving_up_, false)) result.given_up.push_back(std::exchange(too_long_, {}));
  result.lines = take_carry();
  return result;
}

void line_cutter::give_up(std::string_view part) {
  too_long_.total_bytes += part.size();
  too_long_.first_bytes += part.substr(0, max_first_bytes - too_long_.first_bytes.size());
}

} // namespace finstream
