// The book of what the log holds, kept from the transactions as they are written: whether a thing is in it, and whether
// it is in it twice. After a loss it goes back to what is left.
#pragma once

#include "messages/command/log_flow.hpp"
#include "runtime/bus/bus.hpp"
#include "tests/simulation/simulated_feed.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace finstream::simulation {

class ledger {
public:
  // What of `feeds` a resume point may pass over is what is in the log; events come again after `horizon` others.
  ledger(std::vector<simulated_feed*> feeds, std::uint64_t horizon) : feeds_{std::move(feeds)}, horizon_{horizon} {}

  std::function<void(const std::string&)> on_broken_rule;

  void on_written(const bus& truth, const transaction& tx, const std::vector<std::uint64_t>& offsets);
  void on_lost(const bus& truth); // the log has fewer records than before
  // While it takes from elsewhere what was written once: resume points may be ahead, and are checked when it has all.
  void set_catching_up(bool catching_up) { catching_up_ = catching_up; }
  void check_resume_points(const bus& truth);
  bool has_event(const std::string& event_id) const {
    return events_.count(event_id) != 0 || trimmed_.count(event_id) != 0;
  }
  // Of whichever run that printed this line of the tape; gaps as far as the log is kept.
  bool has_bad_line(const std::string& feed, std::size_t line) const;
  bool has_gap(std::uint16_t partition, const std::string& feed, std::size_t line) const;
  std::uint64_t events() const { return events_.size(); }

private:
  struct place {
    std::uint16_t partition = 0;
    std::uint64_t offset = 0;
    std::uint64_t number = 0; // among the events of its partition
  };
  void take(const bus& truth, std::uint16_t partition, std::uint64_t offset, const event_batch& batch);
  void take(std::uint16_t partition, const source_event& what);
  void take_letter(std::uint16_t partition, const std::string& payload);
  void check_resume_point(const std::string& feed, const std::string& bytes);

  std::vector<simulated_feed*> feeds_;
  std::uint64_t horizon_;
  bool catching_up_ = false;
  std::unordered_map<std::string, place> events_; // by event_id; looked up only
  std::set<std::string> trimmed_;                 // those that came again when they were no longer kept
  std::map<std::uint16_t, std::uint64_t> counts_; // of events, by partition
  std::set<std::string> letters_, gaps_;          // by what makes one of a run unlike all others
  std::map<std::string, std::size_t> complete_;   // by feed: so many lines of its tape are in the log for certain
};

} // namespace finstream::simulation
