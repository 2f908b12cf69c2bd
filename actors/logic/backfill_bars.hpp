// HEALED BARS: what a backfill changes, computed aside from the live stages. Events of the past touch windows; a
// touched window is built again from all its events, by the very stage that builds live bars, and compared with what
// was published. So it does not matter what came live and what came later: in the end each bar is that of its events.
#pragma once

#include "actors/logic/bar_stage.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace finstream {

window_name window_of(const bar& x);

// The source set's name, or the provider's own where it is in none.
const std::string& set_of(const bar_rules& rules, const std::string& provider);
// Adds the windows that an event lies in: one of each interval, twice for the two sides of a quote.
void touch(std::set<window_name>& windows, const bar_rules& rules, const series_key& key, const event_row& row);

// Stretches of time, apart from one another, ascending.
class stretches {
public:
  void add(timestamp from, timestamp to);
  bool holds(timestamp t) const;
  bool meets(timestamp first, timestamp last) const; // both included
  bool covers(timestamp from, timestamp to) const;
  bool empty() const { return parts_.empty(); }

private:
  std::map<timestamp, timestamp> parts_; // from -> to
};

// Events from many places of a log, each with its offset there. An event that is there twice counts once: the one that
// was first in the log.
class gathered_events {
public:
  void add(const event_batch& batch, const event_row& row, std::uint64_t offset);
  std::size_t size() const { return rows_.size(); }

  // Whether there is an event of this identity, and at which offset; gathered_events must have been put in order.
  std::optional<std::uint64_t> find(const series_key& key, timestamp src_ts, std::int64_t seq) const;
  // By time, each once.
  void put_in_order();
  // The bars of all windows that these events are in.
  std::vector<bar> bars(const bar_rules& rules) const;

private:
  struct placed_row {
    event_row what;
    std::uint64_t offset = 0;
  };
  static auto order(const placed_row& x) { return std::tuple{x.what.src_ts, x.what.key, x.what.seq, x.offset}; }

  std::map<series_key, std::uint32_t> keys_;
  std::vector<std::string> intervals_{""};
  std::vector<placed_row> rows_;
};

// The bar to be published in the place of `published`; nothing where that says the same already. Flags and coverage
// say how it was when it was live: in `withheld`, or in what was published; of a window that nobody saw live, nothing
// was covered.
std::optional<bar> healed_bar(const bar& made, const std::optional<bar>& published,
                              const bar_stage::withheld_bars* withheld = nullptr);
// Whether the published bar has events that the one made again lacks: then it cannot be made again.
bool lacks_events(const bar& made, const bar& published);

} // namespace finstream
