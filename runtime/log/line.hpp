// How one event of the log looks as text: exactly one line, whatever its text holds. A feed's output may end up here,
// so nothing in it can break the line, move the terminal's cursor or make the JSON invalid.
#pragma once

#include "messages/value/timestamp.hpp"
#include "runtime/log/log.hpp"

#include <string>
#include <string_view>

namespace finstream::log {

struct line {
  timestamp at;
  level severity = level::info;
  std::string_view component;
  std::string_view text;
};

// "2026-11-21 09:10:00.123 INFO  feeds/synthetic  text\n"
std::string human_line(const line& x, bool colour);
// {"ts":"2026-11-21T09:10:00.123456Z","level":"info","component":"feeds/synthetic","text":"text"}\n
std::string json_line(const line& x);

// The first `limit` bytes of `text`, never half a character, and how many were left out.
std::string shortened(std::string_view text, std::size_t limit);

} // namespace finstream::log
