#include "tests/simulation/ledger.hpp"

#include "actors/context.hpp"
#include "actors/log_entries.hpp"
#include "messages/codec/event_codec.hpp"
#include "messages/codec/msgpack.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace finstream::simulation {

void ledger::on_written(const bus& truth, const transaction& tx, const std::vector<std::uint64_t>& offsets) {
  for (std::size_t i = 0; i < tx.appends.size(); ++i) {
    auto& x = tx.appends[i];
    if (x.where == topic::events && (x.kind == record_kind::events || x.kind == record_kind::backfill))
      if (auto batch = decode_events(x.payload)) take(truth, x.partition, offsets[i], **batch);
    if (x.where == topic::events && x.kind == record_kind::source)
      if (auto what = source_event_from_msgpack(x.payload)) take(x.partition, *what);
    if (x.where == topic::dead_letters) take_letter(x.partition, x.payload);
  }
  for (auto& x : tx.writes)
    if (x.table == feeds_table && x.value && !catching_up_) check_resume_point(x.key, *x.value);
}

void ledger::take(const bus& truth, std::uint16_t partition, std::uint64_t offset, const event_batch& batch) {
  for (auto& row : batch.rows) {
    auto id = event_id((*batch.keys)[row.key], row.src_ts, row.seq);
    auto number = counts_[partition]++;
    auto [known, is_new] = events_.try_emplace(id, place{partition, offset, number});
    if (!is_new) {
      auto range = truth.range(topic::events, partition);
      auto was_kept = range && known->second.offset >= range->head;
      auto is_known = was_kept && !catching_up_; // a copy begins before what was trimmed where it was written
      if (known->second.partition != partition || (is_known && number - known->second.number <= horizon_))
        on_broken_rule(fmt::format("event {} is in the log twice: events/{} at {} and events/{} at {}, {} events later",
                                   id, known->second.partition, known->second.offset, partition, offset,
                                   number - known->second.number));
      if (!was_kept) trimmed_.insert(id);
      known->second = {partition, offset, number};
    }
    ++offset;
  }
}

void ledger::take(std::uint16_t partition, const source_event& what) {
  if (what.change != source_change::gap) return;
  if (!gaps_.insert(fmt::format("{} {} {}", partition, what.feed, what.reason)).second)
    on_broken_rule(fmt::format("events/{} has the gap of {} twice: {}", partition, what.feed, what.reason));
}

void ledger::take_letter(std::uint16_t partition, const std::string& payload) {
  auto letter = dead_letter_from_msgpack(payload);
  if (!letter || letter->code == errc::poison) return;
  auto text = letter->bytes.substr(letter->bytes.rfind(':') + 1); // what the feed wrote instead of a price
  if (!letters_.insert(text).second)
    on_broken_rule(fmt::format("dead_letters/{} has a bad line twice: {}", partition, text));
}

namespace {
bool has_one_with(const std::set<std::string>& all, const std::string& prefix) {
  auto at = all.lower_bound(prefix);
  return at != all.end() && at->starts_with(prefix);
}
} // namespace

bool ledger::has_bad_line(const std::string& feed, std::size_t line) const {
  return has_one_with(letters_, fmt::format("{} line {} run ", feed, line));
}

bool ledger::has_gap(std::uint16_t partition, const std::string& feed, std::size_t line) const {
  return has_one_with(gaps_, fmt::format("{} {} line {} run ", partition, feed, line));
}

void ledger::check_resume_points(const bus& truth) {
  for (auto* feed : feeds_)
    if (auto saved = truth.get(feeds_table, feed->name); saved && *saved) check_resume_point(feed->name, **saved);
}

void ledger::check_resume_point(const std::string& feed, const std::string& bytes) {
  auto of = std::find_if(feeds_.begin(), feeds_.end(), [&](auto* x) { return x->name == feed; });
  auto point = unpack_resume_point(bytes);
  if (of == feeds_.end() || !point || point->token.empty()) return;
  auto& tape = (*of)->tape();
  auto told = std::stoul(point->token);
  for (auto& at = complete_[feed]; at < told; ++at)
    if (tape.at(at).what == tape_line::kind::event && !has_event(tape[at].event_id))
      return on_broken_rule(fmt::format("the resume point of {} passes over {}, line {} of {}, which is not in the log",
                                        feed, tape[at].event_id, at, told));
}

// What was trimmed is known to have been there.
void ledger::on_lost(const bus& truth) {
  std::erase_if(events_, [&](auto& x) {
    auto range = truth.range(topic::events, x.second.partition);
    return !range || x.second.offset >= range->head;
  });
  letters_.clear(), gaps_.clear(), complete_.clear();
  counts_.clear();
  auto before = std::exchange(catching_up_, true); // all of it was looked at when it was written
  for (auto& [id, at] : events_) counts_[at.partition] = std::max(counts_[at.partition], at.number + 1);
  for (std::uint16_t partition = 0; partition < most_partitions; ++partition)
    for (auto where : {topic::events, topic::dead_letters}) {
      auto range = truth.range(where, partition);
      for (auto offset = range->head; offset < range->next;) {
        auto records = truth.read(where, partition, offset, 1u << 20);
        ensure(records && !records->empty(), "what is in the log can be read");
        for (auto& r : *records) {
          transaction tx;
          tx.appends.push_back({where, partition, r.kind, r.count, r.log_ts, std::move(r.payload)});
          on_written(truth, tx, {r.offset});
          offset = r.next();
        }
      }
    }
  catching_up_ = before;
}

} // namespace finstream::simulation
