// One structured line an event: time, level, component, text. Asynchronous; when the queue is full a line is dropped
// and counted, so that logging never holds up the data. Lines go to standard error.
#pragma once

#include <cstdint>
#include <fmt/core.h>
#include <string>
#include <string_view>

namespace finstream::log {

enum class level : std::uint8_t { trace, debug, info, warning, error };

struct options {
  level threshold = level::info;
  bool json = false; // {"ts":...,"level":...,"component":...,"text":...}
};

void start(const options& settings); // before the first line; again to change the threshold
void stop();                         // writes what is queued
bool enabled(level at);
void write(level at, std::string_view component, std::string_view text);
std::uint64_t dropped();

// While a status line is shown on a terminal, log lines must not run into it: `erase` is written before each line.
void set_line_prefix(std::string_view erase);

template <class... Ts> void info(std::string_view component, fmt::format_string<Ts...> text, Ts&&... xs) {
  if (enabled(level::info)) write(level::info, component, fmt::format(text, std::forward<Ts>(xs)...));
}
template <class... Ts> void warning(std::string_view component, fmt::format_string<Ts...> text, Ts&&... xs) {
  if (enabled(level::warning)) write(level::warning, component, fmt::format(text, std::forward<Ts>(xs)...));
}
template <class... Ts> void error(std::string_view component, fmt::format_string<Ts...> text, Ts&&... xs) {
  if (enabled(level::error)) write(level::error, component, fmt::format(text, std::forward<Ts>(xs)...));
}
template <class... Ts> void debug(std::string_view component, fmt::format_string<Ts...> text, Ts&&... xs) {
  if (enabled(level::debug)) write(level::debug, component, fmt::format(text, std::forward<Ts>(xs)...));
}

} // namespace finstream::log
