// What is said to the backfill lane, and what it answers. INTERNAL to one process.
#pragma once

#include "messages/errors.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace finstream {

// What the lane has made, or would make.
struct healed_counts {
  std::uint64_t bars_new = 0, bars_revised = 0;
  std::uint64_t features = 0, signals = 0;

  healed_counts& operator+=(const healed_counts& x) {
    bars_new += x.bars_new, bars_revised += x.bars_revised, features += x.features, signals += x.signals;
    return *this;
  }
  friend bool operator==(const healed_counts&, const healed_counts&) = default;
};

struct backfill_answer {
  failure refused;          // none: it was taken
  std::int64_t wait_ms = 0; // before the next post, or before this one is tried again
  std::uint64_t taken = 0, duplicates = 0, dead_letters = 0;
  std::uint64_t trimmed = 0;                // events of bars whose other events are no longer in the log: left alone
  timestamp trimmed_from, trimmed_to;       // the times of these
  std::vector<std::string> dead_letter_why; // the first few
  healed_counts would_heal;                 // of a dry run
};

// Lines as a feed prints them.
struct backfill_post {
  std::string feed; // the provider of lines that name none
  std::string lines;
  bool dry_run = false;                        // say what would change, and write nothing
  bool is_retry = false;                       // of dead letters: those that are bad again are not kept a second time
  std::function<void(backfill_answer)> answer; // once, from any thread
};
using backfill_post_ptr = std::shared_ptr<const backfill_post>;

} // namespace finstream
