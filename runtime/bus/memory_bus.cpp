// The bus in memory: the same rules and the same bytes as on disk, one lock over all of it. For tests, and for
// replaying into, where a second opinion is wanted and nothing needs to last.
#include "runtime/bus/record_codec.hpp"
#include "runtime/bus/rules.hpp"
#include "runtime/clock/clock.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <shared_mutex>

namespace finstream {

namespace {

using lane_id = std::pair<topic, std::uint16_t>;

struct stored {
  std::uint64_t offset;
  timestamp log_ts;
  std::string value; // as record_codec writes it
};

struct lane {
  std::uint64_t head = 0;
  std::uint64_t next = 0;
  timestamp last_ts = earliest;
  std::deque<stored> records;
  std::map<std::string, std::uint64_t, std::less<>> groups;

  log_range range() const { return {head, next}; }
};

class memory_bus : public bus {
public:
  explicit memory_bus(std::uint64_t epoch) {
    recovery_.epoch = epoch != 0 ? epoch : static_cast<std::uint64_t>(system_clock().now().ns / second);
    recovery_.created = true;
  }

  expected<receipt> write(transaction tx) override {
    if (auto sound = check_shape(tx); !sound) return tl::unexpected(sound.error());
    std::unique_lock guard{mutex_};
    auto offsets = plan(tx);
    if (!offsets) return tl::unexpected(offsets.error());
    for (std::size_t i = 0; i < tx.appends.size(); ++i) append(tx.appends[i], (*offsets)[i]);
    auto counted = given_by(tx);
    statistics_.bytes_appended += counted.bytes;
    statistics_.records_appended += counted.records;
    for (auto& x : tx.writes) {
      auto& table = tables_[x.table];
      if (x.value)
        table.insert_or_assign(std::move(x.key), std::move(*x.value));
      else
        table.erase(x.key);
    }
    for (const auto& x : tx.commits) lanes_[{x.where, x.partition}].groups[x.group] = x.offset;
    return receipt{std::move(*offsets), durability::none};
  }

  expected<std::vector<record>> read(topic where, std::uint16_t partition, std::uint64_t offset,
                                     std::size_t limit_bytes) const override {
    std::shared_lock guard{mutex_};
    const auto& from = find(where, partition);
    if (auto sound = check_start(where, partition, offset, from.range()); !sound) return tl::unexpected(sound.error());
    std::vector<record> result;
    std::size_t bytes = 0;
    auto i = std::upper_bound(from.records.begin(), from.records.end(), offset,
                              [](std::uint64_t at, const stored& x) { return at < x.offset; });
    if (offset == from.next)
      i = from.records.end();
    else
      --i; // the head is where a record begins, so there is one
    for (; i != from.records.end() && (result.empty() || bytes < limit_bytes); ++i) {
      auto key = record_codec::encode_key(where, partition, i->offset);
      auto view = record_codec::decode({key.data(), key.size()}, i->value);
      if (!view) return tl::unexpected(view.error());
      bytes += view->payload.size();
      result.push_back(view->copy());
    }
    return result;
  }

  expected<std::uint64_t> offset_at(topic where, std::uint16_t partition, timestamp at) const override {
    std::shared_lock guard{mutex_};
    const auto& in = find(where, partition);
    auto i = std::partition_point(in.records.begin(), in.records.end(), [&](const stored& x) { return x.log_ts < at; });
    return i == in.records.end() ? in.next : i->offset;
  }

  expected<log_range> range(topic where, std::uint16_t partition) const override {
    std::shared_lock guard{mutex_};
    return find(where, partition).range();
  }

  expected<std::optional<std::string>> get(std::string_view table, std::string_view key) const override {
    std::shared_lock guard{mutex_};
    if (auto t = tables_.find(table); t != tables_.end())
      if (auto x = t->second.find(key); x != t->second.end()) return x->second;
    return std::nullopt;
  }

  // What is visited is a copy, so that `visit` may call the bus.
  expected<void> scan(std::string_view table, std::string_view first, std::string_view last,
                      const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    std::vector<std::pair<std::string, std::string>> found;
    {
      std::shared_lock guard{mutex_};
      if (auto t = tables_.find(table); t != tables_.end())
        for (auto i = t->second.lower_bound(first); i != t->second.end() && (last.empty() || i->first < last); ++i)
          found.push_back(*i);
    }
    for (const auto& [key, value] : found)
      if (!visit(key, value)) break;
    return {};
  }

  expected<std::optional<std::uint64_t>> committed(std::string_view group, topic where,
                                                   std::uint16_t partition) const override {
    std::shared_lock guard{mutex_};
    const auto& groups = find(where, partition).groups;
    auto i = groups.find(group);
    if (i == groups.end()) return std::nullopt;
    return i->second;
  }

  expected<std::uint64_t> trim(topic where, std::uint16_t partition, std::uint64_t offset) override {
    std::unique_lock guard{mutex_};
    auto at = lanes_.find({where, partition});
    if (at == lanes_.end()) return 0;
    auto& in = at->second;
    for (const auto& [group, done] : in.groups) offset = std::min(offset, done);
    while (!in.records.empty()) {
      auto end = in.records.size() > 1 ? in.records[1].offset : in.next;
      if (end > offset) break;
      in.records.pop_front();
      in.head = end;
    }
    return in.head;
  }

  expected<void> sync() override { return {}; }
  expected<void> health() const override { return {}; }
  bus_capabilities capabilities() const override { return {"memory", true, false}; }
  const recovery_report& recovery() const override { return recovery_; }

  bus_statistics statistics() const override {
    std::shared_lock guard{mutex_};
    return statistics_;
  }

private:
  const lane& find(topic where, std::uint16_t partition) const {
    static const lane nothing;
    auto i = lanes_.find({where, partition});
    return i == lanes_.end() ? nothing : i->second;
  }

  // The offset of each append, or why the transaction is refused. Changes nothing.
  expected<std::vector<std::uint64_t>> plan(const transaction& tx) const {
    std::map<lane_id, std::pair<log_range, timestamp>> after;
    auto planned = [&](topic where, std::uint16_t partition) -> auto& {
      const auto& now = find(where, partition);
      return after.try_emplace({where, partition}, now.range(), now.last_ts).first->second;
    };
    std::vector<std::uint64_t> offsets;
    for (const auto& x : tx.appends) {
      auto& [range, last_ts] = planned(x.where, x.partition);
      if (auto sound = check_order(x, last_ts); !sound) return tl::unexpected(sound.error());
      offsets.push_back(range.next);
      range.next += x.count;
      last_ts = x.log_ts;
    }
    for (const auto& x : tx.commits)
      if (auto sound = check_commit(x, planned(x.where, x.partition).first); !sound)
        return tl::unexpected(sound.error());
    return offsets;
  }

  void append(const new_record& x, std::uint64_t offset) {
    auto& to = lanes_[{x.where, x.partition}];
    auto key = record_codec::encode_key(x.where, x.partition, offset);
    to.records.push_back({offset, x.log_ts, record_codec::encode({key.data(), key.size()}, x)});
    to.next = offset + x.count;
    to.last_ts = x.log_ts;
  }

  mutable std::shared_mutex mutex_; // over everything below
  std::map<lane_id, lane> lanes_;
  std::map<std::string, std::map<std::string, std::string, std::less<>>, std::less<>> tables_;
  bus_statistics statistics_;
  recovery_report recovery_; // never changes
};

} // namespace

std::unique_ptr<bus> open_memory_bus(std::uint64_t epoch) { return std::make_unique<memory_bus>(epoch); }

} // namespace finstream
