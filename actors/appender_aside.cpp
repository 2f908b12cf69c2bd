// What of a partition is set aside: records at which a stage crashes, the appender's own look back over the log among
// them, and rows that a store refuses.
#include "actors/appender.hpp"
#include "messages/planted.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>

namespace finstream {

namespace {
constexpr std::size_t recovery_read_bytes = 4u << 20;
// Where hardly anything happens the log is made of the passing of time: a start does not read all of that.
constexpr std::uint64_t most_offsets_an_event = 8;

template <class T> T must(expected<T> outcome, const char* what) {
  if (!outcome) throw std::runtime_error(std::string{what} + ": " + outcome.error().message);
  return std::move(*outcome);
}
} // namespace

void appender_state::recover_events(const log_range& range) {
  auto& log = *context_->log;
  letters_.emplace(context_, partition_);
  if (auto known = letters_->recover(); !known) throw std::runtime_error("dead letters: " + known.error().message);
  // A chunk may have held dead letters alone: their time counts as the log's.
  auto letters = must(log.range(topic::dead_letters, partition_), "the dead letters' range");
  next_letter_ = letters.next;
  if (letters.next > letters.head)
    for (auto& r : must(log.read(topic::dead_letters, partition_, letters.next - 1, 1), "the last dead letter"))
      last_log_ts_ = r.log_ts;
  auto horizon = context_->config->windows.duplicate_horizon_events;
  memory_.emplace(horizon);
  if (!planted(fault::memory_is_not_recovered))
    remember_events(where_memory_begins(range.head, range.next, horizon), range.next);
}

// Offsets count what says no event, too: the passing of time, words of sources. So the last `horizon` events may begin
// further back than as many offsets.
std::uint64_t appender_state::where_memory_begins(std::uint64_t head, std::uint64_t next, std::uint64_t horizon) const {
  auto from = next;
  std::uint64_t events = 0;
  while (from > head && events < horizon && next - from < horizon * most_offsets_an_event) {
    auto end = from;
    from -= std::min(horizon, from - head);
    for (auto at = from; at < end;) {
      auto records =
        must(context_->log->read(topic::events, partition_, at, recovery_read_bytes), "the log's last events");
      from = std::min(from, records.front().offset);
      for (auto& r : records) {
        if (r.offset < end && r.kind == record_kind::events) events += r.count;
        at = r.next();
      }
    }
  }
  return from;
}

void appender_state::remember_events(std::uint64_t from, std::uint64_t to) {
  auto& log = *context_->log;
  auto left_out = must(set_aside_records::load(log, partition_), "what was set aside");
  while (from < to) {
    for (auto& r : must(log.read(topic::events, partition_, from, recovery_read_bytes), "the log's last events")) {
      from = r.next();
      last_log_ts_ = std::max(last_log_ts_, r.log_ts);
      if (r.kind != record_kind::events) continue;
      if (auto entry = read_back(std::move(r), left_out)) memory_->remember(*entry->events);
    }
  }
}

// Null: nobody can read it, and it is set aside.
log_entry_ptr appender_state::read_back(record from, const set_aside_records& left_out) {
  auto offset = from.offset;
  auto entry = to_log_entry(std::move(from));
  if (entry) return *entry;
  if (left_out.is_unseen(offset)) return nullptr;
  auto& crashes = context_->figures->crashes;
  auto now = context_->time->now();
  crashes.note(partition_, {offset, line_stage::window, entry.error().message, 1, now, now});
  auto poison = crashes.at_least(partition_, context_->config->supervisor.poison_after);
  if (!poison) throw std::runtime_error("the log's last events: " + entry.error().message);
  auto& config = *context_->config;
  auto request =
    must(poison_letter(*context_->log, partition_, *poison, config.limits.dead_letter_bytes, context_->config_hash),
         "the record to set aside");
  aside x{std::make_shared<set_aside_request>(std::move(request)), {}};
  if (!write(x)) throw std::runtime_error("a record cannot be set aside while the log cannot be written");
  crashes.forget(partition_);
  return nullptr;
}

// Asked for twice, it is written once. What a record gave may be written already, if it crashes its stage after a
// change of ours: then it cannot be left out any more, or the log would hold what no replay gives.
bool appender_state::write(aside& x) {
  auto& what = *x.what;
  auto answer = [&](bool done) {
    return x.from ? self_->send(x.from, verb::set_aside_v, what.key, done) : void(), true;
  };
  ensure(writes_events_, "who writes no letters is not asked to");
  if (what.from && what.letter.cause_offset < derived_->dealt_with()) {
    log::error(path_, "the record at offset {} crashes its stage, and what it gave is in the log: it is not set aside",
               what.letter.cause_offset);
    return answer(false);
  }
  if (must(is_set_aside(*context_->log, what), "what was set aside")) return answer(true);
  transaction tx;
  letters_->add_to(tx, {what.letter}, next_log_ts());
  tx.writes.push_back(set_aside_write(what, next_letter_));
  std::vector<std::uint64_t> offsets;
  if (!put(std::move(tx), offsets)) return false;
  letters_->on_written();
  ++context_->figures->dead_letters;
  context_->metrics->set_aside(what.letter.stage).add();
  context_->metrics->errors(what.letter.stage, std::string{to_string(what.letter.code)}).add();
  log::error(path_, "set aside {}: {}; `finstream dlq show dead_letters/{}/{}` shows it", place_of(what),
             what.letter.reason, partition_, offsets.front());
  return answer(true);
}

} // namespace finstream
