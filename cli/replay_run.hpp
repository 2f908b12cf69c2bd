// One partition's log, gone over again through the stages: what comes is printed, compared with what is stored, or
// written aside.
#pragma once

#include "actors/log_bases.hpp"
#include "actors/stages.hpp"
#include "cli/side_topic.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace finstream {

// Of what comes, by its own time: when a bar starts, and a signal's ts.
struct replay_selection {
  timestamp from = earliest;
  timestamp to{std::numeric_limits<std::int64_t>::max()};
  std::vector<std::string> symbols; // empty: all; those of a quote's bars are its symbol's

  bool is_all() const {
    return from == earliest && to.ns == std::numeric_limits<std::int64_t>::max() && symbols.empty();
  }
  bool holds(timestamp t, const std::string& symbol) const;
  bool holds(const derived& x) const; // an end of an interval by its start alone
};

struct replay_outcome {
  std::uint64_t events = 0, records = 0, bars = 0, vectors = 0, signals = 0;
  std::uint64_t differences = 0;
  // Rows that the stores hold of what came.
  std::uint64_t stored_bars = 0, stored_vectors = 0, stored_signals = 0;
  std::uint64_t head = 0; // of one partition's log
  side_counts aside;
  std::vector<std::string> told;

  void differ(std::string what);
  void add(replay_outcome&& x);
};

struct replay_plan {
  replay_selection what;
  bool verify = false;
  side_topic* into = nullptr;                // or null
  std::function<void(const derived&)> print; // or nothing
};

// Walks the records of a derived topic beside the replay.
class derived_walk {
public:
  derived_walk(const bus& log, topic where, std::uint16_t partition, std::uint64_t offset)
    : log_{log}, where_{where}, partition_{partition}, offset_{offset} {}
  // The next record, or null at the end, or where the log cannot be read: then there is a failure.
  const record* next();
  const std::optional<failure>& failed() const { return failure_; }

private:
  const bus& log_;
  topic where_;
  std::uint16_t partition_;
  std::uint64_t offset_;
  std::vector<record> records_;
  std::size_t at_ = 0;
  std::optional<failure> failure_;
};

class partition_replay {
public:
  partition_replay(const bus& log, std::uint16_t partition, const replay_plan& plan);

  // All of these: errors of the log and of the stages.
  expected<void> begin();
  // The log time of the next record; nothing at the end.
  expected<std::optional<timestamp>> next_log_ts();
  expected<void> step();
  expected<void> run(); // to the end
  expected<replay_outcome> finish();

private:
  expected<bool> fill();
  expected<void> take(record from);
  expected<void> take(derived_topic where, const derived_record& made);
  expected<void> take(const derived& item);
  void compare_next(const new_record& made, bool counts);
  expected<void> find_surplus();
  expected<void> take_surplus(topic where, const record& there);
  expected<void> find_checkpoint();
  void compare_checkpoint();

  const bus& log_;
  std::uint16_t partition_;
  const replay_plan& plan_;
  partition_stages stages_;
  std::uint64_t dealt_with_ = 0;
  std::uint64_t next_ = 0, end_ = 0;
  // A copy of a log on a broker may have outputs before the events that they were made of (journal_copy.cpp).
  bool is_ahead_ = false;
  timestamp last_log_ts_ = earliest; // of the last event
  std::vector<record> records_;
  std::size_t at_ = 0;
  std::map<topic, derived_walk> stored_;
  std::optional<std::pair<std::uint64_t, stage_states>> checkpoint_; // until the replay has come to it
  replay_outcome out_;
};

// Every row that the replay gives has been looked up: what the stores hold beyond these, the replay did not give. Rows
// of events older than the log are left out; `heads` says, by partition, where it begins. The bars of a quote have the
// symbol with .BID or .ASK, and lie with the symbol's own.
void count_store(const bus& log, replay_outcome& all, const std::vector<std::uint64_t>& heads,
                 const replay_selection& what);

// Where the log of a series begins.
std::uint64_t head_of(std::string_view symbol, const std::vector<std::uint64_t>& heads);

// How many the log was made with; `otherwise` where it does not say.
int partitions_of(const bus& log, int otherwise);
// The whole log against all that is stored, one partition after the other. Errors: those of the log and the stages.
expected<replay_outcome> compare_all(const bus& log, int partitions);

} // namespace finstream
