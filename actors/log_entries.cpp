#include "actors/log_entries.hpp"

#include "messages/codec/event_codec.hpp"
#include "messages/codec/json.hpp"
#include "messages/codec/msgpack.hpp"
#include "messages/value/bytes.hpp"

namespace finstream {

namespace {
constexpr std::size_t most_items_of_record = 4096; // of topic `bars`: about a mebibyte
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
  case record_kind::events: {
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
  case record_kind::start: out->rules = std::move(from.payload); break;
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

new_record events_record(std::uint16_t partition, timestamp log_ts, const event_batch& batch) {
  return {topic::events, partition,           record_kind::events, static_cast<std::uint32_t>(batch.rows.size()),
          log_ts,        encode_events(batch)};
}

new_record source_record(std::uint16_t partition, timestamp log_ts, const source_event& what) {
  return {topic::events, partition, record_kind::source, 1, log_ts, to_msgpack(what)};
}

new_record bars_record(std::uint16_t partition, const derived_record& what) {
  return {topic::bars,       partition,
          record_kind::bars, static_cast<std::uint32_t>(what.items.size()),
          what.log_ts,       to_msgpack(what.items)};
}

new_record dead_letter_record(topic where, std::uint16_t partition, timestamp log_ts, const dead_letter& what) {
  return {where, partition, record_kind::dead_letter, 1, log_ts, to_msgpack(what)};
}

// ---- the stage

expected<void> partition_stage::apply(const log_entry& entry) {
  switch (static_cast<record_kind>(entry.kind)) {
  case record_kind::start: {
    auto rules = bar_rules::load(entry.rules);
    if (!rules) return tl::unexpected{rules.error()};
    if (stage_)
      stage_->on_start(entry.log_ts, *rules);
    else
      stage_.emplace(std::move(*rules));
    break;
  }
  case record_kind::events:
    if (stage_) stage_->on_events(entry.offset, entry.log_ts, *entry.events);
    break;
  case record_kind::source:
    if (stage_) stage_->on_source(entry.log_ts, entry.source);
    break;
  case record_kind::clock:
    if (stage_) stage_->on_clock(entry.log_ts);
    break;
  default: break;
  }
  if (!stage_) return fail(errc::corrupt_record, "the log does not begin with its rules");
  output_ = stage_->take_output();
  return {};
}

std::vector<derived_record_ptr> partition_stage::take_bars(const log_entry& entry) {
  std::vector<derived_record_ptr> out;
  auto items = std::exchange(output_.records, {});
  for (std::size_t first = 0; first < items.size(); first += most_items_of_record) {
    auto record = std::make_shared<derived_record>();
    record->cause = entry.offset;
    record->log_ts = entry.log_ts;
    auto last = std::min(items.size(), first + most_items_of_record);
    record->items.assign(std::make_move_iterator(items.begin() + static_cast<std::ptrdiff_t>(first)),
                         std::make_move_iterator(items.begin() + static_cast<std::ptrdiff_t>(last)));
    out.push_back(std::move(record));
  }
  return out;
}

std::optional<rejected_record> partition_stage::take_rejected(const log_entry& entry) {
  if (output_.rejected.empty()) return std::nullopt;
  rejected_record out{entry.offset, entry.log_ts, {}};
  for (auto& x : std::exchange(output_.rejected, {})) {
    dead_letter letter;
    letter.feed = entry.events ? entry.events->feed : x.event.provider;
    letter.seen_ts = entry.log_ts;
    letter.code = x.code;
    auto id = event_id({x.event.provider, x.event.symbol}, x.event.src_ts, x.event.seq);
    letter.reason = x.code == errc::late
                      ? id + " came " + std::to_string(x.lateness / millisecond) + " ms after its bars were closed"
                      : id + " would make the sums of its bar overflow";
    letter.byte_offset = x.offset;
    event_batch one;
    one.ingest_ts = x.event.ingest_ts;
    one.keys = std::make_shared<std::vector<series_key>>(1, series_key{x.event.provider, x.event.symbol});
    one.intervals.push_back(x.event.interval);
    event_row row{x.event.src_ts, x.event.seq, x.event.values, 0, x.event.kind, 1};
    append_tick_json(letter.bytes, one, row, std::to_string(x.offset));
    out.items.push_back(std::move(letter));
  }
  return out;
}

expected<void> partition_stage::load(std::string_view snapshot) {
  auto loaded = bar_stage::load(snapshot);
  if (!loaded) return tl::unexpected{loaded.error()};
  stage_ = std::move(*loaded);
  return {};
}

// ---- tables

std::string dealt_with_key(std::uint16_t partition) { return "dealt_with/" + std::to_string(partition); }
std::string snapshot_key(std::uint16_t partition) { return "snapshot/" + std::to_string(partition); }

std::string offset_text(std::uint64_t offset) { return std::to_string(offset); }

std::uint64_t offset_from_text(std::string_view text) {
  std::uint64_t out = 0;
  for (char c : text)
    if (c >= '0' && c <= '9') out = out * 10 + static_cast<std::uint64_t>(c - '0');
  return out;
}

std::string pack_snapshot(std::uint64_t offset, std::string_view state) {
  std::string bytes;
  byte_writer out{bytes};
  out.number(offset);
  out.text(state);
  return bytes;
}

std::pair<std::uint64_t, std::string> unpack_snapshot(std::string_view bytes) {
  byte_reader in{bytes};
  auto offset = in.number();
  return {offset, std::string{in.text()}};
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
