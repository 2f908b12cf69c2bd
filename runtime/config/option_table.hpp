// The words in which the table of settings is written. Private to options.cpp and options_bus.cpp.
#pragma once

#include "runtime/config/options.hpp"

namespace finstream::option_table {

inline constexpr std::uint64_t mebibyte = 1u << 20;
inline constexpr std::uint64_t gibibyte = 1u << 30;
inline constexpr std::uint64_t tebibyte = std::uint64_t{1} << 40;
inline constexpr std::uint64_t minute_ms = 60'000;
inline constexpr std::uint64_t hour_ms = 60 * minute_ms;
inline constexpr std::uint64_t day_ms = 24 * hour_ms;
inline constexpr std::uint64_t longest_retention_ms = 3'660 * day_ms; // ten years
inline constexpr nanoseconds longest_span = 366 * 86'400 * second;

using table = std::vector<option>;

template <class T>
option number(std::string_view path, T& member, std::uint64_t least, std::uint64_t most, std::string_view help) {
  return {.path = path, .value = &member, .help = help, .least = least, .most = most};
}

inline option text(std::string_view path, std::string& member, text_form form, std::string_view help) {
  return {.path = path, .value = &member, .help = help, .form = form};
}

// Booleans, choices, lists: their type says what they may be.
template <class T> option plain(std::string_view path, T& member, std::string_view help) {
  return {.path = path, .value = &member, .help = help};
}

inline option span(std::string_view path, nanoseconds& member, nanoseconds least, nanoseconds most,
                   std::string_view help) {
  return {.path = path,
          .value = &member,
          .help = help,
          .least = static_cast<std::uint64_t>(least),
          .most = static_cast<std::uint64_t>(most)};
}

inline option deciding(stage what, option x) {
  x.decides = what;
  return x;
}
inline option deciding_bars(option x) { return deciding(stage::bars, x); }
inline option deciding_features(option x) { return deciding(stage::features, x); }

inline void add(table& out, std::initializer_list<option> rows) { out.insert(out.end(), rows); }

// options_bus.cpp
void add_bus(table& out, bus_settings& x);

} // namespace finstream::option_table
