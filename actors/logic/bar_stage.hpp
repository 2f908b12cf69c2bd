// THE BARS OF ONE PARTITION: a pure function of the partition's log. Records go in, in order; bars, ends of intervals
// and late events come out, the same ones for the same log, whatever ran when.
//
// The one idea is the merge law: every interval is a multiple of the grid (their greatest common divisor), so an event
// is only ever added to its grid bar, and a grid bar that closes is merged into the longer ones. Lateness is decided
// once for all intervals (`accept_from`): an event counts in all of its bars or in none.
//
// A window that is closed is kept for as long as late events may revise it. A late event is added to the grid bar and
// to the longer ones themselves; those among them that were published are published again, once a record of the log.
#pragma once

#include "actors/logic/bar_builder.hpp"
#include "actors/logic/key_index.hpp"
#include "actors/logic/source_clock.hpp"
#include "messages/event/derived.hpp"
#include "messages/event/market_event.hpp"
#include "messages/event/source_event.hpp"
#include "messages/event/window_name.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace finstream {

struct source_set {
  std::string name;
  std::vector<std::string> providers; // in rank order

  friend bool operator==(const source_set&, const source_set&) = default;
};

struct bar_rules {
  std::vector<nanoseconds> intervals{1 * second, 2 * second, 5 * second, 60 * second}; // ascending
  source_clock_rules clock;
  std::vector<source_set> sets; // a provider in none is a set of its own, under its own name
  std::uint64_t max_open_windows = 1'000'000;
  std::uint64_t schema = 0; // stamped into each bar
  std::uint64_t config_hash = 0;
  nanoseconds revise_for = 0; // how far before `accept_from` a late event still counts; 0: no bar is ever revised

  std::string save() const;
  // Errors: corrupt_record.
  static expected<bar_rules> load(std::string_view bytes);
};

// An event that came after its window was closed, or would make its bar's sums overflow.
struct rejected_event {
  errc code = errc::late;
  market_event event;
  std::uint64_t offset = 0;
  nanoseconds lateness = 0; // of `late`: how far behind the first time that was still open
};

struct stage_output {
  std::vector<derived> records;
  std::vector<rejected_event> rejected;

  bool empty() const { return records.empty() && rejected.empty(); }
};

class bar_stage {
public:
  explicit bar_stage(bar_rules rules);

  void on_events(std::uint64_t first_offset, timestamp log_ts, const event_batch& batch);
  void on_source(timestamp log_ts, const source_event& what);
  void on_clock(timestamp log_ts); // the passing of time
  // Events of the past, which others make bars of. A source that has sent nothing else is taken to be as far as they
  // go: what they are in is not made a second time.
  void on_backfill(const event_batch& batch);
  // Others make the bars of these windows from here on, whatever comes to them: those of a source that has none open.
  void on_taken_over(const taken_windows& what);
  // These rules hold from here on. They are in the log, so that a replay needs nothing but the log. Where intervals or
  // sets of sources have changed, everything open is closed.
  void on_rules(const bar_rules& rules);
  // The node started, with these rules.
  void on_start(timestamp log_ts, const bar_rules& rules);

  stage_output take_output();
  const bar_rules& rules() const { return rules_; }
  bool has_open_windows() const { return open_windows_ != 0; }
  std::uint64_t open_windows() const { return open_windows_; }
  std::uint64_t series_count() const { return series_.size(); }
  std::uint64_t events() const { return events_; } // that were counted in bars

  // Up to where nothing that comes can change a bar of this source set, up to where its windows are closed, and whether
  // it has no window open.
  struct settlement {
    timestamp until = earliest;
    timestamp closed_until = earliest;
    bool at_rest = true;
  };
  // Bars of a window that was taken over, which were not published: how many, and what the last of them said of how
  // much was seen.
  struct withheld_bars {
    std::uint64_t count = 0;
    std::uint32_t flags = 0;
    decimal coverage;
  };
  settlement settled(const std::string& set_name) const; // nothing is known of it: not at rest
  bool knows(const std::string& set_name) const;
  const withheld_bars* withheld(const window_name& x) const; // null if it was not taken over, or is settled

  std::string save() const;
  // Errors: corrupt_record, incompatible (written by a newer version).
  static expected<bar_stage> load(std::string_view bytes);

private:
  struct closed_window {
    bar_builder content;
    std::uint32_t revision = 0;
  };
  struct window_list {
    std::vector<bar_builder> open;     // ascending by start; seldom more than two
    std::vector<closed_window> closed; // that may be revised yet, ascending by start
  };
  struct series {
    series_key key; // provider is the set's name
    std::uint32_t set = 0;
    window_list grid;
    std::vector<window_list> longer; // by index into rules.intervals
  };
  struct hole {
    timestamp from, to;
  };
  using open_ends = std::map<std::int64_t, std::vector<std::uint32_t>>; // end of an open window -> its series
  // A window of a series: of an interval, by its index.
  struct window_place {
    std::uint32_t series = 0;
    std::uint32_t interval = 0;
  };
  struct revised_window {
    std::int64_t start = 0;
    window_place where;
  };
  // One source set's state in this partition.
  struct set_state {
    std::string name;
    std::vector<std::string> providers;
    source_clock clock;
    timestamp accept_from = earliest;                               // events before this are late
    timestamp next_boundary = earliest;                             // the watermark has nothing to do before this
    timestamp first_seen{std::numeric_limits<std::int64_t>::max()}; // smallest accepted src_ts
    std::vector<timestamp> said_until; // by interval: ends of intervals are said up to here
    std::vector<hole> holes; // of source time in which something was missed: apart from one another, ascending
    timestamp unknown_since = earliest; // down without a promise to go on: a hole that has no end yet
    open_ends grid_open;
    std::vector<open_ends> longer_open;                            // by interval
    std::map<std::int64_t, std::vector<window_place>> closed_ends; // end -> closed windows that are kept
    timestamp revisable_from = earliest; // what was closed before this is not kept, whatever the rules say now
    std::map<window_name, withheld_bars> taken = {}; // that were taken over, until they are settled
  };
  // What an event's key number means here.
  struct target {
    std::uint32_t set = 0;
    std::uint32_t rank = 0;
    std::uint32_t feed = 0;                      // number of the feed that sent it last
    std::int32_t trade = -1, bid = -1, ask = -1; // series, made when first used
  };

  bool load_windows(byte_reader& in, window_list& windows, std::uint32_t index, nanoseconds span, open_ends& open);
  bool load_closed(byte_reader& in, window_list& windows, std::uint32_t index, std::int32_t interval);
  void change_rules(const bar_rules& rules);
  void change_source(timestamp log_ts, const source_event& what);
  std::uint32_t feed_number(const std::string& feed);
  void note_provider(target& where, const event_batch& batch, const event_row& row);
  target make_target(const series_key& key);
  std::uint32_t find_set(const std::string& provider);
  std::uint32_t rank_in(const set_state& set, const std::string& provider) const;
  std::int32_t make_series(std::uint32_t set, std::string symbol);
  void add_event(target& where, const event_batch& batch, const event_row& row, std::uint64_t offset, timestamp log_ts);
  bool count(target& where, const event_row& row, const std::string& symbol, contribution& x, bool late);
  bar_builder& window_at(std::int32_t index, std::int64_t ts);
  bar_builder& grid_window(std::uint32_t index, std::int64_t start);
  void reject(errc code, const event_batch& batch, const event_row& row, std::uint64_t offset, nanoseconds lateness);

  void follow_time(timestamp log_ts);
  void follow_watermark(set_state& set, timestamp watermark);
  void flush_idle(set_state& set, timestamp log_ts);
  std::int64_t first_end(const set_state& set) const;
  void close_until(set_state& set, timestamp limit);
  void close_grid(set_state& set, std::int64_t end);
  void close_longer(set_state& set, std::size_t interval, std::int64_t end);
  void say_end(set_state& set, std::size_t interval, timestamp start, timestamp end, interval_reason reason);
  void say_silence(set_state& set, std::size_t interval, timestamp until);
  static void lose_sight(set_state& set);
  static void see_again(set_state& set, timestamp from);
  static void note_hole(set_state& set, timestamp from, timestamp to);
  void emit(set_state& set, const series& of, const bar_builder& x, nanoseconds interval, std::uint32_t revision = 0);
  void judge_coverage(const set_state& set, bar& x) const;
  void merge_up(set_state& set, std::uint32_t index, const bar_builder& child);
  std::vector<std::uint32_t> in_name_order(std::vector<std::uint32_t> indices);
  void enforce_limit(set_state& set);

  bool is_revisable(const set_state& set, timestamp ts) const;
  bool can_revise(std::int32_t index, const contribution& x);
  void revise(std::int32_t index, const contribution& x);
  void revise(window_place where, const contribution& x);
  window_list& windows_at(window_place where);
  void keep(set_state& set, window_place where, const bar_builder& x);
  void forget_closed(set_state& set);
  const set_state* find_set_named(const std::string& name) const;
  settlement settled(const set_state& set) const;
  void forget_taken(set_state& set) const;
  static bool withhold(set_state& set, const bar& x);
  void publish_revisions();

  bar_rules rules_;
  nanoseconds grid_ = second;
  std::int32_t grid_interval_ = -1; // index of the interval that equals the grid; -1 if none does
  std::uint64_t open_windows_ = 0;
  std::uint64_t events_ = 0;
  std::vector<series> series_;
  std::map<series_key, std::int32_t> series_of_;
  std::deque<set_state> sets_;              // stable addresses, in the order in which they were met
  std::vector<std::uint32_t> sets_by_name_; // the order of what is said: the first does not depend on what is in memory
  std::map<std::string, std::set<std::string>> providers_of_feed_; // in this partition
  std::map<std::string, std::uint32_t> feed_numbers_;              // from 1
  std::uint32_t current_feed_ = 0;
  std::map<std::string, std::uint32_t> set_of_provider_;
  key_index<std::uint32_t> index_;
  std::vector<target> targets_;
  std::vector<revised_window> revised_; // by the record at hand; a window may be in it more than once
  stage_output output_;
};

} // namespace finstream
