// How RocksDB is set up for a log, and how it tells us that it is in trouble. The one idea: keys only ever grow. Each
// topic and partition has a column family of its own, so the sorted files of a log never overlap, compaction moves them
// down without rewriting a byte, and trimming drops whole files. A record is written twice in its life: to the
// write-ahead log and, from the memtable, to its sorted file.
#pragma once

#include "runtime/bus/bus.hpp"

#include <atomic>
#include <mutex>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>

namespace finstream {

// "what: why", with the code that says who must act.
failure to_failure(const rocksdb::Status& status, const std::string& what);

// The last error that stops the log from being written, from whichever thread met it first; and what RocksDB writes in
// its background threads.
class watcher : public rocksdb::EventListener {
public:
  // `alarm` is called at each trouble, from any thread.
  explicit watcher(std::function<void()> alarm) : alarm_{std::move(alarm)} {}

  void note(failure trouble);
  bool in_trouble() const { return in_trouble_.load(std::memory_order_acquire); }
  expected<void> state() const; // nothing, or the trouble
  void clear();
  std::uint64_t bytes_of_files() const { return bytes_of_files_.load(std::memory_order_relaxed); }

  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override;
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* automatic) override;
  void OnTableFileCreated(const rocksdb::TableFileCreationInfo& file) override;

private:
  const std::function<void()> alarm_;
  std::atomic<bool> in_trouble_{false};
  std::atomic<std::uint64_t> bytes_of_files_{0};
  mutable std::mutex mutex_;
  failure trouble_; // under mutex_
};

struct rocksdb_setup {
  rocksdb::DBOptions database;
  rocksdb::ColumnFamilyOptions meta;
  rocksdb::ColumnFamilyOptions tables;
  rocksdb::ColumnFamilyOptions log;  // of one topic and partition
  rocksdb::ColumnFamilyOptions text; // likewise, of a topic whose payloads are texts

  const rocksdb::ColumnFamilyOptions& of(topic where) const { return where == topic::raw ? text : log; }
};
rocksdb_setup set_up_rocksdb(const embedded_bus_options& options, std::shared_ptr<watcher> listener);
void make_read_only(rocksdb::DBOptions& options);

// The names of those files that only a log that was written to has, sorted: where they are and CURRENT is not, RocksDB
// would begin a new log and delete them.
std::vector<std::string> files_of_log(const std::string& directory);

// The process that holds the lock on `directory`, as far as it can be known: "process 4711".
std::string holder_of(const std::string& directory, const rocksdb::Status& status);
bool is_locked(const rocksdb::Status& status);

} // namespace finstream
