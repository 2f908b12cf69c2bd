// What ingestors, appenders, windows and the hub say to each other about the log. These travel between actors of one
// process only, so they share memory instead of being serialised.
#pragma once

#include "messages/event/dead_letter.hpp"
#include "messages/event/derived.hpp"
#include "messages/event/market_event.hpp"
#include "messages/event/source_event.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace finstream {

// One feed's part of one chunk, for one partition. All of it is appended at once, in this order.
struct chunk_part {
  std::string feed;
  std::uint64_t sender = 0;         // which life of which ingestor numbered it
  std::vector<source_event> before; // hello, gap
  batch_ptr events;                 // or null
  std::vector<source_event> after;  // heartbeat, eof; what became of the process
  std::vector<dead_letter> dead_letters;
  std::optional<resume_point> resume; // all before it is in the log: saved together with this
};
using chunk_part_ptr = std::shared_ptr<const chunk_part>;

// A record of topic `events`, taken apart once for all who read it.
struct log_entry {
  std::uint64_t offset = 0;
  std::uint32_t count = 1;
  std::uint8_t kind = 0; // record_kind
  timestamp log_ts;
  batch_ptr events;    // record_kind::events
  source_event source; // record_kind::source
  std::string rules;   // record_kind::start

  std::uint64_t next() const { return offset + count; }
};
using log_entry_ptr = std::shared_ptr<const log_entry>;

// What one log entry gave, to be written as one record of topic `bars`, with that entry's log_ts.
struct derived_record {
  std::uint64_t cause = 0; // offset in topic `events`
  timestamp log_ts;
  std::uint64_t offset = 0; // in topic `bars`, once it is written
  std::vector<derived> items;
};
using derived_record_ptr = std::shared_ptr<const derived_record>;

struct rejected_record {
  std::uint64_t cause = 0;
  timestamp log_ts;
  std::vector<dead_letter> items;
};

// The window's word to the appender: everything before `dealt_with` has been looked at, and this came of it.
struct stage_result {
  std::uint64_t dealt_with = 0;
  std::vector<derived_record_ptr> bars;
  std::vector<rejected_record> rejected;
  std::optional<std::string> snapshot; // state after all before `dealt_with`
  bool open_windows = false;           // while there are any, the passing of time is logged
};

// Answer to a pull of events: entries from the offset asked for on, without holes. None and `behind`: it is no longer
// in memory and must be read from the log.
struct fresh_entries {
  std::uint16_t partition = 0;
  bool behind = false;
  std::vector<log_entry_ptr> entries;
};

// The same for topic `bars`.
struct fresh_bars {
  std::uint16_t partition = 0;
  bool behind = false;
  std::vector<derived_record_ptr> records;
};

} // namespace finstream
