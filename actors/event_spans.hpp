// Where in a partition's log the events of a stretch of time are. The log is in the order of arrival; this remembers,
// for every few thousand events of it, the times they are of, so that a backfill reads what it needs and not all of it.
// Nothing of this is stored: it follows from the log, which is gone over once, when the lane first needs it.
#pragma once

#include "actors/log_entries.hpp"
#include "actors/logic/backfill_bars.hpp"
#include "actors/set_aside.hpp"

#include <algorithm>
#include <functional>
#include <vector>

namespace finstream {

class event_spans {
public:
  event_spans(const bus& log, std::uint16_t partition) : log_{log}, partition_{partition} {}

  // Goes on towards the log's end, a bounded step: true if it is there. Errors: those of the log.
  expected<bool> follow();
  // Every batch with events of these times, backfilled ones among them; each with other events, too. Errors: those of
  // the log.
  expected<void> visit(const stretches& times, const std::function<void(const log_entry&)>& visit) const;
  // Of these windows, ascending, those whose times have no more than so many events, whosever they are.
  std::vector<window_name> with_at_most(std::uint64_t events, const std::vector<window_name>& windows) const;
  // Whether the live stages would not have it, because it came too late for them.
  bool came_late(std::uint64_t offset) const { return std::binary_search(late_.begin(), late_.end(), offset); }

  std::uint64_t next() const { return next_; } // the log is known up to here
  std::size_t size() const { return spans_.size(); }

private:
  struct span {
    std::uint64_t offset = 0, next = 0;
    timestamp first, last; // smallest and largest src_ts
  };

  void note(const log_entry& entry);
  expected<void> follow_rejected();

  const bus& log_;
  std::uint16_t partition_;
  std::uint64_t next_ = 0, next_rejected_ = 0;
  set_aside_records aside_; // as follow() found it: of these nobody makes anything
  std::vector<span> spans_;
  std::vector<std::uint64_t> late_; // offsets of events, ascending
};

} // namespace finstream
