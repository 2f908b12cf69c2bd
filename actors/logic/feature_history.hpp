// What features remember of one series: its last bars, the log returns between them, and for the newest of them the
// averages of each relative strength. Old bars are dropped as soon as no horizon can reach them.
//
// A bar can be replaced or inserted as far back as `revise_for` says: everything behind it is then as if the bars had
// come in order and final from the start.
#pragma once

#include "actors/logic/feature_math.hpp"
#include "actors/logic/feature_rules.hpp"
#include "actors/logic/sliding.hpp"
#include "messages/event/bar.hpp"
#include "messages/value/bytes.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <vector>

namespace finstream {

// Whether every horizon before this time can be counted in nanoseconds: the years 1682 to 2258.
constexpr bool is_reachable(timestamp t) {
  constexpr nanoseconds margin = 4 * 366 * (86'400 * second);
  return t.ns > std::numeric_limits<std::int64_t>::min() + margin &&
         t.ns < std::numeric_limits<std::int64_t>::max() - margin;
}

// Of a bar, what features are made of.
struct kept_bar {
  notional traded;
  timestamp start;
  price open, high, low, close;
  quantity volume;
  std::uint64_t first_offset = 0, last_offset = 0;
  std::uint32_t revision = 0;
  std::uint32_t vector_revision = 0; // of the vector that was last published for this bar

  friend bool operator==(const kept_bar&, const kept_bar&) = default;
};

// A relative strength after one bar.
struct strength {
  wilder_state averages;
  timestamp since;            // start of the first bar that counts
  std::uint32_t revision = 0; // the highest of all bars since
};

// How much is to be kept, for all windows of some rules.
struct feature_needs {
  explicit feature_needs(const feature_rules& rules);
  std::size_t index_of_period(std::uint32_t period) const;

  nanoseconds interval, revise_for;
  std::uint64_t max_bars;
  nanoseconds horizon = 0;            // the longest by time
  std::uint64_t bars = 0;             // the longest by bars
  std::vector<std::uint32_t> periods; // of relative strengths, each once
};

class feature_history {
public:
  std::size_t size() const { return bars_.size(); }
  const kept_bar& operator[](std::size_t at) const { return bars_[at]; }
  const kept_bar& newest() const { return bars_[bars_.size() - 1]; }
  // Of the bars [from, to], those before the first not counted: to - from numbers; NaN where there is no return.
  std::span<const double> returns_between(std::size_t from, std::size_t to) const {
    return returns_.span(from + 1, to - from);
  }
  const strength& strength_at(std::size_t at, std::size_t period_index) const;
  // Whether the strengths after this bar are still kept: without them its vector cannot be made again.
  bool has_strengths(std::size_t at) const { return at >= first_row(); }
  // The first kept bar that starts at or after this.
  std::size_t find(timestamp start) const;
  // Whether the series goes back to `start` and everything from there on is kept.
  bool covers(timestamp start, nanoseconds interval) const;

  void append(const kept_bar& x, const feature_needs& needs);
  // Whether what follows from the bar at this place can be computed anew.
  bool reaches_back_to(std::size_t at) const;
  void replace(std::size_t at, const kept_bar& x, const feature_needs& needs);
  void insert(std::size_t at, const kept_bar& x, const feature_needs& needs);
  // A bar that was healed aside, before the newest one: what comes rests on it. A strength that cannot be reached any
  // more goes on as it was.
  void amend(const kept_bar& x, const feature_needs& needs);
  // A bar that was healed aside, after the newest one: it comes before the first bar that is newer. Until then bars in
  // between may come.
  void keep_ahead(const kept_bar& x, const feature_needs& needs);
  kept_bar* find_ahead(timestamp start);
  bool has_ahead() const { return !ahead_.empty(); }
  void set_vector_revision(std::size_t at, std::uint32_t revision) { bars_[at].vector_revision = revision; }
  // Other windows from here on. A strength of a period that was there before goes on; a new one begins with the oldest
  // bar that is kept.
  void change(const feature_needs& before, const feature_needs& needs);

  void save(byte_writer& out) const;
  // False if this is no history; the reader may be in any state then.
  bool load(byte_reader& in, const feature_needs& needs);
  void save_ahead(byte_writer& out) const;
  bool load_ahead(byte_reader& in);

private:
  std::size_t first_row() const { return bars_.size() - rows_; } // the bar that the first row of strengths is of
  strength step(const strength* before, std::size_t at, std::uint32_t period) const;
  double return_at(std::size_t at) const;
  void follow(std::size_t from, const feature_needs& needs);
  void trim(const feature_needs& needs);
  void take_in(const kept_bar& x, const feature_needs& needs);

  sliding<kept_bar> bars_; // ascending by start
  sliding<double> returns_;
  sliding<strength> strengths_; // a row for each of the newest bars, with one for each period
  std::size_t rows_ = 0;
  std::map<timestamp, kept_bar> ahead_; // by start
  std::uint64_t dropped_ = 0;
  timestamp newest_dropped_; // start
  timestamp first_start_;    // of the series
};

} // namespace finstream
