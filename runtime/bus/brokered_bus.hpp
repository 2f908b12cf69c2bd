// THE LOG ON A BROKER. Every transaction that appends is an entry of a journal (journal.hpp), and the journals are
// streams of a broker: they are the log, and whoever has them has all of it. Beside them each node keeps a log of
// RocksDB on its own disk, in which the entries are applied in their order, so that reading, tables and groups are
// local and quick, and everything that works on a log works on this one.
//
// clang-format off
// Writing   A transaction goes to the local log together with its entry, in one atomic write; then the shipper brings
//           the entry to the broker. The receipt says `broker` if it got there within `acknowledge_timeout_ms`, else
//           `buffered`: then it will get there, and is safe on this disk until it has.
// Opening   What the broker has and the local log has not is applied first. A new directory becomes the log that the
//           streams hold; streams of another log are refused.
// One node  writes a journal at a time. Of two, the one whose entry comes second is stopped with errc::conflict.
// Several   processes share one log where each writes some of its journals and follows the others (follower.hpp).
// Tables    A key is written by transactions of one journal, or by such as append nothing.
// Errors    those of bus.hpp, and: disk_full (the buffer is at its limit: nothing is taken until the broker is back),
//           unreachable (a new directory, and no broker to ask whether there is a log), not_found (no log yet, and this
//           process is not to begin one), incompatible, conflict.
// clang-format on
#pragma once

#include "runtime/broker/broker.hpp"
#include "runtime/bus/buffer_state.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/bus/journal.hpp"
#include "runtime/bus/journal_writer.hpp"
#include "runtime/clock/clock.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace finstream {

struct link_change {
  bool up = false;
  std::string message; // a sentence, with the figures of the buffer
};

struct broker_link_options {
  std::function<expected<std::unique_ptr<broker>>()> open_broker;
  std::string events_stream = "finstream.events"; // partition p > 0: with ":p" behind it
  std::string outputs_stream = "finstream.outputs";
  int partitions = 1;
  framing how = framing::block;
  compression packed = compression::none;
  flow_rules flow;
  int acknowledge_timeout_ms = 1000;
  std::uint64_t buffer_max_bytes = std::uint64_t{4} << 30;
  std::uint64_t buffer_alert_bytes = std::uint64_t{1} << 30;
  int buffer_keep_ms = 10'000;    // how long an entry stays that the broker has acknowledged
  std::uint64_t keep_entries = 0; // of a stream; 0: all
  int retry_initial_ms = 100;     // a random share of a pause that doubles, up to
  int retry_max_ms = 5000;
  std::uint64_t new_log_id = 1; // of a log that is begun: drawn, so that two never have the same
  std::uint64_t seed = 0;       // of that chance
  const clock* time = &system_clock();
  bool syncs_first = false;    // an entry is on this disk before the broker gets it
  bool writes_events = true;   // else another process does, and this one follows
  bool claims_outputs = false; // outputs of a partition are followed, but while it is claimed
  // A journal that is followed has grown. From the follower's thread, and those that claim.
  std::function<void(journal_id)> on_grown = [](journal_id) {};
  // From the shipper's thread, and those that write what is claimed.
  std::function<void(const link_change&)> on_change = [](const link_change&) {};
  std::function<void(const published_batch&)> on_published = [](const published_batch&) {};
};

std::string stream_of(const broker_link_options& options, journal_id id);

std::vector<journal_id> journals_of(const broker_link_options& options);
bool is_followed(const broker_link_options& options, journal_id id);

class shipper;
class follower;

class brokered_bus : public bus {
public:
  // `local` is a log of this journal's epoch, brought up to what the broker has; see open_brokered_bus(). `from` is a
  // connection for what is followed, if anything is.
  brokered_bus(std::unique_ptr<bus> local, std::uint64_t log_id, broker_link_options options,
               std::unique_ptr<broker> to, const char* driver, std::unique_ptr<broker> from = nullptr);
  ~brokered_bus() override;

  void start(); // the threads of shipper and follower; without them, who holds this goes step by step

  expected<receipt> write(transaction tx) override;
  expected<std::vector<record>> read(topic where, std::uint16_t partition, std::uint64_t offset,
                                     std::size_t limit_bytes) const override {
    return local_->read(where, partition, offset, limit_bytes);
  }
  expected<std::uint64_t> offset_at(topic where, std::uint16_t partition, timestamp at) const override {
    return local_->offset_at(where, partition, at);
  }
  expected<log_range> range(topic where, std::uint16_t partition) const override {
    return local_->range(where, partition);
  }
  expected<std::optional<std::string>> get(std::string_view table, std::string_view key) const override {
    return local_->get(table, key);
  }
  expected<void> scan(std::string_view table, std::string_view first, std::string_view last,
                      const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    return local_->scan(table, first, last, visit);
  }
  expected<std::optional<std::uint64_t>> committed(std::string_view group, topic where,
                                                   std::uint16_t partition) const override {
    return local_->committed(group, where, partition);
  }
  expected<std::uint64_t> trim(topic where, std::uint16_t partition, std::uint64_t offset) override {
    return local_->trim(where, partition, offset);
  }
  expected<void> sync() override; // and waits for the broker, if it is up, for as long as a write does
  expected<void> health() const override;
  bus_statistics statistics() const override { return local_->statistics(); }
  bus_capabilities capabilities() const override { return {driver_, true, local_->capabilities().durable}; }
  const recovery_report& recovery() const override { return local_->recovery(); }

  buffer_state buffer() const;
  std::uint64_t log_id() const { return log_id_; } // the same in all processes that share the log
  // Outputs of a partition, where they are to be claimed: see follower.hpp.
  expected<void> claim(std::uint16_t partition);
  void release(std::uint16_t partition);

  shipper& link() { return *shipper_; } // for tests, which go step by step
  follower& others() { return *follower_; }

private:
  struct journal {
    std::mutex writing;               // held over a write: entries are numbered in the order in which they are applied
    std::optional<timestamp> last_ts; // of its last entry; not known before the first write
  };

  expected<receipt> write_here(journal_id id, transaction tx);
  expected<void> check_room(std::size_t bytes) const;
  tl::unexpected<failure> no_room(std::uint64_t unsent) const;

  const std::unique_ptr<bus> local_;
  const std::uint64_t log_id_;
  const broker_link_options options_;
  const char* driver_;
  std::map<journal_id, std::unique_ptr<journal>> journals_;
  std::atomic<bool> is_full_{false}; // there was no room for the last write
  std::unique_ptr<shipper> shipper_;
  std::unique_ptr<follower> follower_;
};

// Where a log on a broker says which one it is: a table of its own, and the key.
inline constexpr const char* node_table = "node";
inline constexpr const char* log_id_key = "log_id";

// What the streams hold, where there is no log on this machine yet.
struct found_log {
  std::uint64_t log_id = 0;
  std::uint64_t epoch = 0; // 0: no entry of it is whole
};
// Nothing: there is none. Who does not write events cannot begin one.
expected<std::optional<found_log>> find_log(broker& from, const broker_link_options& options);
// Over a local log that is open, and has the epoch of what was found if it is new: applies what is missing here. No
// thread is started; `from` as above.
expected<std::unique_ptr<brokered_bus>> join_log(std::unique_ptr<bus> local, const std::optional<found_log>& found,
                                                 broker_link_options options, std::unique_ptr<broker> to,
                                                 const char* driver, std::unique_ptr<broker> from = nullptr);
// Opens the local log, asks the broker, applies what is missing, and starts the shipper.
expected<std::unique_ptr<brokered_bus>> open_brokered_bus(embedded_bus_options local, broker_link_options options,
                                                          const char* driver);

} // namespace finstream
