// WHERE A NUMBER COMES FROM, and where it went: from a signal back through its rule, its features and their bars to the
// very events of the log, and from one event forward to the bars, features and signals it is in.
//
// Nothing is written down for this: bars, vectors and signals name the log's offsets they rest on, and the rules are in
// the log. What is no longer there (trimmed), or is more than the limits allow, is said, never left out in silence.
#pragma once

#include "actors/lineage_log.hpp"
#include "messages/event/feature.hpp"
#include "messages/event/signal.hpp"

#include <optional>
#include <string>
#include <vector>

namespace finstream {

struct lineage_limits {
  std::size_t bars = 1000;                // of one answer; of a signal, the newest
  std::size_t events = 10'000;            // of one answer
  std::size_t vectors = 1000;             // that an event is in
  std::size_t signals = 1000;             // that are made of these
  std::size_t read_bytes = 256u << 20;    // of the log
  std::size_t vectors_looked_at = 20'000; // to find those that an event is in
};

// Names one bar. As text PROVIDER/SYMBOL/INTERVAL/START, such as nyse/SPY/1s/2026-11-21T13:00:00Z.
struct bar_name {
  std::string provider; // or the source set
  std::string symbol;   // may have a / of its own
  nanoseconds interval = 0;
  timestamp start;
};
bar_name name_of(const bar& x);
std::string to_string(const bar_name& x);
// Errors: invalid_argument.
expected<bar_name> parse_bar_name(const std::string& text);

struct bar_lineage {
  bar what;
  std::uint16_t partition = 0;
  bool is_compared = false;         // of a signal: it lies before the inputs, and the close of it was compared with
  std::vector<logged_event> events; // in the order of the log
  std::string missing;              // why these are not all of its events; empty: they are
};

struct rule_lineage {
  signal_rule rule;
  name_bindings names; // those the condition uses: its own name -> the feature value
  std::string found_in;
};

struct signal_lineage {
  signal what;
  std::uint16_t partition = 0;
  std::optional<rule_lineage> rule;
  std::optional<logged_answer> model; // that made it, where no rule did
  std::optional<feature_vector> features;
  std::vector<bar_lineage> bars; // oldest first
  bool truncated = false;
  std::vector<std::string> notes; // what is not there or not certain, and why
};

struct event_lineage {
  logged_event what;
  std::string rejected; // why it is in no bar, if it was rejected
  std::vector<bar> bars;
  std::vector<feature_vector> vectors;
  std::vector<signal> signals;
  bool truncated = false;
  std::vector<std::string> notes;
};

// Of a signal, by its id. Errors: not_found, those of the log.
expected<signal_lineage> lineage_of_signal(const bus& log, std::uint32_t partitions, const lineage_limits& limits,
                                           const std::string& signal_id);
// Errors: not_found, those of the log.
expected<bar_lineage> lineage_of_bar(const bus& log, std::uint32_t partitions, const lineage_limits& limits,
                                     const bar_name& name);
// Errors: trimmed, not_found, those of the log.
expected<event_lineage> lineage_of_event(const bus& log, std::uint32_t partitions, const lineage_limits& limits,
                                         std::uint16_t partition, std::uint64_t offset);

} // namespace finstream
