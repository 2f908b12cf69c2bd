// What of a node is measured when somebody asks: of the process, and how far behind its consumers are.
#include "cli/node.hpp"

#include <algorithm>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

namespace finstream {

namespace {

// For how long the first record from there on has waited; 0: there is none.
nanoseconds waited(const bus& log, topic where, std::uint16_t partition, std::uint64_t from) {
  auto range = log.range(where, partition);
  if (!range || from >= range->next) return 0;
  auto first = log.read(where, partition, std::max(from, range->head), 1);
  if (!first || first->empty()) return 0;
  return std::max<nanoseconds>(0, system_clock().now() - first->front().log_ts);
}

} // namespace

void node::measure_process() {
  registry_.before_exposition([this, &cpu = metrics_.cpu_seconds(), &memory = metrics_.resident_bytes(),
                               &disk = metrics_.log_bytes(), &written = metrics_.written_bytes(),
                               &appended = metrics_.appended_bytes(), &clients = metrics_.clients()] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    cpu.set(seconds(usage.ru_utime) + seconds(usage.ru_stime));
    std::uint64_t pages = 0, resident = 0;
    std::ifstream{"/proc/self/statm"} >> pages >> resident;
    memory.set(static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)));
    auto s = log_->statistics();
    disk.set(static_cast<double>(s.bytes_on_disk));
    written.set(static_cast<double>(s.bytes_written));
    appended.set(static_cast<double>(s.bytes_appended));
    clients.set(static_cast<double>(links_->count()));
    if (on_broker_ != nullptr) metrics_.set_buffer(on_broker_->buffer(), system_clock().now());
    measure_consumers();
  });
}

void node::measure_consumers() {
  metrics_.partitions_at_work().set(context_.partitions_at_work());
  nanoseconds store = 0;
  for (int i = 0; i < config_.partitions; ++i) {
    auto p = static_cast<std::uint16_t>(i);
    if (context_.works_on(p))
      metrics_.stream_consumer_lag_seconds("events", "window/" + std::to_string(p))
        .set(static_cast<double>(waited(*log_, topic::events, p, figures_.looked_at[p])) / 1e9);
    for (auto where : {topic::bars, topic::features, topic::signals})
      if (auto at = log_->committed("postgres", where, p); at && *at)
        store = std::max(store, waited(*log_, where, p, **at));
  }
  if (config_.stores.postgres.enabled && has(role::store))
    metrics_.stream_consumer_lag_seconds("outputs", "postgres").set(static_cast<double>(store) / 1e9);
  for (auto stage : {line_stage::window, line_stage::features, line_stage::inference}) {
    auto& counter = metrics_.stream_consumer_errors("events", std::string{to_string(stage)});
    auto crashes = figures_.crashes.crashes_of(stage), &told = crashes_told_[stage];
    counter.add(crashes - std::exchange(told, crashes));
  }
}

} // namespace finstream
