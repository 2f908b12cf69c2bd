// What tests do to a log behind its back: change its files, look at it with plain RocksDB, write to it from a process
// that is then killed.
#pragma once

#include "runtime/bus/record_codec.hpp"
#include "tests/runtime/bus_language.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <rocksdb/db.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace finstream::test {

inline embedded_bus_options options_for(const std::string& directory, durability level = durability::interval) {
  embedded_bus_options options;
  options.directory = directory;
  options.level = level;
  options.sync_interval_ms = 5;
  return options;
}
inline std::unique_ptr<bus> open_log(const std::string& directory, durability level = durability::interval) {
  return must(open_embedded_bus(options_for(directory, level)));
}

// Files of this kind, oldest first, as RocksDB numbers them.
inline std::vector<std::filesystem::path> files_of(const std::string& directory, const std::string& extension) {
  std::vector<std::filesystem::path> found;
  for (const auto& x : std::filesystem::directory_iterator{directory})
    if (x.path().extension() == extension) found.push_back(x.path());
  std::sort(found.begin(), found.end());
  return found;
}

inline void flip_byte(const std::filesystem::path& path, std::uint64_t where) {
  std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
  file.seekg(static_cast<std::streamoff>(where));
  auto byte = static_cast<char>(file.get() ^ 0x40);
  file.seekp(static_cast<std::streamoff>(where));
  file.put(byte);
  CAF_REQUIRE(file.good());
}

// The same directory without the bus in between.
class raw_log {
public:
  explicit raw_log(const std::string& directory) {
    std::vector<std::string> names;
    check(rocksdb::DB::ListColumnFamilies({}, directory, &names));
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const auto& x : names) families.emplace_back(x, rocksdb::ColumnFamilyOptions{});
    rocksdb::DB* opened = nullptr;
    check(rocksdb::DB::Open({}, directory, families, &handles_, &opened));
    db_.reset(opened);
  }
  ~raw_log() {
    for (auto* x : handles_) db_->DestroyColumnFamilyHandle(x);
  }
  raw_log(const raw_log&) = delete;
  raw_log& operator=(const raw_log&) = delete;

  void put(const std::string& family, const std::string& key, const std::string& value) {
    check(db_->Put({}, handle(family), key, value));
  }
  void erase(const std::string& family, const std::string& key) { check(db_->Delete({}, handle(family), key)); }
  std::string get(const std::string& family, const std::string& key) {
    std::string value;
    check(db_->Get({}, handle(family), key, &value));
    return value;
  }
  void create(const std::string& family) {
    rocksdb::ColumnFamilyHandle* made = nullptr;
    check(db_->CreateColumnFamily({}, family, &made));
    handles_.push_back(made);
  }

private:
  static void check(const rocksdb::Status& status) {
    if (!status.ok()) CAF_FAIL(status.ToString());
  }
  rocksdb::ColumnFamilyHandle* handle(const std::string& family) {
    for (auto* x : handles_)
      if (x->GetName() == family) return x;
    CAF_FAIL("no column family " + family);
  }

  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
};

inline std::string event_key(std::uint64_t offset) {
  auto key = record_codec::encode_key(topic::events, 0, offset);
  return {key.data(), key.size()};
}

// A bus_writer at work.
class writer_process {
public:
  writer_process(const std::string& directory, durability level) {
    int ends[2];
    CAF_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string name = FINSTREAM_BUS_WRITER;
    std::string where = directory;
    std::string how{to_string(level)};
    char* arguments[] = {name.data(), where.data(), how.data(), nullptr};
    auto failed = ::posix_spawn(&id_, name.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ::fdopen(ends[0], "r");
    CAF_REQUIRE(failed == 0);
  }
  ~writer_process() {
    if (id_ > 0) kill();
    std::fclose(output_);
  }
  writer_process(const writer_process&) = delete;
  writer_process& operator=(const writer_process&) = delete;

  pid_t id() const { return id_; }

  // The next end it acknowledges.
  std::uint64_t next_line() {
    unsigned long long value = 0;
    CAF_REQUIRE(std::fscanf(output_, "%llu", &value) == 1);
    return value;
  }

  // SIGKILL; then everything it still said.
  std::uint64_t kill() {
    ::kill(id_, SIGKILL);
    std::uint64_t last = 0;
    unsigned long long value = 0;
    int status = 0;
    ::waitpid(id_, &status, 0);
    id_ = 0;
    // A last line that was cut has no line end: it is not counted.
    for (char end = 0; std::fscanf(output_, "%llu%c", &value, &end) == 2;) last = value;
    return last;
  }

private:
  pid_t id_ = 0;
  std::FILE* output_ = nullptr;
};

} // namespace finstream::test
