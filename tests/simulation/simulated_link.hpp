// ONE LIFE OF A LOG ON A BROKER in a simulation: the real one (runtime/bus/brokered_bus.hpp), whose local log is the
// simulated disk, and which has no thread: its shipper goes on when time passes, and by chance within a write, between
// the moment in which the disk has it and that in which the writer is told.
#pragma once

#include "runtime/bus/brokered_bus.hpp"
#include "tests/simulation/simulated_broker.hpp"
#include "tests/simulation/simulated_disk.hpp"
#include "tests/support/passing_bus.hpp"

#include <functional>
#include <memory>

namespace finstream::simulation {

class simulated_link {
public:
  simulated_link(simulated_disk& disk, broker_link_options options, std::uint64_t seed);
  ~simulated_link();

  // Of a transaction for which the receipt said that the broker has it: the number of its last entry.
  std::function<void(journal_id, std::uint64_t)> on_acknowledged;
  std::function<void(const std::string&)> on_broken_rule;

  expected<void> open(); // to be called first
  bus& log() { return *front_; }
  void ship(); // what is due by now
  buffer_state buffer() const { return log_->buffer(); }
  expected<void> state() const; // nothing, or why it can never be written again

private:
  class local_log;
  class front;

  simulated_disk& disk_;
  const broker_link_options options_;
  chance chance_;
  nanoseconds due_at_ = 0;
  bool has_news_ = false, sleeps_ = true; // it sleeps until there is news, or something to trim
  bool ships_ = false;                    // at this moment
  std::optional<std::pair<journal_id, std::uint64_t>> last_written_;
  std::uint64_t last_bytes_ = 0; // of its entry
  std::unique_ptr<brokered_bus> log_;
  std::unique_ptr<bus> front_; // of it, where receipts are looked at
};

} // namespace finstream::simulation
