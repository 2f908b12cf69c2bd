#include "tests/simulation/checks.hpp"

#include "actors/log_entries.hpp"
#include "actors/owed_windows.hpp"
#include "actors/set_aside.hpp"
#include "cli/replay_run.hpp"
#include "messages/codec/event_codec.hpp"
#include "messages/codec/msgpack.hpp"
#include "runtime/store/bar_store.hpp"

#include <fmt/format.h>
#include <functional>

namespace finstream::simulation {

namespace {

constexpr topic all_topics[] = {topic::events,   topic::bars,    topic::dead_letters, topic::rejected,
                                topic::features, topic::signals, topic::raw};

expected<replay_outcome> replay(const bus& log, std::uint16_t partition, const replay_plan& plan) {
  partition_replay run{log, partition, plan};
  if (auto begun = run.begin(); !begun) return tl::unexpected{begun.error()};
  while (true) {
    auto more = run.next_log_ts();
    if (!more) return tl::unexpected{more.error()};
    if (!*more) return run.finish();
    if (auto done = run.step(); !done) return tl::unexpected{done.error()};
  }
}

// What is wrong with the topic's order, or nothing: then all of it was visited.
std::optional<std::string> each_record(const bus& log, topic where, std::uint16_t partition,
                                       const std::function<void(const record&)>& visit) {
  auto range = log.range(where, partition);
  auto log_ts = earliest;
  for (auto offset = range->head; offset < range->next;) {
    auto records = log.read(where, partition, offset, 1u << 20);
    if (!records || records->empty())
      return fmt::format("{}/{} cannot be read at {}", to_string(where), partition, offset);
    for (auto& r : *records) {
      if (r.offset != offset)
        return fmt::format("{}/{} has a record at {} where {} comes next", to_string(where), partition, r.offset,
                           offset);
      if (r.log_ts < log_ts) return fmt::format("{}/{} at {}: log time goes back", to_string(where), partition, offset);
      offset = r.next(), log_ts = r.log_ts;
      visit(r);
    }
  }
  return std::nullopt;
}

expected<bool> all_are_set_aside(const bus& log, const std::set<log_place>& places) {
  for (auto& [partition, offset] : places) {
    auto aside = set_aside_records::load(log, partition);
    auto range = log.range(topic::events, partition);
    if (!aside || !range) return fail(errc::io_failure, "what was set aside cannot be read");
    if (offset >= range->head && offset < range->next && !aside->from(offset)) return false;
  }
  return true;
}

} // namespace

std::optional<std::string> check_order(const bus& log, int partitions) {
  for (std::uint16_t p = 0; p < partitions; ++p)
    for (auto where : all_topics)
      if (auto said = each_record(log, where, p, [](const record&) {})) return said;
  return std::nullopt;
}

std::optional<std::string> check_replay(const bus& log, int partitions, const std::set<log_place>& poisoned) {
  auto can_be_replayed = all_are_set_aside(log, poisoned);
  if (!can_be_replayed) return can_be_replayed.error().message;
  if (!*can_be_replayed) return std::nullopt;
  replay_plan plan;
  plan.verify = true;
  replay_outcome all;
  std::vector<std::uint64_t> heads;
  for (std::uint16_t p = 0; p < partitions; ++p) {
    auto one = replay(log, p, plan);
    if (!one) return fmt::format("partition {} cannot be replayed: {}", p, one.error().message);
    heads.push_back(one->head);
    all.add(std::move(*one));
  }
  count_store(log, all, heads, plan.what);
  if (all.differences == 0) return std::nullopt;
  return fmt::format("the replay differs in {} places, the first: {}", all.differences, all.told.front());
}

std::optional<std::string> check_trades(const bus& log, int partitions) {
  std::uint64_t happened = 0, rejected = 0, in_bars = 0;
  auto has_past = false;
  for (std::uint16_t p = 0; p < partitions; ++p) {
    if (auto range = log.range(topic::events, p); range->head != 0) return std::nullopt;
    if (auto owed = load_owed(log, p); !owed || !owed->empty()) return std::nullopt;
    auto walked = each_record(log, topic::events, p, [&](const record& r) {
      if (r.kind != record_kind::events && r.kind != record_kind::backfill) return;
      has_past = has_past || r.kind == record_kind::backfill;
      if (auto batch = decode_events(r.payload))
        for (auto& row : (*batch)->rows) happened += row.kind == event_kind::tick ? 1 : 0;
    });
    if (!walked)
      walked = each_record(log, topic::rejected, p, [&](const record& r) {
        auto letter = dead_letter_from_msgpack(r.payload);
        if (letter && letter->bytes.find("\"bid\"") == std::string::npos) ++rejected;
      });
    if (walked) return walked;
  }
  auto scanned = scan_bars(log, {.interval = second}, [&](const bar& x) {
    if (!x.symbol.ends_with(".BID") && !x.symbol.ends_with(".ASK")) in_bars += x.trades;
    return true;
  });
  if (!scanned) return scanned.error().message;
  // What the lane heals takes in the late events of its windows, too.
  if (happened == rejected + in_bars || (has_past && in_bars <= happened && happened < rejected + in_bars))
    return std::nullopt;
  return fmt::format("{} trades are in the log, {} in bars of a second and {} were rejected", happened, in_bars,
                     rejected);
}

std::optional<std::string> check_healed(const bus& log, int partitions) {
  for (std::uint16_t p = 0; p < partitions; ++p) {
    if (auto range = log.range(topic::events, p); range->head != 0) return std::nullopt;
    auto owed = load_owed(log, p);
    auto aside = set_aside_records::load(log, p);
    if (!owed || !aside) return "what is owed, or set aside, cannot be read";
    gathered_events events;
    std::set<std::string> rules;
    std::set<std::uint64_t> rejected;
    auto walked = each_record(log, topic::rejected, p, [&](const record& r) {
      if (auto letter = dead_letter_from_msgpack(r.payload)) rejected.insert(letter->cause_offset);
    });
    if (walked) return walked;
    walked = each_record(log, topic::events, p, [&](const record& r) {
      if (aside->is_unseen(r.offset)) return;
      if (r.kind == record_kind::start || r.kind == record_kind::rules)
        if (auto read = stage_rules_from_msgpack(r.payload)) rules.insert(read->bars);
      if (r.kind != record_kind::events && r.kind != record_kind::backfill) return;
      if (auto batch = decode_events(r.payload))
        for (std::size_t i = 0; i < (*batch)->rows.size(); ++i)
          if (!rejected.contains(r.offset + i)) events.add(**batch, (*batch)->rows[i], r.offset + i);
    });
    if (walked) return walked;
    if (rules.size() != 1) continue;
    events.put_in_order();
    for (auto& made : events.bars(bar_rules::load(*rules.begin()).value())) {
      if (owed->contains(window_of(made))) continue;
      auto row = log.get(bars_table, bar_key(made));
      if (!row || !*row) continue;
      auto stored = bar_from_msgpack(**row);
      if (stored && (stored->flags & backfilled) != 0 && stored->trades < made.trades)
        return fmt::format("a backfill is done with {}/{} of {} at {}, and its bar has {} trades of {}", made.provider,
                           made.symbol, span_to_string(made.interval), to_string(made.start), stored->trades,
                           made.trades);
    }
  }
  return std::nullopt;
}

std::optional<std::string> check_set_aside(const bus& log, int partitions, const std::set<log_place>& poisoned) {
  for (std::uint16_t p = 0; p < partitions; ++p) {
    auto aside = set_aside_records::load(log, p);
    if (!aside) return aside.error().message;
    for (auto& [offset, stage] : aside->all())
      if (poisoned.count({p, offset}) == 0)
        return fmt::format("events/{} at {} is set aside, and nothing is wrong with it", p, offset);
  }
  return std::nullopt;
}

std::optional<std::string> check_end(const bus& log, int partitions, const stage_rules& rules,
                                     const std::set<log_place>& poisoned) {
  if (auto done = all_are_set_aside(log, poisoned); !done || !*done) return "a record that crashes is not set aside";
  for (std::uint16_t p = 0; p < partitions; ++p) {
    auto range = log.range(topic::events, p);
    std::optional<stage_rules> told;
    auto said = each_record(log, topic::events, p, [&](const record& r) {
      if ((r.kind == record_kind::start || r.kind == record_kind::rules) && poisoned.count({p, r.offset}) == 0)
        if (auto read = stage_rules_from_msgpack(r.payload)) told = *read;
    });
    if (said) return said;
    if (told && !(*told == rules)) return fmt::format("events/{} was not told the rules in force", p);
    auto saved = log.get(stage_table, snapshot_key(p));
    auto snapshot = saved && *saved ? unpack_snapshot(**saved).first : 0;
    if (snapshot != range->next)
      return fmt::format("partition {} has nothing left to do, and its checkpoint is at {} of {}", p, snapshot,
                         range->next);
  }
  return std::nullopt;
}

} // namespace finstream::simulation
