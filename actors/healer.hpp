// One partition's past: which posted events are new to it, and what they change. It reads the log and the stores and
// writes nothing: what is to be written is a lane_part, which the appender takes.
//
// Events go into the log first, and the windows they touch are owed. A window is healed when the live stages say
// nothing of it any more: then its bar is made again from all its events, and what differs from what was published is
// published with a higher revision. They are done with it when it is settled; or, for a source at rest, which may never
// go on, when they have read in the log that it is taken over. How far they are is read from their last checkpoint,
// which is written together with all that they had made; so nothing is judged by what is only on its way.
#pragma once

#include "actors/event_spans.hpp"
#include "actors/logic/backfill_features.hpp"
#include "actors/owed_windows.hpp"
#include "messages/command/backfill.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace finstream {

// What posted events are to a partition.
struct intake {
  std::shared_ptr<event_batch> fresh; // or null
  std::set<window_name> touched;
  std::uint64_t duplicates = 0;
  std::uint64_t trimmed = 0; // of bars that cannot be made again: their other events are no longer in the log
  timestamp trimmed_from, trimmed_to;
  bool is_behind = false; // the log has yet to be gone over: nothing is known
};

struct healing {
  lane_part part;
  healed_counts counts;
  std::vector<window_name> finished; // owed no longer
  std::vector<std::pair<window_name, owed_window>> kept;

  bool writes() const { return !part.healed.empty() || !part.owed.empty() || !part.taken_over.windows.empty(); }
};

class healer {
public:
  healer(const bus& log, std::uint16_t partition) : log_{log}, partition_{partition}, spans_{log, partition} {}

  expected<void> recover(); // errors: those of the log; also below

  // `rules` are those in force.
  // In bounded time: see `is_behind`.
  expected<intake> look_at(const event_batch& posted, const bar_rules& rules);
  lane_part part_of(const intake& x, std::vector<dead_letter> letters) const;
  void on_taken(const intake& x, std::uint64_t next); // the log's end after it

  // What can be healed now, a bounded piece of it. Nothing to write where there is nothing.
  expected<healing> heal();
  void on_healed(const healing& x, std::uint64_t next); // `next`: as above, where anything was written
  // What these events would change, if their windows could be healed now; nothing is kept.
  expected<healed_counts> would_heal(const intake& x);

  std::size_t owed() const { return owed_.size(); }
  bool is_waiting() const { return !is_done_; } // there may be something to heal without more from anyone

private:
  struct piece { // of the windows that are owed
    std::set<window_name> windows;
    std::set<window_name> put_off; // that late events touch, and the live stages still have: they are owed from here on
    std::set<std::pair<std::string, std::string>> series; // source sets and symbols of the events in them
    stretches times;

    void add(const window_name& x, bool is_made);
  };

  enum class hold : std::uint8_t {
    live,   // the live stages have a say in it
    rests,  // they may come to it, and have nothing open
    taken,  // the lane's, as long as it is not settled
    settled // nobody comes to it any more
  };

  expected<bool> read_checkpoint();
  hold hold_of(const window_name& x) const;
  bool is_due(const window_name& x, const owed_window& state) const;
  bool is_made(const window_name& x) const; // by the rules of the checkpoint
  piece choose(std::size_t most_windows) const;
  expected<healing> take_over();
  expected<bool> gather(piece& what, gathered_events& events, const intake* posted) const;
  expected<healing> make(const piece& what, const gathered_events& events) const;
  expected<std::optional<bar>> published_bar(const window_name& x) const;
  expected<void> heal_features(const std::vector<bar>& bars, healing& out) const;
  expected<void> heal_series(const feature_rules& rules, const std::vector<bar>& changed, healing& out) const;

  const bus& log_;
  std::uint16_t partition_;
  event_spans spans_;
  owed_windows owed_;
  std::optional<bar_stage> stage_; // as in the last checkpoint that was looked at
  std::optional<feature_rules> features_;
  std::optional<rule_book> signals_;
  std::uint64_t checkpoint_at_ = 0; // its offset
  // The log's end after the last that was written: of events, of windows taken over, of what was healed.
  std::uint64_t taken_next_ = 0, taken_over_next_ = 0, healed_next_ = 0;
  std::optional<std::uint64_t> nothing_due_at_; // of this checkpoint's offset, and nothing has come since
  bool is_done_ = false;
};

} // namespace finstream
