#include "actors/log_bases.hpp"

#include "messages/value/bytes.hpp"

namespace finstream {

namespace {

struct saved_base {
  log_base base;
  std::string state;
};

std::string base_key(std::uint16_t partition, std::size_t slot) {
  return "base/" + std::to_string(partition) + "/" + std::to_string(slot);
}

std::string pack(const log_base& base, std::string_view state) {
  std::string bytes;
  byte_writer out{bytes};
  out.signed_number(base.log_ts.ns);
  out.number(base.offset);
  out.number(base.next_bar);
  out.number(base.next_rejected);
  out.text(state);
  return bytes;
}

// Null: the slot is free.
expected<std::optional<saved_base>> read_base(const bus& log, std::uint16_t partition, std::size_t slot) {
  auto saved = log.get(stage_table, base_key(partition, slot));
  if (!saved) return tl::unexpected{saved.error()};
  if (!*saved) return std::nullopt;
  byte_reader in{**saved};
  saved_base out;
  out.base.log_ts.ns = in.signed_number();
  out.base.offset = in.number();
  out.base.next_bar = in.number();
  out.base.next_rejected = in.number();
  out.state = in.text();
  if (!in.done()) return fail(errc::corrupt_record, "a place where the log may begin cannot be read");
  return out;
}

} // namespace

expected<log_base> load_base(const bus& log, std::uint16_t partition, std::uint64_t offset, partition_stage& stage) {
  for (std::size_t slot = 0; slot < retention::slots; ++slot) {
    auto saved = read_base(log, partition, slot);
    if (!saved) return tl::unexpected{saved.error()};
    if (!*saved || (*saved)->base.offset != offset) continue;
    if (auto loaded = stage.load((*saved)->state); !loaded) return tl::unexpected{loaded.error()};
    return (*saved)->base;
  }
  return fail(errc::trimmed, "partition " + std::to_string(partition) + ": the log begins at offset " +
                               std::to_string(offset) + ", and what the stage was there is not known");
}

expected<void> log_trimmer::recover() {
  for (std::size_t slot = 0; slot < retention::slots; ++slot) {
    auto saved = read_base(log_, partition_, slot);
    if (!saved) return tl::unexpected{saved.error()};
    if (*saved) kept_.put(slot, (*saved)->base);
  }
  return {};
}

void log_trimmer::add_base(transaction& tx, timestamp log_ts, std::uint64_t dealt_with, std::string_view state) {
  added_.reset();
  if (!kept_.wants_base(log_ts)) return;
  auto events = log_.range(topic::events, partition_), bars = log_.range(topic::bars, partition_),
       rejected = log_.range(topic::rejected, partition_);
  if (!events || !bars || !rejected) return; // the write that follows will say why
  log_base base{log_ts, dealt_with, bars->next, rejected->next};
  for (auto& record : tx.appends) (record.where == topic::bars ? base.next_bar : base.next_rejected) += record.count;
  auto slot = kept_.next_slot(events->head);
  tx.writes.push_back({stage_table, base_key(partition_, slot), pack(base, state)});
  added_ = {slot, base};
}

expected<void> log_trimmer::on_written() {
  if (!added_) return {};
  auto [slot, base] = *std::exchange(added_, std::nullopt);
  kept_.put(slot, base);
  auto cut = kept_.newest_to_cut_at(base.log_ts);
  if (!cut) return {};
  for (auto [where, offset] : {std::pair{topic::events, cut->offset}, std::pair{topic::bars, cut->next_bar},
                               std::pair{topic::rejected, cut->next_rejected}})
    if (auto trimmed = log_.trim(where, partition_, offset); !trimmed) return tl::unexpected{trimmed.error()};
  return {};
}

} // namespace finstream
