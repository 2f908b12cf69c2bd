// What lineage reads of the log: events of a series, and the rules that were in force. Every read counts against one
// budget, so that a question is answered in bounded time however long the log is; what it did not reach, it says.
#pragma once

#include "actors/logic/bar_stage.hpp"
#include "actors/logic/feature_rules.hpp"
#include "actors/logic/rule_stage.hpp"
#include "actors/set_aside.hpp"
#include "messages/command/log_flow.hpp"
#include "runtime/bus/bus.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace finstream {

// An event where it stands in the log.
struct logged_event {
  std::uint16_t partition = 0;
  std::uint64_t offset = 0;
  timestamp log_ts;
  batch_ptr batch; // and others with it
  std::size_t row = 0;
  std::optional<std::string> raw = {}; // the line it came from, where that is kept

  const event_row& what() const { return batch->rows[row]; }
  const series_key& key() const { return (*batch->keys)[what().key]; }
};

// The rules of all stages, as a start record of the log or a checkpoint of the stages has them.
struct logged_rules {
  std::string found_in; // "the start record at offset 0"
  bar_rules bars;
  std::optional<feature_rules> features;
  std::optional<rule_book> signals;

  // Null: there is none with this hash.
  const signal_rule* rule_of(std::uint64_t hash) const;
  // The window that a feature value belongs to; of ohlcv the values are NAME.open, NAME.high ... Null: it has none.
  const feature_window* window_of(const std::string& value) const;
  // Whether events of this provider are in the bars of the source or source set of this name.
  bool feeds(const std::string& provider, const std::string& name) const;
};

// What a model was when it was asked, and where in the log its answer is.
struct logged_answer {
  std::uint64_t offset = 0;
  answers said; // but for its rows
};

class lineage_log {
public:
  lineage_log(const bus& log, std::uint32_t partitions, std::size_t most_bytes)
    : log_{log}, partitions_{partitions}, left_{most_bytes} {}

  // Of a series of bars. Those of a quote's sides lie with the quote; where the name alone does not tell (a symbol of a
  // feed may end in .BID too), the likelier one stands first.
  std::vector<std::uint16_t> partitions_of(const std::string& symbol) const;
  expected<log_range> range(std::uint16_t partition) const { return log_.range(topic::events, partition); }
  bool is_exhausted() const { return left_ == 0; }

  // Entries that the stages saw, from the one that holds `from` to the one that holds `to`, until `visit` returns
  // false. False: the budget was exhausted before that. Errors: those of the log.
  expected<bool> walk(std::uint16_t partition, std::uint64_t from, std::uint64_t to,
                      const std::function<bool(const record&)>& visit);
  // Errors: trimmed, not_found (what it is instead), those of the log.
  expected<logged_event> event_at(std::uint16_t partition, std::uint64_t offset);
  // Adds the lines they came from, as far as they are kept. The events are of this partition, in the order of the log.
  expected<void> add_lines(std::uint16_t partition, std::vector<logged_event>& events);
  // Why the event is in no bar: the dead letter's reason. Nothing, if it was not rejected.
  expected<std::optional<std::string>> rejection_of(const logged_event& x);
  // The rules by which the entry at `offset` was dealt with, from the last start record before it; where that is
  // trimmed, from the checkpoint that the log begins at. Nothing: not within the budget.
  expected<std::optional<logged_rules>> rules_at(std::uint16_t partition, std::uint64_t offset);
  // The same of the next start record behind the entry at `offset` that has the rule of this hash. Looks only a little
  // way ahead. Nothing: there is none.
  expected<std::optional<logged_rules>> rules_ahead(std::uint16_t partition, std::uint64_t offset, std::uint64_t rule);
  // The answer that a model's signal comes of: it stands behind the signal's newest event. Looks only a little way
  // ahead. Nothing: there is none.
  expected<std::optional<logged_answer>> answer_behind(std::uint16_t partition, const signal& x);
  // Those of the newest checkpoint. Nothing, if there is none yet.
  expected<std::optional<logged_rules>> newest_rules(std::uint16_t partition);

private:
  expected<const set_aside_records*> aside_of(std::uint16_t partition);

  const bus& log_;
  std::uint32_t partitions_;
  std::size_t left_; // bytes that may still be read
  std::map<std::uint16_t, set_aside_records> aside_;
};

} // namespace finstream
