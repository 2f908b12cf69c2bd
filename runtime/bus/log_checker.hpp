// INTERNAL to runtime/bus: the check of a log on RocksDB. It is opened as a node would open it, for reading; where that
// is refused, without RocksDB's own strictness, so that what lies behind the damage can be seen; and where the bytes
// behind the damage of a write-ahead log make no sense either, up to there.
#pragma once

#include "runtime/bus/log_check.hpp"
#include "runtime/bus/record_codec.hpp"
#include "runtime/bus/rocksdb_setup.hpp"

#include <map>
#include <rocksdb/env.h>

namespace finstream {

// What RocksDB warns of while it reads its write-ahead logs: which file, how many bytes, why.
class warnings_kept : public rocksdb::Logger {
public:
  warnings_kept() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  void Logv(const char*, va_list) override {}
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override;
  std::vector<std::string> lines;
};

class log_checker : public log_check {
public:
  explicit log_checker(std::string directory) : directory_{std::move(directory)} {}
  ~log_checker() override;
  log_checker(const log_checker&) = delete;
  log_checker& operator=(const log_checker&) = delete;

  expected<void> lock();
  bool check_files() override;
  bool can_be_opened() const override { return opened_strictly_ && epoch_; }
  void check_records(const record_judge& sound) override;
  void check_rows(const row_judge& sound) override;
  void check_positions() override;
  log_range range(topic where, std::uint16_t partition) const override;
  expected<void> copy(const std::string& directory, const copy_plan& plan) const override;

  void add(log_damage x) override;
  const std::vector<log_damage>& damage() const override { return damage_; }
  std::uint64_t untold() const override { return untold_; }
  const log_check_counts& counts() const override { return counts_; }

private:
  struct lane {
    topic where = topic::events;
    std::uint16_t partition = 0;
    rocksdb::ColumnFamilyHandle* family = nullptr;
    std::uint64_t head = 0, next = 0;
    timestamp last;           // log time of the last whole record
    bool end_is_known = true; // false: it lies in what cannot be read
  };
  struct walk; // of one lane

  bool check_current();
  enum class strictness { as_a_node, past_damage, up_to_damage };
  rocksdb::Status open(strictness how);
  void close();
  void tell_warnings();
  void check_sorted_files();
  void check_options();
  void read_marker();
  void read_heads();
  void check_records(lane& in, const record_judge& sound);
  void check_witness();
  bool has(log_damage::kind is) const;
  log_damage damage_of(log_damage::kind is, const lane& in, std::uint64_t first, std::uint64_t end,
                       std::string why) const;
  log_damage damage_of_file(log_damage::kind is, std::string name, std::string_view family, std::string why) const;
  expected<void> copy_lane(rocksdb::DB& target, const rocksdb_setup& setup, const lane& from) const;
  expected<void> copy_rows(rocksdb::DB& target, rocksdb::ColumnFamilyHandle* tables, const copy_plan& plan) const;
  expected<void> copy_positions(rocksdb::DB& target, const copy_plan& plan) const;

  const std::string directory_;
  int lock_ = -1;
  std::shared_ptr<warnings_kept> warnings_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  rocksdb::ColumnFamilyHandle* meta_ = nullptr;
  rocksdb::ColumnFamilyHandle* tables_ = nullptr;
  std::map<std::pair<topic, std::uint16_t>, lane> lanes_;
  bool opened_strictly_ = false;
  std::optional<std::uint64_t> epoch_;
  std::vector<log_damage> damage_;
  std::uint64_t untold_ = 0;
  log_check_counts counts_;
};

} // namespace finstream
