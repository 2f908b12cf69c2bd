#include "runtime/bus/embedded_bus.hpp"

#include "runtime/bus/rules.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <rocksdb/convenience.h>

namespace finstream {

std::string encode_offset(std::uint64_t offset) {
  std::string bytes(8, '\0');
  record_codec::put_big_endian(bytes.data(), offset, 8);
  return bytes;
}

std::string lane_key(topic where, std::uint16_t partition) {
  std::string key = "lane/....";
  record_codec::put_big_endian(key.data() + 5, static_cast<std::uint16_t>(where), 2);
  record_codec::put_big_endian(key.data() + 7, partition, 2);
  return key;
}

std::string group_key(topic where, std::uint16_t partition, std::string_view group) {
  std::string key = "group/....";
  record_codec::put_big_endian(key.data() + 6, static_cast<std::uint16_t>(where), 2);
  record_codec::put_big_endian(key.data() + 8, partition, 2);
  return key.append(group);
}

// All locks of one kind are taken in the order of the lanes, appending before committing, so no two threads can wait
// for each other.
struct embedded_bus::held_lanes {
  std::vector<lane*> appended;  // in order, each once
  std::vector<lane*> committed; // likewise
  std::vector<std::unique_lock<std::mutex>> locks;
};

expected<receipt> embedded_bus::write(transaction tx) {
  if (options_.read_only)
    return fail(errc::invalid_argument,
                fmt::format("write to the log in {}: it was opened for reading only", options_.directory));
  if (auto sound = check_shape(tx); !sound) return tl::unexpected(sound.error());
  std::shared_lock use{database_mutex_};
  if (auto well = watcher_->state(); !well) return tl::unexpected(well.error());
  auto held = hold(tx);
  if (!held) return tl::unexpected(held.error());
  auto offsets = plan(tx, *held);
  if (!offsets) return tl::unexpected(offsets.error());

  std::size_t payload_bytes = 0;
  for (const auto& x : tx.appends) payload_bytes += x.payload.size();
  rocksdb::WriteBatch batch{payload_bytes + 64 * (1 + tx.appends.size())};
  if (auto filled = fill(batch, tx, *offsets); !filled) return tl::unexpected(filled.error());
  if (batch.Count() == 0) return receipt{{}, options_.level};
  // After a failure nothing was given out for good: the next transaction gets the same offsets, unless the log is found
  // to hold this one when it is opened again.
  if (auto written = append_to_wal(write_options_, batch, "write to the log"); !written)
    return tl::unexpected(written.error());

  for (auto* x : held->appended) {
    x->last_ts_ns.store(x->planned_ts.ns, std::memory_order_relaxed);
    x->next.store(x->planned_next, std::memory_order_release);
    witness_->promise_next(x->witness_slot, x->planned_next);
  }
  auto counted = given_by(tx);
  bytes_appended_.fetch_add(counted.bytes, std::memory_order_relaxed);
  records_appended_.fetch_add(counted.records, std::memory_order_relaxed);
  if (!write_options_.disableWAL) bytes_logged_.fetch_add(batch.GetDataSize(), std::memory_order_relaxed);
  if (write_options_.sync) syncs_.fetch_add(1, std::memory_order_relaxed);
  if (options_.level == durability::interval) keeper_->written();
  return receipt{std::move(*offsets), options_.level};
}

expected<embedded_bus::held_lanes> embedded_bus::hold(const transaction& tx) {
  held_lanes held;
  auto enter = [&](std::vector<lane*>& list, topic where, std::uint16_t partition) -> expected<void> {
    auto found = find_or_create(where, partition);
    if (!found) return tl::unexpected(found.error());
    list.push_back(*found);
    return {};
  };
  for (const auto& x : tx.appends)
    if (auto entered = enter(held.appended, x.where, x.partition); !entered) return tl::unexpected(entered.error());
  for (const auto& x : tx.commits)
    if (auto entered = enter(held.committed, x.where, x.partition); !entered) return tl::unexpected(entered.error());
  auto before = [](const lane* a, const lane* b) {
    return lane_id(a->where, a->partition) < lane_id(b->where, b->partition);
  };
  for (auto* list : {&held.appended, &held.committed}) {
    std::sort(list->begin(), list->end(), before);
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  for (auto* x : held.appended) {
    held.locks.emplace_back(x->appending);
    x->planned_next = x->next.load(std::memory_order_relaxed);
    x->planned_ts = {x->last_ts_ns.load(std::memory_order_relaxed)};
  }
  for (auto* x : held.committed) held.locks.emplace_back(x->committing);
  return held;
}

// The offset of each append, or why the transaction is refused. Changes nothing but the lanes' plans.
expected<std::vector<std::uint64_t>> embedded_bus::plan(const transaction& tx, const held_lanes& held) const {
  std::vector<std::uint64_t> offsets;
  offsets.reserve(tx.appends.size());
  for (const auto& x : tx.appends) {
    auto& in = *find(x.where, x.partition);
    if (auto sound = check_order(x, in.planned_ts); !sound) return tl::unexpected(sound.error());
    offsets.push_back(in.planned_next);
    in.planned_next += x.count;
    in.planned_ts = x.log_ts;
  }
  for (const auto& x : tx.commits) {
    auto* in = find(x.where, x.partition);
    auto range = in->range();
    if (std::find(held.appended.begin(), held.appended.end(), in) != held.appended.end()) range.next = in->planned_next;
    if (auto sound = check_commit(x, range); !sound) return tl::unexpected(sound.error());
  }
  return offsets;
}

expected<void> embedded_bus::fill(rocksdb::WriteBatch& batch, const transaction& tx,
                                  const std::vector<std::uint64_t>& offsets) const {
  rocksdb::Status status;
  auto keep_first = [&](const rocksdb::Status& next) {
    if (status.ok()) status = next;
  };
  for (std::size_t i = 0; i < tx.appends.size(); ++i) {
    const auto& x = tx.appends[i];
    auto key = record_codec::encode_key(x.where, x.partition, offsets[i]);
    auto around = record_codec::encode_frame({key.data(), key.size()}, x);
    rocksdb::Slice key_parts[] = {slice(key)};
    rocksdb::Slice value_parts[] = {
      {around.header.data(), around.header.size()}, slice(x.payload), {around.checksum.data(), around.checksum.size()}};
    keep_first(batch.Put(find(x.where, x.partition)->family, {key_parts, 1}, {value_parts, 3}));
  }
  for (const auto& x : tx.writes) {
    auto key = x.table + '\0' + x.key;
    keep_first(x.value ? batch.Put(tables_, key, *x.value) : batch.Delete(tables_, key));
  }
  for (const auto& x : tx.commits)
    keep_first(batch.Put(meta_, group_key(x.where, x.partition, x.group), encode_offset(x.offset)));
  if (!status.ok()) return tl::unexpected(to_failure(status, "making of a transaction"));
  return {};
}

expected<embedded_bus::lane*> embedded_bus::find_or_create(topic where, std::uint16_t partition) {
  if (auto* found = find(where, partition)) return found;
  std::unique_lock guard{lanes_mutex_};
  auto& slot = lanes_[lane_id(where, partition)];
  if (slot) return slot.get();
  auto made = std::make_unique<lane>();
  made->where = where;
  made->partition = partition;
  auto status = db_->CreateColumnFamily(setup_.of(where), place(where, partition), &made->family);
  if (!status.ok()) {
    lanes_.erase(lane_id(where, partition));
    return tl::unexpected(in_trouble(status, fmt::format("creation of {} in the log", place(where, partition))));
  }
  made->witness_slot = witness_->enter(where, partition, 0);
  slot = std::move(made);
  return slot.get();
}

expected<std::uint64_t> embedded_bus::trim(topic where, std::uint16_t partition, std::uint64_t offset) {
  if (options_.read_only)
    return fail(errc::invalid_argument,
                fmt::format("trim of the log in {}: it was opened for reading only", options_.directory));
  std::shared_lock use{database_mutex_};
  if (auto well = watcher_->state(); !well) return tl::unexpected(well.error());
  auto* in = find(where, partition);
  if (!in) return 0;
  auto what = fmt::format("trim of {} in the log", place(where, partition));
  std::unique_lock guard{in->committing};
  auto head = trimmed_head(*in, offset);
  if (!head || *head == in->head.load(std::memory_order_relaxed)) return head;

  // The head is durable before anything is dropped, at any level, so no log ever begins with a hole.
  rocksdb::WriteOptions durable;
  durable.sync = true;
  auto kept =
    encode_offset(*head) + encode_offset(static_cast<std::uint64_t>(in->last_ts_ns.load(std::memory_order_relaxed)));
  rocksdb::WriteBatch batch;
  if (auto status = batch.Put(meta_, lane_key(where, partition), kept); !status.ok())
    return tl::unexpected(to_failure(status, what));
  if (auto written = append_to_wal(durable, batch, what); !written) return tl::unexpected(written.error());
  syncs_.fetch_add(1, std::memory_order_relaxed);
  in->head.store(*head, std::memory_order_release);
  guard.unlock();

  // Whole files go at once; what shares a file with a kept record is hidden by the head and goes with the file later.
  auto end = record_codec::encode_key(where, partition, *head);
  auto end_slice = slice(end);
  if (auto status = rocksdb::DeleteFilesInRange(db_.get(), in->family, nullptr, &end_slice, false); !status.ok())
    return tl::unexpected(in_trouble(status, what));
  return head;
}

} // namespace finstream
