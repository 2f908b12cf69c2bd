// The files of a log: which RocksDB needs, which of them are there, and whether their bytes are what was written.
#include "runtime/bus/embedded_bus.hpp"
#include "runtime/bus/log_checker.hpp"
#include "runtime/bus/rules.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/utilities/options_util.h>
#include <unistd.h>

namespace finstream {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_damage = 1000; // kept one by one; beyond it is counted

std::string first_line(const std::string& path) {
  std::string line;
  std::getline(std::ifstream{path}, line);
  return line;
}

} // namespace

void warnings_kept::Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) {
  if (level < rocksdb::InfoLogLevel::WARN_LEVEL || level > rocksdb::InfoLogLevel::FATAL_LEVEL) return;
  char text[1024];
  std::vsnprintf(text, sizeof text, format, arguments);
  lines.emplace_back(text);
}

expected<std::unique_ptr<log_check>> log_check::begin(const std::string& directory) {
  std::error_code unreadable;
  if (!fs::exists(directory + "/CURRENT", unreadable) && files_of_log(directory).empty())
    return fail(errc::not_found, fmt::format("check of the log in {}: there is none", directory));
  auto self = std::make_unique<log_checker>(directory);
  if (auto held = self->lock(); !held) return tl::unexpected(held.error());
  return self;
}

log_checker::~log_checker() {
  close();
  if (lock_ >= 0) ::close(lock_);
}

// The lock that RocksDB takes, so that no node starts meanwhile. A directory that cannot be written has no writer.
expected<void> log_checker::lock() {
  lock_ = ::open((directory_ + "/LOCK").c_str(), O_RDWR | O_CLOEXEC);
  if (lock_ < 0) return {};
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(lock_, F_SETLK, &whole) == 0) return {};
  return fail(errc::locked,
              fmt::format("check of the log in {}: {} has it open; stop that one first, or check a copy that was made "
                          "while it was stopped",
                          directory_, holder_of_log(directory_).value_or("another process")));
}

void log_checker::add(log_damage x) {
  if (damage_.size() < most_damage)
    damage_.push_back(std::move(x));
  else
    ++untold_;
}

log_damage log_checker::damage_of_file(log_damage::kind is, std::string name, std::string_view family,
                                       std::string why) const {
  log_damage out;
  out.is = is;
  out.where = std::move(name);
  out.why = std::move(why);
  if (auto place = parse_place(family)) out.of = place->first;
  out.is_of_tables = family == "tables";
  return out;
}

bool log_checker::check_files() {
  std::error_code unreadable;
  for (fs::directory_iterator i{directory_, unreadable}, end; !unreadable && i != end; i.increment(unreadable)) {
    std::error_code gone;
    if (!i->is_regular_file(gone)) continue;
    ++counts_.files;
    counts_.file_bytes += i->file_size(gone);
  }
  check_options();
  if (!check_current()) return false;
  auto strict = open(strictness::as_a_node);
  opened_strictly_ = strict.ok();
  if (!strict.ok()) {
    tell_warnings();
    auto status = open(strictness::past_damage);
    auto of_wal = has(log_damage::kind::write_ahead_log) || strict.ToString().find("WAL") != std::string::npos;
    if (!status.ok()) {
      status = open(strictness::up_to_damage);
      of_wal = of_wal || status.ok();
    }
    if (of_wal && !has(log_damage::kind::write_ahead_log))
      add(damage_of_file(log_damage::kind::write_ahead_log, "a write-ahead log", "", strict.ToString()));
    if (!status.ok()) {
      add(damage_of_file(log_damage::kind::file_list, first_line(directory_ + "/CURRENT"), "", status.ToString()));
      return false;
    }
  }
  check_sorted_files();
  if (!strict.ok() && !has(log_damage::kind::write_ahead_log) && !has(log_damage::kind::sorted_file))
    add(damage_of_file(log_damage::kind::file_list, first_line(directory_ + "/CURRENT"), "", strict.ToString()));
  if (tables_ == nullptr && !lanes_.empty()) { // else its making was interrupted, and the next start goes on with it
    log_damage none;
    none.is = log_damage::kind::row;
    none.where = "tables";
    none.why = "there are none";
    none.is_of_tables = true;
    add(std::move(none));
  }
  read_marker();
  read_heads();
  return true;
}

bool log_checker::has(log_damage::kind is) const {
  return std::any_of(damage_.begin(), damage_.end(), [&](auto& x) { return x.is == is; });
}

bool log_checker::check_current() {
  auto path = directory_ + "/CURRENT";
  auto refuse = [&](std::string why) {
    add(damage_of_file(log_damage::kind::current, "CURRENT", "", std::move(why)));
    return false;
  };
  std::error_code unreadable;
  if (!fs::exists(path, unreadable)) return refuse("it is missing");
  auto name = first_line(path);
  if (!name.starts_with("MANIFEST-") || fs::file_size(path, unreadable) != name.size() + 1)
    return refuse("it does not name a list of files");
  if (fs::exists(directory_ + "/" + name, unreadable)) return true;
  add(damage_of_file(log_damage::kind::file_list, name, "", "it is missing, and CURRENT names it"));
  return false;
}

rocksdb::Status log_checker::open(strictness how) {
  close();
  embedded_bus_options options;
  options.directory = directory_;
  options.read_only = true;
  auto setup = set_up_rocksdb(options, std::make_shared<watcher>([] {}));
  warnings_ = std::make_shared<warnings_kept>();
  setup.database.info_log = warnings_;
  setup.database.listeners.clear();
  if (how != strictness::as_a_node) {
    setup.database.paranoid_checks = how == strictness::up_to_damage; // else RocksDB 7.8 does not stop there
    setup.database.wal_recovery_mode = how == strictness::past_damage
                                         ? rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords
                                         : rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    setup.database.track_and_verify_wals_in_manifest = false;
  }
  std::vector<std::string> names;
  auto status = rocksdb::DB::ListColumnFamilies(setup.database, directory_, &names);
  if (!status.ok()) return status;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const auto& name : names) {
    auto place = parse_place(name);
    families.emplace_back(name, place ? setup.of(place->first) : name == "tables" ? setup.tables : setup.meta);
  }
  rocksdb::DB* opened = nullptr;
  status = rocksdb::DB::OpenForReadOnly(setup.database, directory_, families, &handles_, &opened);
  if (!status.ok()) return status;
  db_.reset(opened);
  for (auto* x : handles_) {
    if (x->GetName() == rocksdb::kDefaultColumnFamilyName) meta_ = x;
    if (x->GetName() == "tables") tables_ = x;
    if (auto place = parse_place(x->GetName())) lanes_[*place] = {place->first, place->second, x, 0, 0, {}};
  }
  return status;
}

void log_checker::close() {
  for (auto* x : handles_) (void)db_->DestroyColumnFamilyHandle(x);
  handles_.clear();
  lanes_.clear();
  meta_ = tables_ = nullptr;
  db_.reset();
}

// "/data/000012.log: dropping 812 bytes; Corruption: checksum mismatch": the first of a file, and how many bytes in
// all.
void log_checker::tell_warnings() {
  constexpr std::string_view mark = ".log: dropping ";
  std::map<std::string, std::pair<std::string, std::uint64_t>> files;
  for (const auto& line : warnings_->lines) {
    auto end = line.find(mark), reason = line.find("; ", end);
    if (end == std::string::npos || reason == std::string::npos) continue;
    auto begin = line.rfind('/', end) + 1; // 0 if there is none
    auto& file = files[line.substr(begin, end + 4 - begin)];
    if (file.first.empty()) file.first = line.substr(reason + 2);
    file.second += std::strtoull(line.c_str() + end + mark.size(), nullptr, 10);
  }
  for (auto& [name, x] : files)
    add(damage_of_file(log_damage::kind::write_ahead_log, name, "",
                       fmt::format("{}; {} bytes of it cannot be read", x.first, x.second)));
}

void log_checker::check_sorted_files() {
  std::vector<rocksdb::LiveFileMetaData> files;
  db_->GetLiveFilesMetaData(&files);
  for (const auto& x : files) {
    auto refuse = [&](std::string why) {
      add(damage_of_file(log_damage::kind::sorted_file, x.relative_filename, x.column_family_name,
                         fmt::format("{} (it holds {})", why, x.column_family_name)));
    };
    auto path = directory_ + "/" + x.relative_filename;
    std::error_code missing;
    auto bytes = fs::file_size(path, missing);
    if (missing) {
      refuse(missing.message());
    } else if (bytes != x.size) {
      refuse(fmt::format("it has {} bytes instead of {}", bytes, x.size));
    } else {
      rocksdb::SstFileReader reader{rocksdb::Options{}};
      auto status = reader.Open(path);
      if (status.ok()) status = reader.VerifyChecksum();
      if (!status.ok()) refuse(status.ToString());
    }
  }
}

// The newest: RocksDB keeps the one before it as well.
void log_checker::check_options() {
  std::string name;
  if (!rocksdb::GetLatestOptionsFileName(directory_, rocksdb::Env::Default(), &name).ok()) return;
  rocksdb::DBOptions database;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  rocksdb::ConfigOptions how;
  how.ignore_unknown_options = true;
  auto status = rocksdb::LoadOptionsFromFile(how, directory_ + "/" + name, &database, &families);
  if (!status.ok()) add(damage_of_file(log_damage::kind::options, name, "", status.ToString()));
}

} // namespace finstream
