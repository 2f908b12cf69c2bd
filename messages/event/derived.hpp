// What the stages of a partition make of its log, each in a topic of its own: bars, then features of the bars, then
// signals of the features.
#pragma once

#include "messages/event/bar.hpp"
#include "messages/event/feature.hpp"
#include "messages/event/signal.hpp"

#include <string>
#include <variant>

namespace finstream {

// The settings by which the stages behind this one work from here on. It is handed from topic to topic in its place, so
// that each stage, and each replay of it, changes over at the same record.
struct stage_rules {
  std::string features; // feature_rules, saved; empty: no features
  std::string signals;  // rule_book, saved; empty: no signals

  friend bool operator==(const stage_rules&, const stage_rules&) = default;
};
template <of<stage_rules> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"features", x.features}, field{"signals", x.signals});
}

// DO NOT CHANGE THE ORDER: its number in this list marks each item in the log.
using derived = std::variant<bar, end_of_interval, stage_rules, feature_vector, signal>;

} // namespace finstream
