// A SIMULATION: one seed is one run of a node in trouble. In steps, each drawn by chance, things happen at the venues,
// feeds print, time passes, actors and processes and the machine die, the disk fills up and fails, rules change; of
// some the log is on a broker, which is away, breaks off and forgets. What
// must always hold is looked at as it goes. At the end all is healed, what is left is taken in, and the log must hold
// everything that happened, once, and what follows from it.
#pragma once

#include "tests/simulation/checks.hpp"
#include "tests/simulation/journal_book.hpp"
#include "tests/simulation/ledger.hpp"
#include "tests/simulation/simulated_link.hpp"
#include "tests/simulation/simulated_node.hpp"

#include <deque>
#include <optional>

namespace finstream::simulation {

struct outcome {
  std::optional<std::string> broken; // the rule, with its place; nothing: all held
  std::vector<std::string> last_steps;
  std::uint64_t steps = 0, events = 0, hash = 0;
  bool with_broker = false, with_past = false;
};

struct scope {
  bool past = false;   // events of the past are posted to the backfill lane; else in one seed of three
  bool broker = false; // the log is on a broker; else that of one seed in three is
};

class simulation {
public:
  explicit simulation(std::uint64_t seed, scope what = {});
  outcome run(std::uint64_t steps);

private:
  struct operation {
    const char* name;
    std::uint64_t weight;
    void (simulation::*act)();
  };

  void choose_settings();
  void choose_broker();
  void choose_operations();
  void choose_broker_troubles();
  void start_node();
  bus& open_log();
  void add_entry(transaction& tx);
  void end_node();
  void forget_what_is_lost(bool lost); // when the node is gone
  bool look_after_node();              // whether it had to be started again
  void told(std::string what);         // of this step
  void broken(const std::string& what);
  void check();
  void check_link();    // each step
  void check_streams(); // each check
  bool is_shipped() const;
  void heal();
  bool drain();
  void check_completeness();
  void finish();

  // What may happen in a step.
  void things_happen();
  void feeds_print();
  void time_passes();
  void messages_pass();
  void actor_is_killed();
  void actor_crashes();
  void feed_dies();
  void feed_hangs();
  void feed_cannot_start();
  void process_is_killed();
  void process_dies_in_a_write();
  void machine_is_killed();
  void node_is_stopped();
  void disk_fills_up();
  void disk_has_room();
  void disk_gets_worse();
  void disk_gets_better();
  void past_is_found();
  void rules_change();
  void clock_steps();
  void record_is_poisoned();
  void broker_goes_away();
  void broker_is_back();
  void broker_is_full();
  void broker_gets_worse();
  void broker_gets_better();
  void broker_forgets();
  void machine_dies_in_a_publish();
  void machine_is_lost();

  std::uint64_t seed_;
  chance chance_;
  simulated_clock time_;
  settings config_;
  std::vector<std::unique_ptr<simulated_feed>> feeds_;
  std::unique_ptr<simulated_disk> disk_;
  std::unique_ptr<ledger> ledger_;
  std::unique_ptr<simulated_archive> past_;
  bool has_past_ = false;
  broker_link_options link_options_;
  std::unique_ptr<simulated_broker> broker_; // null: the log is the disk's alone
  std::unique_ptr<journal_book> book_;
  std::unique_ptr<simulated_link> link_; // the node's
  std::unique_ptr<simulated_node> node_;
  int rules_number_ = 0;
  std::set<log_place> poisoned_;
  std::vector<operation> operations_;
  std::uint64_t all_weights_ = 0;
  std::deque<std::string> last_steps_;
  std::uint64_t step_ = 0;
  std::optional<std::string> broken_;
};

} // namespace finstream::simulation
