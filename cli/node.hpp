// A node: the composition root. It opens the log, wires the cast, and takes it down again; what runs is said by plan()
// alone.
#pragma once

#include "actors/context.hpp"
#include "actors/given_up_taker.hpp"
#include "actors/hub.hpp"
#include "actors/letter_sender.hpp"
#include "actors/model_asker.hpp"
#include "actors/work_keeper.hpp"
#include "runtime/bus/brokered_bus.hpp"
#include "runtime/config/roles.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <string>

namespace finstream {

struct node_status {
  std::uint64_t events = 0, bars = 0, duplicates = 0, dead_letters = 0, clients = 0;
  double lag_p99_seconds = 0;
  bool failed = false; // the root supervisor has given up
};

class node {
public:
  // With roles it shares its log with other processes, and does that part of the work. Errors: config_invalid, locked,
  // incompatible, corrupt_record, io_failure, and those of open_node_log().
  static expected<std::unique_ptr<node>> start(settings config, const std::string& program_directory,
                                               const std::optional<role_set>& roles = std::nullopt);
  ~node();

  // The file of rules may have changed: what it says holds from here on. Errors: config_invalid, and all stays as it
  // was.
  expected<void> read_rules_again();
  // Feeds are stopped and drained, clients told, checkpoints written. Returns false if `deadline` passed first.
  bool stop(nanoseconds deadline);
  node_status status() const;
  const recovery_report& recovery() const { return log_->recovery(); }

private:
  node(settings config, const std::optional<role_set>& roles);
  bool has(role x) const { return !roles_ || roles_->has(x); }
  expected<void> open(const std::string& program_directory);
  broker_link_options link_callbacks();
  std::string name_among_processes() const;
  work_sharing sharing() const;
  letter_stream letters() const;
  given_up_source given_up() const;
  bool hears_what_is_given_up() const;
  void spawn_tree();
  void measure_process();
  void measure_consumers();
  bool has_ended(nanoseconds patience) const;

  settings config_;
  const std::optional<role_set> roles_; // nothing: it does all of it, alone
  metrics::registry registry_;
  node_metrics metrics_;
  directory where_;
  std::unique_ptr<bus> log_; // after what its callbacks use
  brokered_bus* on_broker_ = nullptr;
  std::vector<std::unique_ptr<served_model>> models_;
  node_figures figures_;
  rules_in_force rules_;
  node_context context_;
  std::shared_ptr<client_links> links_ = std::make_shared<client_links>();
  std::shared_ptr<std::atomic<int>> port_ = std::make_shared<std::atomic<int>>(0);
  std::shared_future<void> ended_; // the root supervisor's end
  metrics::histogram* lag_ = nullptr;
  std::map<line_stage, std::uint64_t> crashes_told_; // by the metric
  caf::actor_system_config actors_config_;
  std::unique_ptr<caf::actor_system> actors_;
  caf::actor root_;
  caf::actor watcher_; // sees the root's end
};

} // namespace finstream
