// What the node lends to its actors. It outlives the actor system; actors get a pointer and own nothing of it.
#pragma once

#include "actors/crash_book.hpp"
#include "actors/metered.hpp"
#include "actors/node_metrics.hpp"
#include "messages/event/derived.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/clock/clock.hpp"
#include "runtime/config/settings.hpp"
#include "runtime/metrics/metrics.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

namespace finstream {

inline constexpr std::size_t most_partitions = 256; // the config allows no more

// Figures that more than one actor needs.
struct node_figures {
  std::atomic<std::uint64_t> events{0}; // in the log, since the node started
  std::atomic<std::uint64_t> bars{0};
  std::atomic<std::uint64_t> duplicates{0};
  std::atomic<std::uint64_t> dead_letters{0}; // late events included
  std::atomic<int> partitions_recovered{0};   // appenders that have read their log's end
  std::atomic<int> partitions_caught_up{0};   // windows that have reached their log's end since they started
  std::array<std::atomic<bool>, most_partitions> claimed{};             // by this process, where partitions are shared
  std::array<std::atomic<std::uint64_t>, most_partitions> rules_said{}; // which rules each log was told; 0: none yet
  std::array<std::atomic<std::uint64_t>, most_partitions> checkpoint_bytes{}; // of each partition's last one
  std::array<std::atomic<std::uint64_t>, most_partitions> looked_at{}; // by each window: the next record it will see
  std::atomic<std::uint64_t> jobs_written{0};                          // how often runs of jobs were
  crash_book crashes;
  std::atomic<bool> draining{false};
};

// The rules by which the node works. They may change while it runs: then each log is told.
class rules_in_force {
public:
  void set(stage_rules rules) {
    std::lock_guard lock{mutex_};
    rules_ = std::move(rules);
    ++number_;
  }
  std::pair<stage_rules, std::uint64_t> get() const { // and which they are, counted from 1
    std::lock_guard lock{mutex_};
    return {rules_, number_};
  }

private:
  mutable std::mutex mutex_;
  stage_rules rules_;
  std::uint64_t number_ = 0;
};

// What this process writes, where several share a log; a node alone writes all of it.
struct node_duties {
  bool events = true;             // else they are another process's
  bool outputs = true;            // of partitions: those of all, or
  bool claims_partitions = false; // of those that it has claimed
};

struct node_context {
  const settings* config = nullptr;
  bus* log = nullptr;
  const clock* time = nullptr;
  metrics::registry* registry = nullptr;
  node_metrics* metrics = nullptr;
  directory* where = nullptr;
  node_figures* figures = nullptr;
  std::uint64_t seed = 0; // for jitter: chance is passed in
  rules_in_force* rules = nullptr;
  std::string feeds_directory; // where the feeds we ship are: looked in before PATH
  std::string version;
  std::uint64_t config_hash = 0; // of what decides bars
  node_duties duties;

  bool works_on(std::uint16_t partition) const {
    return duties.outputs && (!duties.claims_partitions || figures->claimed.at(partition));
  }
  int partitions_at_work() const {
    int out = 0;
    for (int p = 0; p < config->partitions; ++p) out += works_on(static_cast<std::uint16_t>(p)) ? 1 : 0;
    return out;
  }
};

inline std::string partition_path(std::uint16_t partition, const char* child) {
  return "/partitions/" + std::to_string(partition) + "/" + child;
}

} // namespace finstream
