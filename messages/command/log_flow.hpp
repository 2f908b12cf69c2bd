// What ingestors, appenders, windows and the hub say to each other about the log. These travel between actors of one
// process only, so they share memory instead of being serialised.
#pragma once

#include "messages/codec/raw_lines.hpp"
#include "messages/command/set_aside.hpp"
#include "messages/event/answers.hpp"
#include "messages/event/derived.hpp"
#include "messages/event/market_event.hpp"
#include "messages/event/source_event.hpp"
#include "messages/event/window_name.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace finstream {

// One feed's part of one chunk, for one partition. All of it is appended at once, in this order.
struct chunk_part {
  std::string feed;
  std::uint64_t sender = 0;             // which life of which ingestor numbered it
  std::vector<source_event> before;     // hello, gap
  batch_ptr events;                     // or null
  std::shared_ptr<const raw_lines> raw; // its rows' lines, or null; their offset is the appender's to say
  std::vector<source_event> after;      // heartbeat, eof; what became of the process
  std::vector<dead_letter> dead_letters;
  std::optional<resume_point> resume; // all before it is in the log: saved together with this
};
using chunk_part_ptr = std::shared_ptr<const chunk_part>;

// What the backfill lane gives one partition: all of it is written at once.
struct lane_part {
  batch_ptr events;            // or null: those that are new
  std::vector<derived> healed; // bars, features and signals that follow from events written before
  taken_windows taken_over;    // from here on the lane alone publishes bars of them
  // Windows that are to be healed yet, by key; nothing: no longer.
  std::vector<std::pair<std::string, std::optional<std::string>>> owed;
  std::vector<dead_letter> dead_letters;
};
using lane_part_ptr = std::shared_ptr<const lane_part>;

// A record of topic `events`, taken apart once for all who read it.
struct log_entry {
  std::uint64_t offset = 0;
  std::uint32_t count = 1;
  std::uint8_t kind = 0; // record_kind
  timestamp log_ts;
  batch_ptr events;            // record_kind::events, backfill
  source_event source;         // record_kind::source
  stage_rules rules;           // record_kind::start, rules
  answers_ptr answered;        // record_kind::answers
  std::vector<derived> healed; // record_kind::healed
  taken_windows taken_over;    // record_kind::taken_over

  std::uint64_t next() const { return offset + count; }
};
using log_entry_ptr = std::shared_ptr<const log_entry>;

// A record of a derived topic: all that came of one log entry there, or a part of it where that is much.
struct derived_record {
  timestamp log_ts;         // that entry's
  std::uint64_t offset = 0; // in the derived topic, once it is written
  std::vector<derived> items;
};
using derived_record_ptr = std::shared_ptr<const derived_record>;

// What one log entry gives. It begins with the window, and each stage behind it adds its own.
struct stage_step {
  std::uint64_t cause = 0; // offset in topic `events`
  timestamp log_ts;
  std::optional<stage_rules> rules;         // these hold from here on
  answers_ptr answered;                     // what a model said, if the entry is that
  std::optional<line_stage> set_aside_from; // this stage and those behind it add nothing
  std::vector<derived> bars;                // and ends of intervals
  std::vector<derived> features;
  std::vector<derived> signals;
  std::vector<dead_letter> rejected; // events that are in no bar
  std::vector<nanoseconds> late_by;  // of those that came after their bars were closed
  bool is_healed = false;            // bars, features and signals are the lane's: no stage adds to them
};

// The states of the stages, all after the same log entry.
struct stage_states {
  std::string window, features, inference; // empty: nothing has come yet

  friend bool operator==(const stage_states&, const stage_states&) = default;
};

// The window's word to the stages behind it, each of which adds to it, and at last to the appender, which writes all of
// it at once: everything before `dealt_with` has been looked at, and this came of it.
struct stage_result {
  std::optional<stage_states> begin_with; // the first of a window's life: the others are to begin where it begins
  std::uint64_t dealt_with = 0;
  std::vector<stage_step> steps;
  std::optional<stage_states> snapshot; // after all before `dealt_with`
  bool open_windows = false;            // while there are any, the passing of time is logged
};
using stage_result_ptr = std::shared_ptr<stage_result>; // has one owner at a time

// Answer to a pull of events: entries from the offset asked for on, without holes. None and `behind`: it is no longer
// in memory and must be read from the log.
struct fresh_entries {
  std::uint16_t partition = 0;
  bool behind = false;
  std::vector<log_entry_ptr> entries;
};

// The same for a derived topic.
struct fresh_derived {
  std::uint16_t partition = 0;
  derived_topic where = derived_topic::bars;
  bool behind = false;
  std::vector<derived_record_ptr> records;
};

} // namespace finstream
