// What is whole of a log, as a new log. Copies are made beside the damaged directory and take its place in one step, so
// that at each moment either of them is whole, and nothing that was damaged is written to or deleted.
#include "runtime/bus/embedded_bus.hpp"
#include "runtime/bus/log_checker.hpp"
#include "runtime/bus/rules.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace finstream {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t batch_bytes = 4u << 20;

rocksdb::WriteOptions unlogged() {
  rocksdb::WriteOptions out;
  out.disableWAL = true; // all of it is flushed in the end, or thrown away
  return out;
}

// Writes what it is given in batches.
class batched {
public:
  explicit batched(rocksdb::DB& target) : target_{target} {}

  rocksdb::Status put(rocksdb::ColumnFamilyHandle* family, const rocksdb::Slice& key, const rocksdb::Slice& value) {
    auto status = batch_.Put(family, key, value);
    return status.ok() && batch_.GetDataSize() >= batch_bytes ? flush() : status;
  }
  rocksdb::Status flush() {
    auto status = target_.Write(unlogged(), &batch_);
    batch_.Clear();
    return status;
  }

private:
  rocksdb::DB& target_;
  rocksdb::WriteBatch batch_;
};

expected<void> outcome_of(const rocksdb::Status& status, const char* what) {
  return status.ok() ? expected<void>{} : expected<void>{tl::unexpected(to_failure(status, what))};
}

expected<void> sync_directory(const std::string& path) {
  int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  auto done = directory >= 0 && ::fsync(directory) == 0;
  auto error = errno;
  if (directory >= 0) ::close(directory);
  return done ? expected<void>{}
              : expected<void>{fail(errc::io_failure, fmt::format("sync of {}: {}", path, std::strerror(error)))};
}

} // namespace

expected<void> log_checker::copy(const std::string& directory, const copy_plan& plan) const {
  embedded_bus_options options;
  options.directory = directory;
  options.level = durability::none; // its files appear together
  auto setup = set_up_rocksdb(options, std::make_shared<watcher>([] {}));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  std::error_code error;
  fs::create_directories(directory, error);
  auto status =
    rocksdb::DB::Open(setup.database, directory,
                      {{rocksdb::kDefaultColumnFamilyName, setup.meta}, {"tables", setup.tables}}, &handles, &opened);
  if (!status.ok()) return tl::unexpected(to_failure(status, "creation of a copy of the log in " + directory));
  std::unique_ptr<rocksdb::DB> target{opened};
  expected<void> done;
  auto is_empty = [&](const lane& x) {
    return std::any_of(plan.empty.begin(), plan.empty.end(),
                       [&](auto& e) { return e.where == x.where && e.partition == x.partition; });
  };
  for (const auto& [where, x] : lanes_)
    if (done && !is_empty(x)) done = copy_lane(*target, setup, x);
  for (const auto& x : plan.empty) {
    rocksdb::ColumnFamilyHandle* family = nullptr;
    if (done)
      done = outcome_of(target->CreateColumnFamily(setup.of(x.where), place(x.where, x.partition), &family),
                        "creation of a topic in a copy of the log");
    if (done) (void)target->DestroyColumnFamilyHandle(family);
  }
  if (done) done = copy_rows(*target, handles[1], plan);
  if (done) done = copy_positions(*target, plan);
  if (done) done = outcome_of(target->Flush({}, handles), "writing of a copy of the log");
  for (auto* x : handles) (void)target->DestroyColumnFamilyHandle(x);
  if (auto closed = target->Close(); done && !closed.ok()) return outcome_of(closed, "closing of a copy of the log");
  return done;
}

expected<void> log_checker::copy_lane(rocksdb::DB& target, const rocksdb_setup& setup, const lane& from) const {
  rocksdb::ColumnFamilyHandle* family = nullptr;
  auto status = target.CreateColumnFamily(setup.of(from.where), place(from.where, from.partition), &family);
  if (!status.ok()) return outcome_of(status, "creation of a topic in a copy of the log");
  rocksdb::ReadOptions reading;
  reading.fill_cache = false;
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(reading, from.family)};
  batched to{target};
  // Where a torn tail begins, the copy ends.
  for (at->Seek(slice(record_codec::encode_key(from.where, from.partition, from.head)));
       status.ok() && at->Valid() && record_codec::decode(view(at->key()), view(at->value())); at->Next())
    status = to.put(family, at->key(), at->value());
  if (status.ok()) status = at->status();
  if (status.ok()) status = to.flush();
  if (status.ok()) status = target.Flush({}, family);
  (void)target.DestroyColumnFamilyHandle(family);
  return outcome_of(status, "copying of a topic");
}

expected<void> log_checker::copy_rows(rocksdb::DB& target, rocksdb::ColumnFamilyHandle* tables,
                                      const copy_plan& plan) const {
  if (tables_ == nullptr) return {};
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator({}, tables_)};
  batched to{target};
  std::string last;
  for (at->SeekToFirst();;) {
    if (!at->Valid()) {
      if (at->status().ok()) break;
      auto table = last.substr(0, last.find('\0'));
      if (table.empty()) return outcome_of(at->status(), "copying of the tables");
      last = table + '\1'; // as check_rows() does
      at.reset(db_->NewIterator({}, tables_));
      at->Seek(last);
      if (!at->Valid() && !at->status().ok()) break;
      continue;
    }
    auto key = view(at->key());
    last = std::string{key};
    auto zero = key.find('\0');
    if (zero != std::string_view::npos && plan.keeps_row(key.substr(0, zero), key.substr(zero + 1), view(at->value())))
      if (auto status = to.put(tables, at->key(), at->value()); !status.ok())
        return outcome_of(status, "copying of the tables");
    at->Next();
  }
  return outcome_of(to.flush(), "copying of the tables");
}

// The log's marker, the heads, the groups.
expected<void> log_checker::copy_positions(rocksdb::DB& target, const copy_plan& plan) const {
  batched to{target};
  auto* meta = target.DefaultColumnFamily();
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator({}, meta_)};
  auto status = rocksdb::Status::OK();
  for (at->SeekToFirst(); status.ok() && at->Valid(); at->Next()) status = to.put(meta, at->key(), at->value());
  if (status.ok()) status = at->status();
  for (const auto& x : plan.empty)
    if (status.ok())
      status = to.put(meta, lane_key(x.where, x.partition),
                      encode_offset(x.begins_at) + encode_offset(static_cast<std::uint64_t>(earliest.ns)));
  if (status.ok()) status = to.flush();
  return outcome_of(status, "copying of the log's positions");
}

// ---- whole directories

expected<std::string> write_current(const std::string& directory) {
  std::vector<std::string> lists;
  std::error_code error;
  for (fs::directory_iterator i{directory, error}, end; !error && i != end; i.increment(error))
    if (auto name = i->path().filename().string(); name.starts_with("MANIFEST-")) lists.push_back(name);
  if (lists.size() != 1)
    return fail(errc::not_found, fmt::format("{} has {} lists of files (MANIFEST-...)", directory, lists.size()));
  auto path = directory + "/CURRENT", fresh = path + ".fresh";
  {
    std::ofstream out{fresh, std::ios::binary};
    out << lists.front() << '\n';
    out.flush();
    if (!out) return fail(errc::io_failure, fmt::format("write of {}: {}", fresh, std::strerror(errno)));
  }
  int file = ::open(fresh.c_str(), O_RDONLY | O_CLOEXEC);
  auto synced = file >= 0 && ::fsync(file) == 0;
  if (file >= 0) ::close(file);
  if (!synced || std::rename(fresh.c_str(), path.c_str()) != 0)
    return fail(errc::io_failure, fmt::format("write of {}: {}", path, std::strerror(errno)));
  if (auto done = sync_directory(directory); !done) return tl::unexpected(done.error());
  return lists.front();
}

expected<void> copy_with_new_list(const std::string& directory, const std::string& target) {
  std::error_code error;
  fs::create_directories(target, error);
  for (fs::directory_iterator i{directory, error}, end; !error && i != end; i.increment(error)) {
    auto name = i->path().filename();
    if (!i->is_regular_file(error) || name == "LOCK") continue;
    // Sorted files are never written to again, so they may be shared.
    if (name.extension() == ".sst")
      fs::create_hard_link(i->path(), target / name, error);
    else
      fs::copy_file(i->path(), target / name, error);
    if (error) break;
  }
  if (error) return fail(errc::io_failure, fmt::format("copy of {} to {}: {}", directory, target, error.message()));
  embedded_bus_options options;
  options.directory = target;
  auto setup = set_up_rocksdb(options, std::make_shared<watcher>([] {}));
  setup.database.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  setup.database.info_log = std::make_shared<warnings_kept>(); // what it left out is found by looking at the copy
  auto status = rocksdb::RepairDB(
    target, setup.database, {{rocksdb::kDefaultColumnFamilyName, setup.meta}, {"tables", setup.tables}}, setup.log);
  return outcome_of(status, "making of a new list of files");
}

expected<void> exchange_directories(const std::string& directory, const std::string& other) {
  if (::renameat2(AT_FDCWD, directory.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) != 0)
    return fail(errc::io_failure, fmt::format("{} and {} cannot change places: {}; do it by hand with `mv`", directory,
                                              other, std::strerror(errno)));
  auto parent = fs::absolute(directory).parent_path();
  return sync_directory(parent.string());
}

} // namespace finstream
