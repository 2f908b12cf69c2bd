// What the stages of a partition make of its log, each in a topic of its own: bars, then features of the bars, then
// signals of the features.
#pragma once

#include "messages/event/bar.hpp"
#include "messages/event/feature.hpp"
#include "messages/event/signal.hpp"

#include <cstdint>
#include <string>
#include <variant>

namespace finstream {

// The settings by which all stages work from here on: payload of the records that say that the node has started, or
// that they have changed.
struct stage_rules {
  std::string bars;     // bar_rules, saved
  std::string features; // feature_rules, saved; empty: no features
  std::string signals;  // rule_book, saved; empty: no signals

  friend bool operator==(const stage_rules&, const stage_rules&) = default;
};
template <of<stage_rules> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"bars", x.bars}, field{"features", x.features}, field{"signals", x.signals});
}

// The topics of what the stages make.
enum class derived_topic : std::uint8_t { bars = 0, features = 1, signals = 2 };
inline constexpr derived_topic derived_topics[] = {derived_topic::bars, derived_topic::features,
                                                   derived_topic::signals};

// DO NOT CHANGE THE ORDER: its number in this list marks each item in the log.
using derived = std::variant<bar, end_of_interval, feature_vector, signal>;

} // namespace finstream
