// The command line's side of a node's backfill lane: posts lines in bounded pieces, waits when it is told to, and
// counts what became of them.
#pragma once

#include "cli/commands.hpp"
#include "messages/command/backfill.hpp"

#include <string>

namespace finstream {

struct lane_options {
  std::string config, node; // HOST:PORT; empty: the config's gateway
  bool dry_run = false;
};
void add_lane_options(CLI::App& verb, lane_options& o);

// What a run of a backfill came to.
struct lane_totals {
  std::uint64_t sent = 0, taken = 0, duplicates = 0, dead_letters = 0, trimmed = 0;
  timestamp trimmed_from, trimmed_to;
  healed_counts healed;           // or what would be
  std::uint64_t owed_windows = 0; // that are healed when the live data has passed them
};

class lane_client {
public:
  // Errors: config_invalid, invalid_argument, and those of asking the node.
  static expected<lane_client> connect(const lane_options& o);

  // Returns when they are taken. Errors: io_failure, timed_out, overloaded (for too long), what the node refuses.
  expected<void> post(const std::string& feed, std::string_view lines);
  // What is posted from here on are dead letters: those that are bad again are only counted.
  void retry() { is_retry_ = true; }
  // Waits until the node has healed what it can. Errors: as above.
  expected<void> finish();
  const lane_totals& totals() const { return totals_; }
  // "12 events sent: ..."
  std::string summary() const;

private:
  struct state {
    bool healing = false;
    std::uint64_t owed_windows = 0;
    healed_counts healed;
  };
  expected<state> ask_state() const;
  expected<void> post_piece(const std::string& feed, std::string_view lines);
  void show_progress();

  std::string host_;
  std::uint16_t port_ = 0;
  bool dry_run_ = false, is_retry_ = false;
  std::size_t most_bytes_ = 0;
  healed_counts before_; // what the lane had healed before this run
  lane_totals totals_;
  nanoseconds told_at_ = 0;
};

} // namespace finstream
