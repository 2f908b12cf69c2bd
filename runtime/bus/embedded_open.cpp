// Opening a log: who else has it, what it is, where each topic and partition ends, and what was lost since.
#include "runtime/bus/embedded_bus.hpp"
#include "runtime/bus/rules.hpp"
#include "runtime/clock/clock.hpp"

#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <utility>

namespace finstream {

namespace {

constexpr std::uint64_t format_version = 1; // of the directory as a whole; record_codec has its own
constexpr int read_only_attempts = 200;     // see try_to_open()
constexpr nanoseconds read_only_pause = 10 * millisecond;

// "events/0" back into its parts.
std::optional<std::pair<topic, std::uint16_t>> parse_place(const std::string& name) {
  auto slash = name.find('/');
  if (slash == std::string::npos) return std::nullopt;
  auto where = parse_topic(std::string_view{name}.substr(0, slash));
  std::uint16_t partition = 0;
  const auto* end = name.data() + name.size();
  auto [stop, error] = std::from_chars(name.data() + slash + 1, end, partition);
  if (where && error == std::errc{} && stop == end) return std::pair{*where, partition};
  return std::nullopt;
}

// The name and length of RocksDB's list of files, which only grows or is begun anew.
std::string manifest_state(const std::string& directory) {
  std::string name;
  std::getline(std::ifstream{directory + "/CURRENT"}, name);
  std::error_code gone;
  return fmt::format("{} {}", name, std::filesystem::file_size(directory + "/" + name, gone));
}

} // namespace

expected<std::unique_ptr<bus>> open_embedded_bus(const embedded_bus_options& options) {
  if (options.directory.empty()) return fail(errc::invalid_argument, "open of the log: no directory was given");
  if (options.sync_interval_ms <= 0)
    return fail(errc::invalid_argument, "open of the log: sync_interval_ms is not positive");
  return embedded_bus::open(options);
}

embedded_bus::embedded_bus(const embedded_bus_options& options)
  : options_{options}, watcher_{std::make_shared<watcher>([this] {
      if (auto* x = alarmed_.load()) x->troubled();
    })},
    setup_{set_up_rocksdb(options, watcher_)} {
  write_options_.sync = options_.level == durability::batch;
  write_options_.disableWAL = options_.level == durability::none;
}

expected<std::unique_ptr<bus>> embedded_bus::open(const embedded_bus_options& options) {
  namespace fs = std::filesystem;
  std::unique_ptr<embedded_bus> self{new embedded_bus{options}};
  std::error_code error;
  self->recovery_.created = !fs::exists(options.directory + "/CURRENT", error);
  if (self->recovery_.created && options.read_only)
    return fail(errc::not_found, fmt::format("open of the log in {}: there is none", options.directory));
  if (!options.read_only) fs::create_directories(options.directory, error);
  if (error)
    return fail(errc::io_failure,
                fmt::format("creation of the log's directory {}: {}", options.directory, error.message()));

  auto wanted = options.read_only ? access::read_only : access::full;
  if (auto opened = self->open_database(wanted); !opened) return tl::unexpected(opened.error());
  if (auto read = self->read_identity(); !read) return tl::unexpected(read.error());
  if (auto found = self->recover(self->recovery_.notes); !found) return tl::unexpected(found.error());
  self->hear_witness();
  if (options.read_only) return self;

  auto opened = witness::open(options.directory, self->recovery_.epoch, options.level);
  if (!opened) return tl::unexpected(opened.error());
  self->witness_ = std::move(*opened);
  for (auto& [id, x] : self->lanes_) x->witness_slot = self->witness_->enter(x->where, x->partition, x->next);
  self->start_keeper();
  return self;
}

embedded_bus::~embedded_bus() {
  if (keeper_) keeper_->stop();
  // An error here has nobody to go to; what was acknowledged at a level is kept at that level all the same.
  if (keeper_ && db_ && !watcher_->in_trouble()) (void)make_durable();
  close_database();
}

void embedded_bus::close_database() {
  for (auto& [id, x] : lanes_)
    if (x->family) db_->DestroyColumnFamilyHandle(std::exchange(x->family, nullptr));
  if (tables_) db_->DestroyColumnFamilyHandle(std::exchange(tables_, nullptr));
  if (meta_) db_->DestroyColumnFamilyHandle(std::exchange(meta_, nullptr));
  if (db_) (void)db_->Close();
  db_.reset();
}

expected<void> embedded_bus::open_database(access wanted) {
  rocksdb::Status status;
  for (int attempt = 0; attempt < (wanted == access::read_only ? read_only_attempts : 1); ++attempt) {
    if (attempt > 0) pause(read_only_pause);
    auto before = manifest_state(options_.directory);
    if (auto fit = try_to_open(wanted, status); !fit) return fit;
    // Beside a running node: if it has dropped a write-ahead log meanwhile, for a sorted file that was not listed yet
    // when the list was read, then what was opened has a hole. Each such step changes the list.
    if (status.ok() && wanted == access::read_only && manifest_state(options_.directory) != before) {
      close_database();
      status = rocksdb::Status::Busy("the node that writes it was always quicker");
    }
    if (status.ok()) return {};
  }
  return open_failure(status);
}

// Errors: what the directory holds is none of ours. All else is in `status`.
expected<void> embedded_bus::try_to_open(access wanted, rocksdb::Status& status) {
  auto database = setup_.database;
  if (wanted == access::read_only) make_read_only(database);
  std::vector<std::string> names;
  std::error_code unreadable; // is said by what follows
  status = {};
  if (std::filesystem::exists(options_.directory + "/CURRENT", unreadable))
    status = rocksdb::DB::ListColumnFamilies(database, options_.directory, &names);
  if (!status.ok()) return {};
  auto families = describe_families(names);
  if (!families) return tl::unexpected(families.error());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  status = wanted == access::read_only
             ? rocksdb::DB::OpenForReadOnly(database, options_.directory, *families, &handles, &opened)
             : rocksdb::DB::Open(database, options_.directory, *families, &handles, &opened);
  if (!status.ok()) return {};
  db_.reset(opened);
  meta_ = handles[0];
  tables_ = handles[1];
  for (std::size_t i = 2; i < handles.size(); ++i) {
    auto [where, partition] = *parse_place(handles[i]->GetName());
    auto& x = lanes_[lane_id(where, partition)];
    if (!x) x = std::make_unique<lane>();
    x->where = where;
    x->partition = partition;
    x->family = handles[i];
  }
  return {};
}

expected<std::vector<rocksdb::ColumnFamilyDescriptor>>
embedded_bus::describe_families(const std::vector<std::string>& names) {
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, setup_.meta);
  families.emplace_back("tables", setup_.tables);
  for (const auto& name : names) {
    if (name == rocksdb::kDefaultColumnFamilyName || name == "tables") continue;
    auto known = parse_place(name);
    if (!known)
      return fail(errc::incompatible,
                  fmt::format("open of the log in {}: it holds `{}`, which this version does not know",
                              options_.directory, name));
    families.emplace_back(name, setup_.of(known->first));
  }
  return families;
}

expected<void> embedded_bus::open_failure(const rocksdb::Status& status) const {
  if (is_locked(status))
    return fail(errc::locked,
                fmt::format("open of the log in {}: {} has it open; stop that one, or give this node a data "
                            "directory of its own",
                            options_.directory, holder_of(options_.directory, status)));
  return tl::unexpected(to_failure(status, fmt::format("open of the log in {}", options_.directory)));
}

expected<void> embedded_bus::read_identity() {
  auto what = fmt::format("open of the log in {}", options_.directory);
  std::string format;
  std::string epoch;
  auto status = db_->Get({}, meta_, "format", &format);
  if (status.ok()) status = db_->Get({}, meta_, "epoch", &epoch);
  if (status.ok()) {
    if (format.size() != 8 || epoch.size() != 8) return fail(errc::corrupt_record, what + ": its marker is damaged");
    auto version = record_codec::get_big_endian(format.data(), 8);
    if (version > format_version)
      return fail(errc::incompatible, fmt::format("{}: its format is {}, this version knows {}; use a newer version",
                                                  what, version, format_version));
    recovery_.epoch = record_codec::get_big_endian(epoch.data(), 8);
    return {};
  }
  if (!status.IsNotFound()) return tl::unexpected(to_failure(status, what));
  // Not marked: the process was killed while it made the log, before anything could be written to it.
  if (!lanes_.empty()) return fail(errc::incompatible, what + ": it has no marker; this is not a log of FinStream");
  recovery_.created = true;
  if (options_.read_only) return {};
  recovery_.epoch = options_.epoch != 0 ? options_.epoch : static_cast<std::uint64_t>(system_clock().now().ns / second);
  rocksdb::WriteBatch batch;
  rocksdb::WriteOptions durable;
  durable.sync = true;
  status = batch.Put(meta_, "format", encode_offset(format_version));
  if (status.ok()) status = batch.Put(meta_, "epoch", encode_offset(recovery_.epoch));
  if (status.ok()) status = db_->Write(durable, &batch);
  if (!status.ok()) return tl::unexpected(to_failure(status, what));
  return {};
}

expected<void> embedded_bus::recover(std::vector<std::string>& notes) {
  for (auto& [id, x] : lanes_)
    if (auto found = recover_lane(*x, notes); !found) return found;
  return recover_groups(notes);
}

// Head from its marker, end from the last record. A bad last record is cut; if the one before it is bad as well, that
// is no tail.
expected<void> embedded_bus::recover_lane(lane& in, std::vector<std::string>& notes) {
  auto what = fmt::format("open of {} in the log in {}", place(in.where, in.partition), options_.directory);
  std::string kept;
  auto status = db_->Get({}, meta_, lane_key(in.where, in.partition), &kept);
  if (!status.ok() && !status.IsNotFound()) return tl::unexpected(to_failure(status, what));
  if (status.ok() && kept.size() != 16) return fail(errc::corrupt_record, what + ": the marker of its head is damaged");
  if (status.ok()) {
    in.head = record_codec::get_big_endian(kept.data(), 8);
    in.last_ts_ns = static_cast<std::int64_t>(record_codec::get_big_endian(kept.data() + 8, 8));
  }
  in.next = in.head.load();

  rocksdb::ReadOptions reading;
  reading.fill_cache = false;
  auto lowest = record_codec::encode_key(in.where, in.partition, in.head);
  auto lowest_slice = slice(lowest);
  reading.iterate_lower_bound = &lowest_slice;
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(reading, in.family)};
  at->SeekToLast();
  for (bool cut = false; at->Valid(); at->Prev(), cut = true) {
    auto last = record_codec::decode(view(at->key()), view(at->value()));
    if (last) {
      in.next = last->next();
      in.last_ts_ns = last->log_ts.ns;
      return {};
    }
    if (cut) return tl::unexpected(last.error());
    notes.push_back("torn tail: the last record was cut, for it is not what was written. It was the " +
                    last.error().message);
    rocksdb::WriteOptions durable;
    durable.sync = true;
    if (!options_.read_only) status = db_->Delete(durable, in.family, at->key());
    if (!options_.read_only && !status.ok()) return tl::unexpected(to_failure(status, what));
  }
  if (!at->status().ok()) return tl::unexpected(to_failure(at->status(), what));
  return {};
}

// A group that is ahead of a log that was cut would pass over what is appended next.
expected<void> embedded_bus::recover_groups(std::vector<std::string>& notes) {
  auto what = fmt::format("open of the log in {}", options_.directory);
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator({}, meta_)};
  constexpr std::string_view prefix = "group/";
  for (at->Seek(slice(prefix)); at->Valid() && at->key().starts_with(slice(prefix)); at->Next()) {
    auto key = view(at->key());
    if (key.size() <= prefix.size() + 4 || at->value().size() != 8)
      return fail(errc::corrupt_record, what + ": the position of a group is damaged");
    auto where = static_cast<topic>(record_codec::get_big_endian(key.data() + prefix.size(), 2));
    auto partition = static_cast<std::uint16_t>(record_codec::get_big_endian(key.data() + prefix.size() + 2, 2));
    auto offset = record_codec::get_big_endian(at->value().data(), 8);
    auto* in = find(where, partition);
    auto next = in ? in->next.load() : 0;
    if (offset <= next) continue;
    notes.push_back(fmt::format("group {} of {} was at {}, past the end of the log; it was set back to {}",
                                key.substr(prefix.size() + 4), place(where, partition), offset, next));
    if (options_.read_only) continue;
    rocksdb::WriteOptions durable;
    durable.sync = true;
    if (auto status = db_->Put(durable, meta_, at->key(), encode_offset(next)); !status.ok())
      return tl::unexpected(to_failure(status, what));
  }
  if (!at->status().ok()) return tl::unexpected(to_failure(at->status(), what));
  return {};
}

void embedded_bus::hear_witness() {
  if (recovery_.created || options_.read_only) return; // beside a running node it is ahead of what was read
  auto [level, promises] = witness::hear(options_.directory, recovery_.epoch);
  for (const auto& x : promises) {
    auto* in = find(x.where, x.partition);
    auto next = in ? in->next.load() : 0;
    if (x.next <= next) continue;
    recovery_.notes.push_back(
      fmt::format("torn tail: {} ends at {} but {} was promised: {} events acknowledged at level {} "
                  "were lost with the {}",
                  place(x.where, x.partition), next, x.next, x.next - next, to_string(level),
                  level == durability::none ? "process" : "machine"));
  }
}

} // namespace finstream
