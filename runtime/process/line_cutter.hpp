// Chunks of a pipe -> whole lines. A chunk is cut at its last newline; what follows is carried over and stands before
// the next one, so a line that spans two reads is copied once. A line that grows past a limit without an end is given
// up: only its first bytes and its length are kept, so that a process that never ends its line cannot fill the memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace finstream {

struct long_line {
  std::string first_bytes;
  std::uint64_t total_bytes = 0; // without its newline
};

struct cut_lines {
  std::vector<long_line> given_up; // they stood before `lines`
  std::string lines;               // whole lines; may be empty
};

class line_cutter {
public:
  static constexpr std::size_t max_first_bytes = 4 * 1024; // of a line given up: enough for a person to know it again

  explicit line_cutter(std::size_t max_line_bytes) : max_line_bytes_{max_line_bytes} {}

  // The unfinished line, for the caller to read on behind it.
  std::string take_carry() { return std::exchange(carry_, {}); }
  // `chunk` starts with `carried` bytes of what take_carry() gave.
  cut_lines cut(std::string chunk, std::size_t carried);
  // After the last chunk: the rest, which has no newline.
  cut_lines finish();
  bool has_rest() const { return !carry_.empty(); }

private:
  void give_up(std::string_view part);

  std::size_t max_line_bytes_;
  std::string carry_;
  bool giving_up_ = false; // the line under way is too long and only counted
  long_line too_long_;
};

} // namespace finstream
