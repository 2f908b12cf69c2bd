// Which events a partition has already taken, exactly, as far back as a horizon counted in events. An event is known by
// its series, src_ts and seq (its event_id, without the text).
//
// Almost every feed's events rise in (src_ts, seq), so what is remembered of a series is a few sorted runs: a new event
// is appended to a run at the price of one comparison, and only an event out of order is searched for. What is old is
// dropped by generation: four of them are full and one is growing, so at least the horizon and at most five fourths of
// it are kept.
#pragma once

#include "actors/logic/key_index.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace finstream {

class event_memory {
public:
  explicit event_memory(std::uint64_t horizon_events);

  // Marks every row of the batch as taken. The indices of rows that were known already, in order, go to `duplicates`.
  void insert(const event_batch& batch, std::vector<std::uint32_t>& duplicates);
  // Of a log that is gone over: what it holds a second time was no longer known then, and is known from there on anew.
  void remember(const event_batch& batch);

  std::uint64_t size() const { return size_; }

private:
  using identity = std::pair<std::int64_t, std::int64_t>; // src_ts, seq
  struct run {
    std::uint64_t generation = 0;
    std::vector<identity> sorted;
  };
  struct series {
    std::vector<run> runs;     // the newest last; those of the growing generation take new events
    std::uint64_t touched = 0; // the last generation that listed it, plus one
  };

  const std::vector<std::uint32_t>& translate(const event_batch& batch);
  bool insert(std::uint32_t index, identity what);
  void count_one();
  bool known(const series& in, identity what) const;
  void add(std::uint32_t index, identity what);
  void next_generation();

  std::uint64_t generation_events_;
  std::uint64_t generation_ = 0;
  std::uint64_t in_generation_ = 0;
  std::uint64_t size_ = 0;
  std::vector<series> series_;
  std::vector<std::pair<std::uint64_t, std::vector<std::uint32_t>>>
    touched_; // per generation: the series with runs in it
  key_index<std::uint32_t> index_;
};

} // namespace finstream
