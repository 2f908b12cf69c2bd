// What the stages made of a partition's log, on its way into it: the part of the appender that deals with results. It
// puts them into the appender's transaction, with the rows of the stores and the position they stand at, so that all of
// it is written or none; and it keeps what is recent for those who read it as it comes.
#pragma once

#include "actors/context.hpp"
#include "actors/log_bases.hpp"
#include "actors/logic/seldom_told.hpp"
#include "messages/protocols.hpp"

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace finstream {

// The rows of the stores in which it is found again.
void add_rows(transaction& tx, const derived& item);

class derived_writer {
public:
  derived_writer(node_context* context, std::uint16_t partition);

  expected<void> recover(); // errors: those of the log

  // A result, ready to be written; as often as that takes.
  struct output {
    std::uint64_t dealt_with = 0;
    std::vector<std::pair<derived_topic, std::shared_ptr<derived_record>>> records;
    std::vector<std::pair<timestamp, dead_letter>> rejected; // with their log_ts
    std::vector<nanoseconds> late_by;                        // of those among them that came late
    std::optional<stage_states> snapshot;
  };
  // What a window that crashed had handed in comes again from its successor: the same, since it is a function of the
  // log. So only what lies beyond dealt_with() is taken.
  output take(stage_result& result) const;
  // The transaction holds nothing else; `log_ts` is the log's last.
  void add_to(transaction& tx, const output& what, timestamp log_ts);
  void on_written(const output& what, const std::vector<std::uint64_t>& offsets);
  // Where another process writes it: what it has written so far. Answers dealt_with().
  expected<std::uint64_t> follow();
  void trim(timestamp now); // likewise: by the bases that it has written
  // Whether the log holds what this knows of, and nothing beyond: a write that failed may be there all the same.
  bool agrees_with_log() const;

  // Nothing, if there is nothing from `offset` on yet.
  std::optional<fresh_derived> fresh(derived_topic where, std::uint64_t offset) const;
  std::uint64_t dealt_with() const { return dealt_with_; } // outputs for all before it are written
  std::uint64_t next(derived_topic where) const { return at(where).next; }

private:
  struct topic_state {
    std::uint64_t next = 0;                // the topic's end
    std::deque<derived_record_ptr> recent; // without holes
  };
  struct flush_counters {
    metrics::counter* bars = nullptr;
    metrics::counter* rows = nullptr;
  };

  expected<void> find_ends();
  const topic_state& at(derived_topic where) const { return topics_[static_cast<std::size_t>(where)]; }
  void count(const derived& item);
  void count_bar(const bar& x);
  void count_rejected(const output& what);

  node_context* context_;
  std::uint16_t partition_;
  std::string path_;
  log_trimmer trimmer_;
  std::uint64_t dealt_with_ = 0;
  std::array<topic_state, std::size(derived_topics)> topics_;
  std::uint64_t next_rejected_ = 0;
  metrics::counter& vectors_;
  seldom_told rejected_told_;
  std::map<std::pair<nanoseconds, std::string>, flush_counters> flushed_; // by interval and symbol
};

} // namespace finstream
