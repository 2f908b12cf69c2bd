// A DISK THAT FAILS: the log of a simulation, in memory, with the durability of a real one and its troubles.
//
// It remembers every transaction since the beginning. What the receipt of a level promised is kept when the process is
// killed, or the machine: then the log goes back to a transaction of chance between the last one that was certain and
// the newest, as a log does whose tail is torn, and is made again from there. A write may fail and not be there, or
// fail and be there all the same (its answer was lost), be refused for as long as the disk is full, or take its time.
// Reads may fail.
#pragma once

#include "runtime/bus/bus.hpp"
#include "tests/simulation/chance.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace finstream::simulation {

// How often, of a thousand.
struct disk_troubles {
  std::uint64_t write_fails = 0, answer_is_lost = 0, write_is_slow = 0, read_fails = 0;
  bool full = false;
};

class simulated_disk : public bus {
public:
  simulated_disk(std::uint64_t seed, durability level, nanoseconds sync_interval);

  disk_troubles troubles;
  // Told of each transaction that is in the log, before its writer is.
  std::function<void(const transaction&, const std::vector<std::uint64_t>& offsets)> on_written;
  std::function<void(nanoseconds)> on_slow; // a write takes this long
  std::function<void(const std::string&)> on_broken_rule;

  // Without troubles: what is there.
  const bus& truth() const { return *inner_; }
  bus& truth() { return *inner_; }
  void write_as_a_stranger(transaction tx); // what no node would write; it stays
  void pass(nanoseconds span);              // what is due is synced
  void die_after_writes(std::uint64_t writes);
  durability level() const { return level_; }
  bool is_dead() const { return writes_left_ == 0; } // the process is about to be killed: it writes nothing more
  // The process is gone; a new one opens the log. Whether it lost anything.
  bool lose_process();
  bool lose_machine();
  void lose_all(); // another machine takes its place, with an empty disk
  std::uint64_t history_hash() const { return hash_; }

  expected<receipt> write(transaction tx) override;
  expected<std::vector<record>> read(topic where, std::uint16_t partition, std::uint64_t offset,
                                     std::size_t limit_bytes) const override;
  expected<std::uint64_t> offset_at(topic where, std::uint16_t partition, timestamp at) const override;
  expected<log_range> range(topic where, std::uint16_t partition) const override;
  expected<std::optional<std::string>> get(std::string_view table, std::string_view key) const override;
  expected<void> scan(std::string_view table, std::string_view first, std::string_view last,
                      const std::function<bool(std::string_view, std::string_view)>& visit) const override;
  expected<std::optional<std::uint64_t>> committed(std::string_view group, topic where,
                                                   std::uint16_t partition) const override;
  expected<std::uint64_t> trim(topic where, std::uint16_t partition, std::uint64_t offset) override;
  expected<void> sync() override;
  expected<void> health() const override;
  bus_statistics statistics() const override { return inner_->statistics(); }
  bus_capabilities capabilities() const override { return {"simulated", true, true}; }
  const recovery_report& recovery() const override { return recovery_; }

private:
  struct trimming {
    topic where = topic::events;
    std::uint16_t partition = 0;
    std::uint64_t offset = 0;
  };
  using change = std::variant<transaction, trimming>;

  expected<void> readable() const;
  expected<receipt> apply(transaction tx);
  void keep_rules(const transaction& tx);
  void count_in_hash(const transaction& tx);
  bool cut_to(std::size_t changes);

  mutable chance chance_;
  durability level_;
  nanoseconds sync_interval_;
  nanoseconds since_sync_ = 0;
  std::unique_ptr<bus> inner_;
  std::vector<change> history_;
  std::size_t synced_ = 0;  // so many changes survive the machine
  bool was_synced_ = false; // on demand: a log that has nothing is no new one any more
  std::uint64_t writes_left_ = ~std::uint64_t{0};
  std::uint64_t hash_ = 0;
  std::map<std::pair<topic, std::uint16_t>, timestamp> last_log_ts_;
  recovery_report recovery_{1, true, {}};
};

} // namespace finstream::simulation
