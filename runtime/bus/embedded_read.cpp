#include "runtime/bus/embedded_bus.hpp"
#include "runtime/bus/rules.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace finstream {

namespace {

// Blocks of the log are read once and in order: they would only push the tables out of the cache.
rocksdb::ReadOptions log_reading() {
  rocksdb::ReadOptions o;
  o.fill_cache = false;
  o.verify_checksums = true;
  return o;
}

} // namespace

embedded_bus::lane* embedded_bus::find(topic where, std::uint16_t partition) const {
  std::shared_lock guard{lanes_mutex_};
  auto i = lanes_.find(lane_id(where, partition));
  return i == lanes_.end() ? nullptr : i->second.get();
}

expected<log_range> embedded_bus::range(topic where, std::uint16_t partition) const {
  auto* in = find(where, partition);
  return in ? in->range() : log_range{};
}

expected<std::vector<record>> embedded_bus::read(topic where, std::uint16_t partition, std::uint64_t offset,
                                                 std::size_t limit_bytes) const {
  std::shared_lock use{database_mutex_};
  if (!db_) return tl::unexpected(watcher_->state().error());
  auto* in = find(where, partition);
  auto range = in ? in->range() : log_range{};
  if (auto sound = check_start(where, partition, offset, range); !sound) return tl::unexpected(sound.error());
  std::vector<record> result;
  if (offset == range.next) return result;

  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(log_reading(), in->family)};
  auto expected_offset = offset; // of the first only: anywhere in the record
  std::size_t bytes = 0;
  std::optional<failure> refused;
  for (at->SeekForPrev(slice(record_codec::encode_key(where, partition, offset))); at->Valid(); at->Next()) {
    auto found = record_codec::decode(view(at->key()), view(at->value()));
    if (!found) {
      refused = found.error();
      break;
    }
    bool holds = result.empty() ? found->offset <= offset && offset < found->next() : found->offset == expected_offset;
    if (!holds || found->next() > range.next) break;
    result.push_back(found->copy());
    expected_offset = found->next();
    bytes += found->payload.size();
    if (bytes >= limit_bytes || expected_offset == range.next) return result;
  }
  // Something is wrong at expected_offset. What comes before it is good; whoever reads on from there is told.
  if (!result.empty()) return result;
  // A trim that came between the look at the range and the seek is no fault of the log.
  if (auto sound = check_start(where, partition, offset, in->range()); !sound) return tl::unexpected(sound.error());
  if (refused) return tl::unexpected(*refused);
  if (!at->status().ok())
    return tl::unexpected(to_failure(at->status(), fmt::format("read of {} at {}", place(where, partition), offset)));
  return corrupt_at(where, partition, offset, "it is missing");
}

expected<std::uint64_t> embedded_bus::offset_at(topic where, std::uint16_t partition, timestamp when) const {
  std::shared_lock use{database_mutex_};
  if (!db_) return tl::unexpected(watcher_->state().error());
  auto* in = find(where, partition);
  if (!in) return 0;
  auto [low, high] = in->range();
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(log_reading(), in->family)};
  // Records before `low` are too old, the one at `high` is not; both are where records begin.
  while (low < high) {
    auto middle = low + (high - low) / 2;
    at->SeekForPrev(slice(record_codec::encode_key(where, partition, middle)));
    if (!at->Valid()) {
      if (!at->status().ok())
        return tl::unexpected(
          to_failure(at->status(), fmt::format("search of {} at {}", place(where, partition), middle)));
      return corrupt_at(where, partition, middle, "it is missing");
    }
    auto found = record_codec::decode(view(at->key()), view(at->value()));
    if (!found) return tl::unexpected(found.error());
    if (found->next() <= middle) return corrupt_at(where, partition, middle, "it is missing");
    if (found->log_ts < when)
      low = found->next();
    else
      high = found->offset;
  }
  return low;
}

expected<std::optional<std::string>> embedded_bus::get(std::string_view table, std::string_view key) const {
  std::shared_lock use{database_mutex_};
  if (!db_) return tl::unexpected(watcher_->state().error());
  std::string value;
  auto status = db_->Get({}, tables_, std::string{table} + '\0' + std::string{key}, &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return tl::unexpected(to_failure(status, fmt::format("read of table {}", table)));
  return value;
}

expected<void> embedded_bus::scan(std::string_view table, std::string_view first, std::string_view last,
                                  const std::function<bool(std::string_view, std::string_view)>& visit) const {
  std::shared_lock use{database_mutex_};
  if (!db_) return tl::unexpected(watcher_->state().error());
  auto prefix = std::string{table} + '\0';
  auto end = last.empty() ? std::string{table} + '\1' : prefix + std::string{last};
  auto end_slice = slice(end);
  rocksdb::ReadOptions bounded;
  bounded.iterate_upper_bound = &end_slice;
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(bounded, tables_)};
  for (at->Seek(prefix + std::string{first}); at->Valid(); at->Next())
    if (!visit(view(at->key()).substr(prefix.size()), view(at->value()))) return {};
  if (!at->status().ok()) return tl::unexpected(to_failure(at->status(), fmt::format("scan of table {}", table)));
  return {};
}

expected<std::optional<std::uint64_t>> embedded_bus::committed(std::string_view group, topic where,
                                                               std::uint16_t partition) const {
  std::shared_lock use{database_mutex_};
  if (!db_) return tl::unexpected(watcher_->state().error());
  std::string value;
  auto status = db_->Get({}, meta_, group_key(where, partition, group), &value);
  if (status.IsNotFound()) return std::nullopt;
  auto what = fmt::format("read of the position of group {} on {}", group, place(where, partition));
  if (!status.ok()) return tl::unexpected(to_failure(status, what));
  if (value.size() != 8) return fail(errc::corrupt_record, what + ": it is not an offset");
  // A commit that did not reach the disk may be older than a trim that did: the group had been at the head by then.
  auto* in = find(where, partition);
  auto range = in ? in->range() : log_range{};
  return std::clamp(record_codec::get_big_endian(value.data(), 8), range.head, range.next);
}

// Where the log would begin: with a whole record, and before what any group has yet to deal with.
expected<std::uint64_t> embedded_bus::trimmed_head(const lane& in, std::uint64_t offset) const {
  auto [head, next] = in.range();
  auto limit = std::min(offset, next);
  auto prefix = group_key(in.where, in.partition, "");
  std::unique_ptr<rocksdb::Iterator> group{db_->NewIterator({}, meta_)};
  for (group->Seek(prefix); group->Valid() && group->key().starts_with(prefix); group->Next())
    if (group->value().size() == 8) limit = std::min(limit, record_codec::get_big_endian(group->value().data(), 8));
  auto what = fmt::format("trim of {}", place(in.where, in.partition));
  if (!group->status().ok()) return tl::unexpected(to_failure(group->status(), what));
  if (limit <= head) return head;
  if (limit == next) return next;
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(log_reading(), in.family)};
  at->SeekForPrev(slice(record_codec::encode_key(in.where, in.partition, limit)));
  if (!at->status().ok()) return tl::unexpected(to_failure(at->status(), what));
  if (!at->Valid()) return corrupt_at(in.where, in.partition, limit, "it is missing");
  auto found = record_codec::decode(view(at->key()), view(at->value()));
  if (!found) return tl::unexpected(found.error());
  return std::max(found->offset, head);
}

bus_statistics embedded_bus::statistics() const {
  bus_statistics result;
  std::error_code gone; // files come and go meanwhile
  for (std::filesystem::directory_iterator i{options_.directory, gone}, end; !gone && i != end; i.increment(gone)) {
    std::error_code ignored;
    auto bytes = i->file_size(ignored);
    if (!ignored) result.bytes_on_disk += bytes;
  }
  result.bytes_appended = bytes_appended_.load(std::memory_order_relaxed);
  result.bytes_written = bytes_logged_.load(std::memory_order_relaxed) + watcher_->bytes_of_files();
  result.records_appended = records_appended_.load(std::memory_order_relaxed);
  result.syncs = syncs_.load(std::memory_order_relaxed);
  return result;
}

} // namespace finstream
