// When what was written is durable, and what happens when the disk does not take it.
#include "runtime/bus/embedded_bus.hpp"
#include "runtime/bus/rules.hpp"
#include "runtime/clock/clock.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace finstream {

namespace {

constexpr std::chrono::milliseconds mend_interval{250}; // between two attempts to go on after a failure of the disk
constexpr nanoseconds flush_poll_interval = 10 * millisecond;
constexpr int flush_polls = 500;                 // a flush that takes longer than 5 s will not come
constexpr std::uintmax_t spare_bytes = 4u << 20; // to go on with, beyond what recovery may write

} // namespace

void embedded_bus::start_keeper() {
  keeper::duties duties;
  duties.sync_interval = std::chrono::milliseconds{options_.sync_interval_ms};
  duties.mend_interval = mend_interval;
  duties.sync = [this] { (void)sync(); };
  duties.mend = [this] { return mend(); };
  keeper_ = std::make_unique<keeper>(std::move(duties));
  alarmed_ = keeper_.get();
  if (watcher_->in_trouble()) keeper_->troubled();
}

failure embedded_bus::in_trouble(const rocksdb::Status& status, std::string_view what) const {
  auto trouble = to_failure(status, fmt::format("{} in {}", what, options_.directory));
  watcher_->note(trouble);
  return trouble;
}

expected<void> embedded_bus::append_to_wal(const rocksdb::WriteOptions& how, rocksdb::WriteBatch& batch,
                                           std::string_view what) {
  std::unique_lock alone{appending_to_wal_, std::defer_lock};
  if (options_.level == durability::interval) alone.lock();
  if (auto status = db_->Write(how, &batch); !status.ok()) return tl::unexpected(in_trouble(status, what));
  return {};
}

expected<void> embedded_bus::sync() {
  if (options_.read_only) return {};
  std::shared_lock use{database_mutex_};
  if (auto well = watcher_->state(); !well) return well;
  if (auto status = make_durable(); !status.ok()) return tl::unexpected(in_trouble(status, "sync of the log"));
  return watcher_->state();
}

rocksdb::Status embedded_bus::make_durable() {
  if (options_.level == durability::batch) return {}; // it is
  auto status = options_.level == durability::none ? flush_all() : sync_wal();
  if (status.ok()) syncs_.fetch_add(1, std::memory_order_relaxed);
  return status;
}

// Appends go on meanwhile, but for the first sync of each write-ahead log: if an append failed just before that,
// RocksDB would take the sync for a bug and abort, when it is built with assertions, as Debian's is.
rocksdb::Status embedded_bus::sync_wal() {
  std::lock_guard one_at_a_time{syncing_};
  std::unique_lock alone{appending_to_wal_};
  if (watcher_->in_trouble()) return {};
  std::unique_ptr<rocksdb::LogFile> newest;
  if (auto status = db_->GetCurrentWalFile(&newest); !status.ok()) return status;
  if (newest->LogNumber() == newest_synced_wal_) alone.unlock();
  auto status = db_->SyncWAL();
  if (status.ok()) newest_synced_wal_ = newest->LogNumber();
  return status;
}

// At level `none`. Once RocksDB 7.8 has gone on from a full disk, its Flush() may return while a memtable still waits
// to be written, and to close it then would lose that; so this waits until none does.
rocksdb::Status embedded_bus::flush_all() const {
  std::vector<rocksdb::ColumnFamilyHandle*> all{meta_, tables_};
  {
    std::shared_lock guard{lanes_mutex_};
    for (const auto& [id, x] : lanes_) all.push_back(x->family);
  }
  auto is_left = [&](rocksdb::ColumnFamilyHandle* family) {
    std::uint64_t memtables = 0;
    return db_->GetIntProperty(family, rocksdb::DB::Properties::kNumImmutableMemTable, &memtables) && memtables > 0;
  };
  auto status = db_->Flush({}, all);
  for (int i = 0; status.ok() && i < flush_polls && std::any_of(all.begin(), all.end(), is_left); ++i)
    pause(flush_poll_interval);
  return status;
}

// Closes the database and opens it again, as a new process would: after a failed append RocksDB 7.8 cannot be trusted
// to go on in the same write-ahead log (its Resume() may keep it). At level `none` there is no such log, only what is
// in memory, so there it must go on as it is.
bool embedded_bus::mend() {
  if (!watcher_->in_trouble()) return true;
  if (!has_room()) return false;
  // Never waits: whoever reads may be in a visitor that uses the bus in turn.
  std::unique_lock alone{database_mutex_, std::try_to_lock};
  if (!alone) return false;
  if (options_.level == durability::none) {
    auto status = db_->Resume();
    if (status.ok())
      watcher_->clear();
    else
      (void)in_trouble(status, "resumption of the log");
  } else if (auto opened = reopen(); !opened) {
    watcher_->note(opened.error());
  }
  if (watcher_->in_trouble()) return false;
  log::info("bus", "the log in {} can be written again", options_.directory);
  return true;
}

// Recovery moves what is in the write-ahead logs to sorted files. Not to begin without room for that keeps the log
// readable as it is.
bool embedded_bus::has_room() const {
  if (watcher_->state().error().code != errc::disk_full) return true;
  std::error_code unknown;
  auto space = std::filesystem::space(options_.directory, unknown);
  return unknown || space.available >= setup_.database.max_total_wal_size + spare_bytes;
}

expected<void> embedded_bus::reopen() {
  std::map<std::uint32_t, std::uint64_t> ends;
  for (const auto& [id, x] : lanes_) ends[id] = x->next;
  close_database();
  newest_synced_wal_ = 0;
  std::vector<std::string> notes;
  auto opened = open_database(access::full);
  if (opened) opened = recover(notes);
  if (!opened) {
    close_database();
    (void)open_database(access::read_only); // so that at least it can be read
    return opened;
  }
  for (auto& [id, x] : lanes_) {
    // Further than before if a transaction that failed is there all the same.
    if (x->next < ends[id])
      notes.push_back(
        fmt::format("{} ends at {}, but {} was acknowledged", place(x->where, x->partition), x->next.load(), ends[id]));
    witness_->promise_next(x->witness_slot, x->next);
  }
  for (const auto& x : notes) log::error("bus", "{}", x);
  watcher_->clear();
  return {};
}

} // namespace finstream
