// The bus on RocksDB. A transaction is one write batch over all column families, so RocksDB makes it atomic; the bus
// keeps, for each topic and partition, where the log begins and ends.
//
//   column family      key                               value
//   default            "format", "epoch"                 how and when this log was made
//                      "lane/"  topic 2 | partition 2    head 8 | log_ts of the last record when it was trimmed 8
//                      "group/" topic 2 | partition 2 | group name    offset 8
//   tables             table name | 0 | key              value
//   "events/0" ...     record_codec                      record_codec
#pragma once

#include "runtime/bus/keeper.hpp"
#include "runtime/bus/record_codec.hpp"
#include "runtime/bus/rocksdb_setup.hpp"
#include "runtime/bus/witness.hpp"

#include <map>
#include <shared_mutex>

namespace finstream {

class embedded_bus : public bus {
public:
  static expected<std::unique_ptr<bus>> open(const embedded_bus_options& options);
  ~embedded_bus() override;

  expected<receipt> write(transaction tx) override;
  expected<std::vector<record>> read(topic where, std::uint16_t partition, std::uint64_t offset,
                                     std::size_t limit_bytes) const override;
  expected<std::uint64_t> offset_at(topic where, std::uint16_t partition, timestamp at) const override;
  expected<log_range> range(topic where, std::uint16_t partition) const override;
  expected<std::optional<std::string>> get(std::string_view table, std::string_view key) const override;
  expected<void> scan(std::string_view table, std::string_view first, std::string_view last,
                      const std::function<bool(std::string_view key, std::string_view value)>& visit) const override;
  expected<std::optional<std::uint64_t>> committed(std::string_view group, topic where,
                                                   std::uint16_t partition) const override;
  expected<std::uint64_t> trim(topic where, std::uint16_t partition, std::uint64_t offset) override;
  expected<void> sync() override;
  expected<void> health() const override { return watcher_->state(); }
  bus_statistics statistics() const override;
  bus_capabilities capabilities() const override { return {"embedded", true, true}; }
  const recovery_report& recovery() const override { return recovery_; }

private:
  // A topic and partition.
  struct lane {
    topic where = topic::events;
    std::uint16_t partition = 0;
    rocksdb::ColumnFamilyHandle* family = nullptr;
    std::size_t witness_slot = witness::no_slot;
    std::atomic<std::uint64_t> head{0}; // changes under `committing`
    std::atomic<std::uint64_t> next{0}; // changes under `appending`
    std::atomic<std::int64_t> last_ts_ns{earliest.ns};
    std::mutex appending;           // held over a write: offsets are given out and used, or given out again
    std::mutex committing;          // held over a write with a group commit, and over a trim
    std::uint64_t planned_next = 0; // of the transaction underway, under `appending`
    timestamp planned_ts;

    log_range range() const { return {head.load(std::memory_order_acquire), next.load(std::memory_order_acquire)}; }
  };
  struct held_lanes; // those of a transaction, locked

  explicit embedded_bus(const embedded_bus_options& options);

  static std::uint32_t lane_id(topic where, std::uint16_t partition) {
    return std::uint32_t{static_cast<std::uint16_t>(where)} << 16 | partition;
  }
  lane* find(topic where, std::uint16_t partition) const; // null if nothing was ever written there
  expected<lane*> find_or_create(topic where, std::uint16_t partition);

  expected<held_lanes> hold(const transaction& tx);
  expected<std::vector<std::uint64_t>> plan(const transaction& tx, const held_lanes& held) const;
  expected<void> fill(rocksdb::WriteBatch& batch, const transaction& tx,
                      const std::vector<std::uint64_t>& offsets) const;
  failure in_trouble(const rocksdb::Status& status, std::string_view what) const; // and says so to the watcher
  expected<std::uint64_t> trimmed_head(const lane& in, std::uint64_t offset) const;

  // Durability, and what to do when the disk fails.
  expected<void> append_to_wal(const rocksdb::WriteOptions& how, rocksdb::WriteBatch& batch, std::string_view what);
  rocksdb::Status make_durable();
  rocksdb::Status sync_wal();
  rocksdb::Status flush_all() const;
  bool mend();
  bool has_room() const;
  expected<void> reopen();

  // Opening.
  enum class access { full, read_only };
  void start_keeper();
  expected<void> open_database(access wanted);
  expected<void> try_to_open(access wanted, rocksdb::Status& status);
  expected<std::vector<rocksdb::ColumnFamilyDescriptor>> describe_families(const std::vector<std::string>& names);
  expected<void> open_failure(const rocksdb::Status& status) const;
  void close_database();
  expected<void> read_identity();
  expected<void> recover(std::vector<std::string>& notes);
  expected<void> recover_lane(lane& in, std::vector<std::string>& notes);
  expected<void> recover_groups(std::vector<std::string>& notes);
  void hear_witness();

  const embedded_bus_options options_;
  std::shared_ptr<watcher> watcher_; // RocksDB holds it too
  rocksdb_setup setup_;

  // Held by each use of the database; alone by who closes it and opens it again.
  mutable std::shared_mutex database_mutex_;
  std::unique_ptr<rocksdb::DB> db_; // null only in trouble
  rocksdb::ColumnFamilyHandle* meta_ = nullptr;
  rocksdb::ColumnFamilyHandle* tables_ = nullptr;
  rocksdb::WriteOptions write_options_;
  recovery_report recovery_;

  mutable std::shared_mutex lanes_mutex_; // over the map, not over the lanes
  std::map<std::uint32_t, std::unique_ptr<lane>> lanes_;

  std::unique_ptr<witness> witness_;
  std::mutex appending_to_wal_; // at level `interval`: see sync_wal()
  std::mutex syncing_;
  std::uint64_t newest_synced_wal_ = 0; // under syncing_

  std::atomic<std::uint64_t> syncs_{0};
  std::atomic<std::uint64_t> bytes_appended_{0};
  std::atomic<std::uint64_t> records_appended_{0};
  std::atomic<std::uint64_t> bytes_logged_{0}; // to the write-ahead log

  std::atomic<keeper*> alarmed_{nullptr}; // keeper_, for as long as it may be called
  std::unique_ptr<keeper> keeper_;        // unless this is read only
};

inline rocksdb::Slice slice(std::string_view x) { return {x.data(), x.size()}; }
inline std::string_view view(const rocksdb::Slice& x) { return {x.data(), x.size()}; }
inline rocksdb::Slice slice(const record_codec::key_block& x) { return {x.data(), x.size()}; }

// Keys of the column family `default`.
std::string lane_key(topic where, std::uint16_t partition);
std::string group_key(topic where, std::uint16_t partition, std::string_view group);
std::string encode_offset(std::uint64_t offset);

} // namespace finstream
