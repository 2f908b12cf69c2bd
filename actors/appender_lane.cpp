// The appender's part in a backfill: events of the past, what was healed by them, and windows that change hands.
#include "actors/appender.hpp"

namespace finstream {

bool appender_state::write(past& x) {
  transaction tx;
  std::vector<std::shared_ptr<log_entry>> entries;
  auto log_ts = next_log_ts();
  auto add = [&](new_record record) {
    auto entry = std::make_shared<log_entry>();
    entry->count = record.count;
    entry->kind = static_cast<std::uint8_t>(record.kind);
    entry->log_ts = log_ts;
    tx.appends.push_back(std::move(record));
    return entries.emplace_back(std::move(entry));
  };
  if (x.what->events)
    add(events_record(partition_, log_ts, *x.what->events, record_kind::backfill))->events = x.what->events;
  if (!x.what->healed.empty()) add(healed_record(partition_, log_ts, x.what->healed))->healed = x.what->healed;
  if (auto& taken = x.what->taken_over; !taken.windows.empty())
    add(taken_over_record(partition_, log_ts, taken))->taken_over = taken;
  for (auto& letter : x.what->dead_letters)
    tx.appends.push_back(dead_letter_record(topic::dead_letters, partition_, log_ts, letter));
  for (auto& [key, value] : x.what->owed) tx.writes.push_back({owed_table, key, value});
  std::vector<std::uint64_t> offsets;
  if (!put(std::move(tx), offsets)) return false;
  context_->figures->dead_letters += x.what->dead_letters.size();
  remember(std::move(entries), offsets);
  self_->send(x.from, verb::appended_v, partition_, next_event_);
  return true;
}

} // namespace finstream
