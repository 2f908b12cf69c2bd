// What is wrong with a data directory, in words: where, what it means, what to do; and which of it can be mended.
#pragma once

#include "cli/replay_run.hpp"
#include "runtime/bus/log_check.hpp"

#include <optional>
#include <string>
#include <vector>

namespace finstream {

// What makes a damage go away, the first of them first; each may lay bare what the next is for.
enum class remedy : std::uint8_t {
  current,  // CURRENT is written anew
  new_list, // the list of files is made anew from the files
  rebuild,  // all that is derived is made anew from the events
  opening,  // a node mends it when it opens the log
  none,     // nothing here can: it is for people
};
remedy remedy_for(const log_damage& x);

struct verdict {
  std::string directory;
  log_check_counts counts;
  std::vector<log_damage> damage;
  std::uint64_t untold = 0;
  std::optional<replay_outcome> replayed; // nothing: the stages were not run,
  std::string not_replayed;               // for this reason
  int partitions = 1;
  bool is_on_broker = false; // the log is: what is derived would be in no stream if it were made anew here

  bool is_sound() const { return damage.empty(); }
  bool needs(remedy x) const;
  bool is_for_the_broker() const { return is_on_broker && (needs(remedy::new_list) || needs(remedy::rebuild)); }
};

void print_verdict(const verdict& x);
void print_verdict_json(const verdict& x);

} // namespace finstream
