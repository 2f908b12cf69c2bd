#include "runtime/bus/rocksdb_setup.hpp"

#include "runtime/log/log.hpp"

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <unistd.h>

namespace finstream {

namespace {

constexpr std::size_t arena_block_bytes = 256u
                                          << 10;   // what an almost empty memtable costs; one per topic and partition
constexpr std::size_t log_block_bytes = 64u << 10; // records are large and read in order
constexpr std::size_t small_memtable_bytes = 1u << 20; // of positions and markers
constexpr int open_files_limit = 128;                  // descriptors held for sorted files
constexpr std::uint64_t unlimited_level = 1ull << 50;  // all sorted files of a log live in one level

// What RocksDB has to say goes to the node's log. A file of its own would only grow, would be renamed by every reader
// beside a node, and on a full disk a RocksDB built with assertions, as Debian's is, aborts over it.
class log_lines : public rocksdb::Logger {
public:
  log_lines() : Logger(rocksdb::InfoLogLevel::ERROR_LEVEL) {} // its warnings tell of ordinary flow control
  void Logv(const char*, va_list) override {}                 // headers
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < GetInfoLogLevel() || level > rocksdb::InfoLogLevel::FATAL_LEVEL) return;
    char text[1024];
    std::vsnprintf(text, sizeof text, format, arguments);
    log::write(log::level::error, "rocksdb", text);
  }
};

rocksdb::DBOptions database_options(const embedded_bus_options& options) {
  rocksdb::DBOptions o;
  o.create_if_missing = true;
  o.create_missing_column_families = true;
  o.paranoid_checks = true;
  // An incomplete last record is cut, anything else that is wrong refuses to open; a write-ahead log that is shorter
  // than what was synced of it is wrong too.
  o.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  o.track_and_verify_wals_in_manifest = true;
  // Without a write-ahead log only files that appear together keep a transaction whole.
  o.atomic_flush = options.level == durability::none;

  o.db_write_buffer_size = options.memtable_bytes;
  o.max_total_wal_size = 3 * options.memtable_bytes; // bounds how much is read again at the next start
  o.max_background_jobs = 2;
  o.max_open_files = open_files_limit;
  o.allow_concurrent_memtable_write = false;    // a few large records gain nothing from it
  o.enable_write_thread_adaptive_yield = false; // waiting threads sleep rather than spin
  o.skip_stats_update_on_db_open = true;

  o.info_log = std::make_shared<log_lines>();
  o.stats_dump_period_sec = 0; // the three would wake an idle node
  o.stats_persist_period_sec = 0;
  o.delete_obsolete_files_period_micros = 0;
  if (options.read_only) make_read_only(o);
  return o;
}

rocksdb::BlockBasedTableOptions block_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions t;
  t.block_cache = cache;
  t.cache_index_and_filter_blocks = true; // so that the cache bounds them
  t.checksum = rocksdb::kXXH3;
  t.format_version = 5;
  return t;
}

rocksdb::ColumnFamilyOptions log_options(const embedded_bus_options& options,
                                         const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions o;
  o.write_buffer_size = std::max(options.memtable_bytes / 2, small_memtable_bytes);
  o.max_write_buffer_number = 3;
  o.arena_block_size = arena_block_bytes;
  o.compression = rocksdb::kNoCompression; // payloads are packed already
  o.num_levels = 2;
  o.max_bytes_for_level_base = unlimited_level;
  o.ttl = 0; // old files are not rewritten for their age
  o.periodic_compaction_seconds = 0;
  auto t = block_options(cache);
  t.block_size = log_block_bytes;
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(t));
  return o;
}

rocksdb::ColumnFamilyOptions keyed_options(std::size_t memtable_bytes, const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions o;
  o.write_buffer_size = std::max(memtable_bytes, small_memtable_bytes);
  o.max_write_buffer_number = 3;
  o.arena_block_size = arena_block_bytes;
  o.compression_per_level = {rocksdb::kNoCompression, rocksdb::kNoCompression, rocksdb::kLZ4Compression};
  auto t = block_options(cache);
  t.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(t));
  return o;
}

} // namespace

void make_read_only(rocksdb::DBOptions& options) {
  options.create_if_missing = false;
  options.create_missing_column_families = false;
  options.max_open_files = -1; // a reader holds on to what the node beside it may delete
}

rocksdb_setup set_up_rocksdb(const embedded_bus_options& options, std::shared_ptr<watcher> listener) {
  rocksdb_setup result;
  result.database = database_options(options);
  result.database.listeners.push_back(std::move(listener));
  auto cache = rocksdb::NewLRUCache(options.cache_bytes, 2);
  result.meta = keyed_options(small_memtable_bytes, cache);
  result.tables = keyed_options(options.memtable_bytes / 4, cache);
  result.log = log_options(options, cache);
  result.text = result.log;
  result.text.compression = rocksdb::kZSTD; // JSON of one shape: a tenth of it is left
  return result;
}

failure to_failure(const rocksdb::Status& status, const std::string& what) {
  if (status.IsNoSpace()) return {errc::disk_full, fmt::format("{}: {}; free some space", what, status.ToString())};
  if (status.IsCorruption())
    return {errc::corrupt_record,
            fmt::format("{}: {}; `finstream verify` says what can be done", what, status.ToString())};
  return {errc::io_failure, fmt::format("{}: {}", what, status.ToString())};
}

bool is_locked(const rocksdb::Status& status) {
  auto text = status.ToString();
  return status.IsIOError() &&
         (text.find("lock file") != std::string::npos || text.find("lock hold by") != std::string::npos);
}

std::vector<std::string> files_of_log(const std::string& directory) {
  std::vector<std::string> found;
  std::error_code unreadable; // is said by what follows
  for (std::filesystem::directory_iterator i{directory, unreadable}, end; !unreadable && i != end;
       i.increment(unreadable)) {
    auto name = i->path().filename().string();
    auto digits = std::find_if_not(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    auto rest = std::string_view{name}.substr(static_cast<std::size_t>(digits - name.begin()));
    if (name == "witness" || (digits != name.begin() && (rest == ".sst" || rest == ".log"))) found.push_back(name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string holder_of(const std::string& directory, const rocksdb::Status& status) {
  // Opening and closing the file would drop a lock that this very process holds, so it must not be tried then.
  if (status.ToString().find("lock hold by current process") != std::string::npos) return "this process itself";
  return holder_of_log(directory).value_or("another process");
}

std::optional<std::string> holder_of_log(const std::string& directory) {
  int file = ::open((directory + "/LOCK").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  struct flock query {};
  query.l_type = F_WRLCK;
  query.l_whence = SEEK_SET;
  bool known = ::fcntl(file, F_GETLK, &query) == 0 && query.l_type != F_UNLCK && query.l_pid > 0;
  ::close(file);
  return known ? std::optional{fmt::format("process {}", query.l_pid)} : std::nullopt;
}

void watcher::note(failure trouble) {
  {
    std::lock_guard guard{mutex_};
    trouble_ = std::move(trouble);
    in_trouble_.store(true, std::memory_order_release);
  }
  alarm_();
}

expected<void> watcher::state() const {
  if (!in_trouble()) return {};
  std::lock_guard guard{mutex_};
  return tl::unexpected(trouble_);
}

void watcher::clear() { in_trouble_.store(false, std::memory_order_release); }

void watcher::OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) {
  note(to_failure(*status, "write of the log"));
}

// The keeper does that, and better: see embedded_bus::mend().
void watcher::OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* automatic) {
  *automatic = false;
}

void watcher::OnTableFileCreated(const rocksdb::TableFileCreationInfo& file) {
  bytes_of_files_.fetch_add(file.file_size, std::memory_order_relaxed);
}

} // namespace finstream
