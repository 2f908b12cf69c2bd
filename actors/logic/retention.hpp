// How a partition's log is kept from growing without end. Now and then the stage's state is saved together with where
// its outputs stand: a base. The log may begin at a base, since what follows it can be replayed from there. A few bases
// are kept, in slots that are used again, spread over the time that is to be kept. Plain arithmetic.
#pragma once

#include "messages/value/timestamp.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace finstream {

struct log_base {
  timestamp log_ts;
  std::uint64_t offset = 0;        // of topic events: the state is that before it
  std::uint64_t next_bar = 0;      // of topic bars: what comes of events from `offset` on begins here
  std::uint64_t next_rejected = 0; // of topic rejected, likewise
  std::uint64_t next_features = 0;
  std::uint64_t next_signal = 0;

  friend bool operator==(const log_base&, const log_base&) = default;
};

class retention {
public:
  // As many as lie within the time to be kept, one that is older and one that is being replaced.
  static constexpr std::size_t slots = 8;

  explicit retention(nanoseconds keep) : keep_{keep} {} // 0: for ever

  void put(std::size_t slot, const log_base& base) { bases_.at(slot) = base; }
  // Whether enough time has passed since the last one.
  bool wants_base(timestamp now) const;
  // Where the next one goes: in the place of the oldest, but never of the one at which the log begins.
  std::size_t next_slot(std::uint64_t head) const;
  // The newest whose successors cover all that is to be kept: what comes before it may go.
  std::optional<log_base> newest_to_cut_at(timestamp now) const;

private:
  nanoseconds keep_;
  std::array<std::optional<log_base>, slots> bases_;
};

} // namespace finstream
