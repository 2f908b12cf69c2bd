#include "actors/log_bases.hpp"

#include "messages/value/bytes.hpp"

#include <array>

namespace finstream {

namespace {

// What comes of the events, and where each topic of it begins at the base.
std::array<std::pair<topic, std::uint64_t*>, 4> topics_of(log_base& x) {
  return {{{topic::bars, &x.next_bar},
           {topic::rejected, &x.next_rejected},
           {topic::features, &x.next_features},
           {topic::signals, &x.next_signal}}};
}

std::string base_key(std::uint16_t partition, std::size_t slot) {
  return "base/" + std::to_string(partition) + "/" + std::to_string(slot);
}

std::string pack(const log_base& base, const stage_states& states) {
  std::string bytes;
  byte_writer out{bytes};
  out.signed_number(base.log_ts.ns);
  out.number(base.offset);
  for (auto next : {base.next_bar, base.next_rejected, base.next_features, base.next_signal}) out.number(next);
  for (auto* x : {&states.window, &states.features, &states.inference}) out.text(*x);
  return bytes;
}

// Null: the slot is free.
expected<std::optional<std::pair<log_base, stage_states>>> read_base(const bus& log, std::uint16_t partition,
                                                                     std::size_t slot) {
  auto saved = log.get(stage_table, base_key(partition, slot));
  if (!saved) return tl::unexpected{saved.error()};
  if (!*saved) return std::nullopt;
  auto base = unpack_base(**saved);
  if (!base) return tl::unexpected{base.error()};
  return std::move(*base);
}

// The lines of events that are no longer there go with them. A record of lines has the time of its events.
expected<void> trim_lines(bus& log, std::uint16_t partition) {
  auto lines = log.range(topic::raw, partition);
  if (!lines) return tl::unexpected{lines.error()};
  if (lines->head == lines->next) return {};
  auto events = log.range(topic::events, partition);
  if (!events) return tl::unexpected{events.error()};
  auto first = log.read(topic::events, partition, events->head, 1);
  if (!first) return tl::unexpected{first.error()};
  auto cut =
    first->empty() ? expected<std::uint64_t>{lines->next} : log.offset_at(topic::raw, partition, first->front().log_ts);
  if (!cut) return tl::unexpected{cut.error()};
  auto trimmed = log.trim(topic::raw, partition, *cut);
  if (!trimmed) return tl::unexpected{trimmed.error()};
  return {};
}

} // namespace

bool is_base_key(std::string_view key) { return key.starts_with("base/"); }

expected<std::pair<log_base, stage_states>> unpack_base(std::string_view bytes) {
  byte_reader in{bytes};
  log_base base;
  stage_states states;
  base.log_ts.ns = in.signed_number();
  base.offset = in.number();
  for (auto* next : {&base.next_bar, &base.next_rejected, &base.next_features, &base.next_signal}) *next = in.number();
  for (auto* x : {&states.window, &states.features, &states.inference}) *x = in.text();
  if (!in.done()) return fail(errc::corrupt_record, "a place where the log may begin cannot be read");
  return std::pair{base, std::move(states)};
}

expected<std::pair<log_base, stage_states>> load_base(const bus& log, std::uint16_t partition, std::uint64_t offset) {
  for (std::size_t slot = 0; slot < retention::slots; ++slot) {
    auto saved = read_base(log, partition, slot);
    if (!saved) return tl::unexpected{saved.error()};
    if (*saved && (*saved)->first.offset == offset) return std::pair{(*saved)->first, std::move((*saved)->second)};
  }
  return fail(errc::trimmed, "partition " + std::to_string(partition) + ": the log begins at offset " +
                               std::to_string(offset) + ", and what the stage was there is not known");
}

expected<std::optional<std::pair<log_base, stage_states>>> find_base_before(const bus& log, std::uint16_t partition,
                                                                            timestamp at) {
  auto range = log.range(topic::events, partition);
  if (!range) return tl::unexpected{range.error()};
  std::optional<std::pair<log_base, stage_states>> newest;
  for (std::size_t slot = 0; slot < retention::slots; ++slot) {
    auto saved = read_base(log, partition, slot);
    if (!saved) return tl::unexpected{saved.error()};
    if (!*saved || (*saved)->first.log_ts >= at || (*saved)->first.offset < range->head) continue;
    if (!newest || (*saved)->first.offset > newest->first.offset)
      newest = {(*saved)->first, std::move((*saved)->second)};
  }
  return newest;
}

expected<void> log_trimmer::recover() {
  for (std::size_t slot = 0; slot < retention::slots; ++slot) {
    auto saved = read_base(log_, partition_, slot);
    if (!saved) return tl::unexpected{saved.error()};
    if (*saved) kept_.put(slot, (*saved)->first);
  }
  return {};
}

void log_trimmer::add_base(transaction& tx, timestamp log_ts, std::uint64_t dealt_with, const stage_states& states) {
  added_.reset();
  if (!kept_.wants_base(log_ts)) return;
  log_base base;
  base.log_ts = log_ts;
  base.offset = dealt_with;
  for (auto [where, next] : topics_of(base)) {
    auto range = log_.range(where, partition_);
    if (!range) return; // the write that follows will say why
    *next = range->next;
    for (auto& record : tx.appends)
      if (record.where == where) *next += record.count;
  }
  auto events = log_.range(topic::events, partition_);
  if (!events) return;
  auto slot = kept_.next_slot(events->head);
  tx.writes.push_back({stage_table, base_key(partition_, slot), pack(base, states)});
  added_ = {slot, base};
}

expected<void> log_trimmer::on_written() {
  if (!added_) return {};
  auto [slot, base] = *std::exchange(added_, std::nullopt);
  kept_.put(slot, base);
  return trim(base.log_ts);
}

expected<void> log_trimmer::trim(timestamp now) {
  auto cut = kept_.newest_to_cut_at(now);
  if (!cut) return {};
  if (auto trimmed = log_.trim(topic::events, partition_, cut->offset); !trimmed)
    return tl::unexpected{trimmed.error()};
  if (auto trimmed = trim_lines(log_, partition_); !trimmed) return trimmed;
  auto at = *cut;
  for (auto [where, next] : topics_of(at))
    if (auto trimmed = log_.trim(where, partition_, *next); !trimmed) return tl::unexpected{trimmed.error()};
  return {};
}

} // namespace finstream
