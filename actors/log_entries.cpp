#include "actors/log_entries.hpp"

#include "messages/codec/event_codec.hpp"
#include "messages/codec/msgpack.hpp"
#include "messages/value/bytes.hpp"

#include <algorithm>
#include <iterator>

namespace finstream {

namespace {
constexpr std::size_t most_items_of_record = 4096; // of bars, about a mebibyte
} // namespace

expected<log_entry_ptr> to_log_entry(record from) {
  auto out = std::make_shared<log_entry>();
  out->offset = from.offset;
  out->count = from.count;
  out->kind = static_cast<std::uint8_t>(from.kind);
  out->log_ts = from.log_ts;
  auto at = [&](const failure& f) {
    return fail(f.code, "events at offset " + std::to_string(from.offset) + ": " + f.message);
  };
  switch (from.kind) {
  case record_kind::events:
  case record_kind::backfill: {
    auto batch = decode_events(from.payload);
    if (!batch) return at(batch.error());
    if ((*batch)->rows.size() != from.count) return at({errc::corrupt_record, "its head and its rows disagree"});
    out->events = std::move(*batch);
    break;
  }
  case record_kind::source: {
    auto source = source_event_from_msgpack(from.payload);
    if (!source) return at(source.error());
    out->source = std::move(*source);
    break;
  }
  case record_kind::start:
  case record_kind::rules: {
    auto rules = stage_rules_from_msgpack(from.payload);
    if (!rules) return at(rules.error());
    out->rules = std::move(*rules);
    break;
  }
  case record_kind::answers: {
    auto answered = answers_from_msgpack(from.payload);
    if (!answered) return at(answered.error());
    out->answered = std::make_shared<const answers>(std::move(*answered));
    return out;
  }
  case record_kind::healed: {
    auto items = derived_from_msgpack(from.payload);
    if (!items) return at(items.error());
    out->healed = std::move(*items);
    break;
  }
  case record_kind::taken_over: {
    auto windows = taken_windows_from_msgpack(from.payload);
    if (!windows) return at(windows.error());
    out->taken_over = std::move(*windows);
    break;
  }
  case record_kind::clock: break;
  default: return at({errc::corrupt_record, "a record of this kind does not belong there"});
  }
  return out;
}

expected<derived_record_ptr> to_derived_record(const record& from) {
  auto items = derived_from_msgpack(from.payload);
  if (!items) return tl::unexpected{items.error()};
  auto out = std::make_shared<derived_record>();
  out->log_ts = from.log_ts;
  out->offset = from.offset;
  out->items = std::move(*items);
  return out;
}

topic topic_of(derived_topic where) {
  switch (where) {
  case derived_topic::bars: return topic::bars;
  case derived_topic::features: return topic::features;
  case derived_topic::signals: return topic::signals;
  }
  stop_on_bug("there is no such derived topic");
}

bool ends_at(const bus& log, topic where, std::uint16_t partition, std::uint64_t next) {
  auto range = log.range(where, partition);
  return !range || range->next == next;
}

std::vector<std::shared_ptr<derived_record>> to_records(std::vector<derived> items, timestamp log_ts) {
  std::vector<std::shared_ptr<derived_record>> out;
  for (std::size_t first = 0; first < items.size(); first += most_items_of_record) {
    auto record = std::make_shared<derived_record>();
    record->log_ts = log_ts;
    auto last = std::min(items.size(), first + most_items_of_record);
    record->items.assign(std::make_move_iterator(items.begin() + static_cast<std::ptrdiff_t>(first)),
                         std::make_move_iterator(items.begin() + static_cast<std::ptrdiff_t>(last)));
    out.push_back(std::move(record));
  }
  return out;
}

new_record events_record(std::uint16_t partition, timestamp log_ts, const event_batch& batch, record_kind kind) {
  return {topic::events, partition, kind, static_cast<std::uint32_t>(batch.rows.size()), log_ts, encode_events(batch)};
}

new_record healed_record(std::uint16_t partition, timestamp log_ts, const std::vector<derived>& items) {
  return {topic::events, partition, record_kind::healed, 1, log_ts, to_msgpack(items)};
}

new_record taken_over_record(std::uint16_t partition, timestamp log_ts, const taken_windows& what) {
  return {topic::events, partition, record_kind::taken_over, 1, log_ts, to_msgpack(what)};
}

new_record source_record(std::uint16_t partition, timestamp log_ts, const source_event& what) {
  return {topic::events, partition, record_kind::source, 1, log_ts, to_msgpack(what)};
}

new_record answers_record(std::uint16_t partition, timestamp log_ts, const answers& what) {
  return {topic::events, partition, record_kind::answers, 1, log_ts, to_msgpack(what)};
}

new_record lines_record(std::uint16_t partition, timestamp log_ts, std::uint64_t first_offset, const raw_lines& lines) {
  return {topic::raw,
          partition,
          record_kind::lines,
          static_cast<std::uint32_t>(lines.lengths.size()),
          log_ts,
          encode_lines(lines, first_offset)};
}

new_record derived_record_of(derived_topic where, std::uint16_t partition, const derived_record& what) {
  return {topic_of(where),      partition,
          record_kind::outputs, static_cast<std::uint32_t>(what.items.size()),
          what.log_ts,          to_msgpack(what.items)};
}

new_record dead_letter_record(topic where, std::uint16_t partition, timestamp log_ts, const dead_letter& what) {
  return {where, partition, record_kind::dead_letter, 1, log_ts, to_msgpack(what)};
}

// ---- tables

std::string dealt_with_key(std::uint16_t partition) { return "dealt_with/" + std::to_string(partition); }
std::string snapshot_key(std::uint16_t partition) { return "snapshot/" + std::to_string(partition); }

std::string answered_key(std::uint16_t partition, const std::string& model) {
  return "answered/" + std::to_string(partition) + "/" + model;
}

std::string offset_text(std::uint64_t offset) { return std::to_string(offset); }

std::uint64_t offset_from_text(std::string_view text) {
  std::uint64_t out = 0;
  for (char c : text)
    if (c >= '0' && c <= '9') out = out * 10 + static_cast<std::uint64_t>(c - '0');
  return out;
}

std::string pack_snapshot(std::uint64_t offset, const stage_states& states) {
  std::string bytes;
  byte_writer out{bytes};
  out.number(offset);
  for (auto* x : {&states.window, &states.features, &states.inference}) out.text(*x);
  return bytes;
}

std::pair<std::uint64_t, stage_states> unpack_snapshot(std::string_view bytes) {
  byte_reader in{bytes};
  auto offset = in.number();
  stage_states states;
  for (auto* x : {&states.window, &states.features, &states.inference}) *x = in.text();
  if (!in.done()) return {};
  return {offset, std::move(states)};
}

std::string pack_resume_point(const resume_point& x) {
  std::string bytes;
  byte_writer out{bytes};
  out.text(x.token);
  out.signed_number(x.src_ts.ns);
  out.signed_number(x.seq);
  return bytes;
}

expected<resume_point> unpack_resume_point(std::string_view bytes) {
  byte_reader in{bytes};
  resume_point out;
  out.token = in.text();
  out.src_ts.ns = in.signed_number();
  out.seq = in.signed_number();
  if (!in.done()) return fail(errc::corrupt_record, "where a feed is to go on cannot be read");
  return out;
}

} // namespace finstream
