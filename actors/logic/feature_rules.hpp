// Which features there are, and over which horizons. The rules travel in the log, so that a replay needs nothing else.
#pragma once

#include "actors/logic/feature_window.hpp"
#include "messages/errors.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

struct feature_rules {
  nanoseconds interval = second; // features rest on bars of this interval; other bars are passed over
  std::vector<feature_window> windows;
  nanoseconds year = 365 * (86'400 * second); // of vol_ann: year / interval periods
  nanoseconds revise_for = 0;      // how far before the newest bar's start a bar may start that is revised, or late
  std::uint64_t max_bars = 10'000; // history of a series: a limit on memory
  std::uint64_t schema = 0;        // stamped into each vector
  std::uint64_t config_hash = 0;

  // Nothing, or what is wrong: a stage takes no such rules.
  std::string fault() const;
  std::string save() const;
  // Errors: corrupt_record, incompatible.
  static expected<feature_rules> load(std::string_view bytes);

  friend bool operator==(const feature_rules&, const feature_rules&) = default;
};

} // namespace finstream
