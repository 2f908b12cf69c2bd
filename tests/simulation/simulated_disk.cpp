#include "tests/simulation/simulated_disk.hpp"

#include "messages/schema/schema.hpp"
#include "messages/value/bytes.hpp"

namespace finstream::simulation {

simulated_disk::simulated_disk(std::uint64_t seed, durability level, nanoseconds sync_interval)
  : chance_{seed}, level_{level}, sync_interval_{sync_interval}, inner_{open_memory_bus()} {}

// ---- writing

expected<receipt> simulated_disk::write(transaction tx) {
  if (is_dead()) return fail(errc::io_failure, "the process is being killed");
  if (troubles.full) return fail(errc::disk_full, "no space left on the simulated disk");
  if (chance_.per_mille(troubles.write_is_slow)) on_slow(chance_.between(1, 400) * millisecond);
  if (chance_.per_mille(troubles.write_fails)) return fail(errc::io_failure, "the simulated disk does not write");
  auto done = apply(std::move(tx));
  --writes_left_;
  if (done && chance_.per_mille(troubles.answer_is_lost))
    return fail(errc::io_failure, "the simulated disk does not answer");
  return done;
}

void simulated_disk::write_as_a_stranger(transaction tx) {
  ensure(apply(std::move(tx)).has_value(), "a stranger's record fits into the log");
  synced_ = history_.size();
}

expected<receipt> simulated_disk::apply(transaction tx) {
  keep_rules(tx);
  auto copy = tx;
  auto done = inner_->write(std::move(tx));
  if (!done) {
    if (done.error().code == errc::invalid_argument) on_broken_rule(done.error().message);
    return fail(errc::io_failure, done.error().message); // the run ends with what was found: no abort in the middle
  }
  count_in_hash(copy);
  for (auto& x : copy.appends) last_log_ts_[{x.where, x.partition}] = x.log_ts;
  if (on_written) on_written(copy, done->offsets);
  history_.emplace_back(std::move(copy));
  done->level = level_;
  if (level_ == durability::batch) synced_ = history_.size();
  return done;
}

void simulated_disk::keep_rules(const transaction& tx) {
  for (auto& x : tx.appends) {
    auto last = last_log_ts_.find({x.where, x.partition});
    if (last != last_log_ts_.end() && x.log_ts < last->second)
      on_broken_rule("log time goes back in " + std::string{to_string(x.where)} + "/" + std::to_string(x.partition) +
                     ": from " + to_string(last->second) + " to " + to_string(x.log_ts));
  }
}

void simulated_disk::count_in_hash(const transaction& tx) {
  std::string bytes;
  byte_writer out{bytes};
  out.number(hash_);
  for (auto& x : tx.appends) {
    out.number(static_cast<std::uint64_t>(x.where)), out.number(x.partition);
    out.number(static_cast<std::uint64_t>(x.kind)), out.number(x.count), out.signed_number(x.log_ts.ns);
    out.text(x.payload);
  }
  for (auto& x : tx.writes) out.text(x.table), out.text(x.key), out.text(x.value.value_or(""));
  for (auto& x : tx.commits) out.text(x.group), out.number(x.offset);
  hash_ = hash_text(bytes);
}

expected<std::uint64_t> simulated_disk::trim(topic where, std::uint16_t partition, std::uint64_t offset) {
  if (is_dead()) return fail(errc::io_failure, "the process is being killed");
  if (chance_.per_mille(troubles.write_fails)) return fail(errc::io_failure, "the simulated disk does not trim");
  --writes_left_;
  auto done = inner_->trim(where, partition, offset);
  if (done) history_.emplace_back(trimming{where, partition, *done});
  return done;
}

expected<void> simulated_disk::sync() {
  was_synced_ = true;
  synced_ = history_.size();
  return {};
}

void simulated_disk::pass(nanoseconds span) {
  since_sync_ += span;
  if (level_ != durability::interval || since_sync_ < sync_interval_) return;
  since_sync_ = 0;
  synced_ = history_.size();
}

// ---- crashes

void simulated_disk::die_after_writes(std::uint64_t writes) { writes_left_ = writes; }

bool simulated_disk::lose_process() {
  writes_left_ = ~std::uint64_t{0};
  recovery_.created = history_.empty() && !was_synced_;
  return level_ == durability::none && lose_machine();
}

bool simulated_disk::lose_machine() {
  writes_left_ = ~std::uint64_t{0};
  return cut_to(synced_ + chance_.below(history_.size() - synced_ + 1));
}

void simulated_disk::lose_all() {
  writes_left_ = ~std::uint64_t{0};
  synced_ = 0, was_synced_ = false;
  history_.clear();
  last_log_ts_.clear();
  inner_ = open_memory_bus();
  recovery_ = {recovery_.epoch, true, {}};
}

bool simulated_disk::cut_to(std::size_t changes) {
  auto lost = history_.size() - changes;
  recovery_ = {recovery_.epoch, changes == 0 && !was_synced_, {}};
  synced_ = changes;
  if (lost == 0) return false;
  recovery_.notes.push_back("torn tail: " + std::to_string(lost) + " transactions are lost");
  history_.resize(changes);
  inner_ = open_memory_bus();
  last_log_ts_.clear();
  for (auto& x : history_) {
    if (auto* trimmed = std::get_if<trimming>(&x)) {
      ensure(inner_->trim(trimmed->where, trimmed->partition, trimmed->offset).has_value(), "a trim can be repeated");
      continue;
    }
    auto& tx = std::get<transaction>(x);
    for (auto& record : tx.appends) last_log_ts_[{record.where, record.partition}] = record.log_ts;
    ensure(inner_->write(tx).has_value(), "a transaction can be repeated");
  }
  return true;
}

// ---- reading

expected<void> simulated_disk::readable() const {
  if (chance_.per_mille(troubles.read_fails)) return fail(errc::io_failure, "the simulated disk does not read");
  return {};
}

expected<std::vector<record>> simulated_disk::read(topic where, std::uint16_t partition, std::uint64_t offset,
                                                   std::size_t limit_bytes) const {
  if (auto good = readable(); !good) return tl::unexpected{good.error()};
  return inner_->read(where, partition, offset, limit_bytes);
}
expected<std::uint64_t> simulated_disk::offset_at(topic where, std::uint16_t partition, timestamp at) const {
  if (auto good = readable(); !good) return tl::unexpected{good.error()};
  return inner_->offset_at(where, partition, at);
}
expected<log_range> simulated_disk::range(topic where, std::uint16_t partition) const {
  return inner_->range(where, partition); // the log knows its ends without the disk
}
expected<std::optional<std::string>> simulated_disk::get(std::string_view table, std::string_view key) const {
  if (auto good = readable(); !good) return tl::unexpected{good.error()};
  return inner_->get(table, key);
}
expected<void> simulated_disk::scan(std::string_view table, std::string_view first, std::string_view last,
                                    const std::function<bool(std::string_view, std::string_view)>& visit) const {
  if (auto good = readable(); !good) return good;
  return inner_->scan(table, first, last, visit);
}
expected<std::optional<std::uint64_t>> simulated_disk::committed(std::string_view group, topic where,
                                                                 std::uint16_t partition) const {
  if (auto good = readable(); !good) return tl::unexpected{good.error()};
  return inner_->committed(group, where, partition);
}
expected<void> simulated_disk::health() const {
  if (troubles.full) return fail(errc::disk_full, "no space left on the simulated disk");
  return {};
}

} // namespace finstream::simulation
