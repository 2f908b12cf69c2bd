// A decision that a rule or a model made of one feature vector. CONVENTIONS 7. Signals are facts: once written, no
// revision of their inputs changes them.
#pragma once

#include "messages/field.hpp"
#include "messages/value/decimal.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace finstream {

// What the condition or the model was given.
struct signal_input {
  std::string name;
  std::optional<double> value;

  friend bool operator==(const signal_input&, const signal_input&) = default;
};
template <of<signal_input> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"name", x.name}, field{"value", x.value});
}

struct signal {
  std::uint32_t ver = 1;
  std::string signal_id; // 32 hex digits: hash of rule or model, its hash, provider, symbol and ts
  std::string provider;
  std::string symbol;
  timestamp ts; // end of the bar
  std::string name;
  double value = 0;
  double score = 0;
  std::string adapter;      // "rules", or the model's name
  std::uint64_t maker = 0;  // hash of the rule or of the model
  nanoseconds interval = 0; // with provider, symbol and bar_start: the key of the bar at whose close it was made
  timestamp bar_start;
  std::uint32_t bar_revision = 0;
  timestamp inputs_start; // bars of this series from here to ts are behind it
  price close;            // of that bar
  std::vector<signal_input> inputs;
  std::uint64_t first_offset = 0; // in topic `events` of the partition
  std::uint64_t last_offset = 0;
  std::uint64_t schema = 0;
  std::uint64_t config_hash = 0;

  friend bool operator==(const signal&, const signal&) = default;
};
template <of<signal> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"ver", x.ver}, field{"signal_id", x.signal_id}, field{"provider", x.provider},
           field{"symbol", x.symbol}, field{"ts", x.ts}, field{"name", x.name}, field{"value", x.value},
           field{"score", x.score}, field{"adapter", x.adapter}, field{"maker", x.maker}, field{"interval", x.interval},
           field{"bar_start", x.bar_start}, field{"bar_revision", x.bar_revision},
           field{"inputs_start", x.inputs_start}, field{"close", x.close}, field{"inputs", x.inputs},
           field{"first_offset", x.first_offset}, field{"last_offset", x.last_offset}, field{"schema", x.schema},
           field{"config_hash", x.config_hash});
}

} // namespace finstream
