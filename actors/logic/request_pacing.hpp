// The requests of several askers to one provider, held to its limit: a token bucket, and a line in which each waits its
// turn. The bucket is empty at first, so that a node that is started again and again does not have a burst each time.
//
// In any span of time no more is given than `burst`, and one more for each `per_request` of the span.
#pragma once

#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace finstream {

struct pacing_rules {
  nanoseconds per_request = second; // one more is allowed after each
  std::uint64_t burst = 1;          // so many may be saved up
};
// `requests_per_s` > 0.
pacing_rules make_pacing_rules(double requests_per_s, std::uint64_t burst);

class request_pacing {
public:
  // More than these wait for no provider that is worth asking: an asker that goes on does not wait for its grants.
  static constexpr std::uint64_t most_waiting = 10'000;

  struct grant {
    std::uint64_t asker = 0;
    std::uint32_t requests = 0; // what does not fit into one burst is given in several
  };

  // All times are monotonic.
  request_pacing(pacing_rules rules, nanoseconds now) : rules_{rules}, empty_at_{now} {}

  bool ask(std::uint64_t asker, std::uint32_t requests); // false: the line is too long
  std::vector<grant> give(nanoseconds now);              // to those whose turn it is, in their order
  std::optional<nanoseconds> next() const;               // when the first in line can be given something
  // Requests that were made without asking. How many of them were too many.
  std::uint32_t note_made(std::uint32_t requests, nanoseconds now);
  void close_for(nanoseconds pause, nanoseconds now); // nothing is given for so long, and nothing saved up
  void withdraw(std::uint64_t asker);                 // it no longer waits

  std::uint64_t waiting() const { return waiting_; } // requests

private:
  struct place {
    std::uint64_t asker = 0;
    std::uint32_t requests = 0;
  };
  std::uint32_t piece(const place& x) const;
  std::uint64_t available(nanoseconds now) const;
  void spend(std::uint32_t requests, nanoseconds now);

  pacing_rules rules_;
  nanoseconds empty_at_; // when the bucket was empty, or in debt: when it will be
  std::deque<place> line_;
  std::uint64_t waiting_ = 0;
};

} // namespace finstream
