#include "actors/set_aside.hpp"

#include "actors/log_entries.hpp"
#include "messages/codec/event_codec.hpp"
#include "messages/codec/msgpack.hpp"
#include "messages/planted.hpp"
#include "messages/value/bytes.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <vector>

namespace finstream {

namespace {

std::string records_prefix(std::uint16_t partition) { return fmt::format("events/{}/", partition); }
std::string messages_prefix(std::uint16_t partition) { return fmt::format("message/{}/", partition); }

// The keys with this prefix end before it.
std::string end_of(std::string prefix) {
  ++prefix.back();
  return prefix;
}

struct stored_row {
  std::string store;
  topic where = topic::bars;
  std::uint16_t partition = 0;
  std::uint64_t offset = 0;
};

template <class Number> bool read_number(std::string_view text, Number& out, int base) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc{} && end == text.data() + text.size();
}

// "store/postgres/bars/0/000000000000126f"; nothing where it is of another make.
std::optional<stored_row> stored_row_of(std::string_view key) {
  if (!key.starts_with("store/")) return std::nullopt;
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= key.size();) {
    auto end = std::min(key.find('/', begin), key.size());
    parts.push_back(key.substr(begin, end - begin));
    begin = end + 1;
  }
  stored_row out;
  if (parts.size() != 5 || !read_number(parts[3], out.partition, 10) || !read_number(parts[4], out.offset, 16))
    return std::nullopt;
  out.store = std::string{parts[1]};
  for (auto where : {topic::bars, topic::features, topic::signals})
    if (to_string(where) == parts[2]) return out.where = where, out;
  return std::nullopt;
}

// Where the record can be read, it says whose it is.
std::string feed_of(const record& x) {
  if (x.kind == record_kind::events)
    if (auto batch = decode_events(x.payload)) return (*batch)->feed;
  if (x.kind == record_kind::source)
    if (auto event = source_event_from_msgpack(x.payload)) return event->feed;
  return {};
}

const char* name_of(record_kind kind) {
  switch (kind) {
  case record_kind::events: return "events";
  case record_kind::clock: return "clock";
  case record_kind::source: return "source";
  case record_kind::start: return "start";
  case record_kind::rules: return "rules";
  case record_kind::answers: return "answers";
  case record_kind::backfill: return "backfill";
  case record_kind::healed: return "healed";
  case record_kind::taken_over: return "taken over";
  default: return "unknown";
  }
}

} // namespace

expected<set_aside_records> set_aside_records::load(const bus& log, std::uint16_t partition) {
  set_aside_records out;
  auto prefix = records_prefix(partition);
  auto good = true;
  auto scanned = log.scan(set_aside_table, prefix, end_of(prefix), [&](std::string_view key, std::string_view value) {
    std::uint64_t offset = 0;
    auto has_offset = read_number(key.substr(prefix.size()), offset, 16);
    byte_reader in{value};
    auto stage = in.number();
    in.number(); // the letter
    good = has_offset && in.done() && stage <= static_cast<std::uint64_t>(line_stage::inference);
    if (good) out.add(offset, static_cast<line_stage>(stage));
    return good;
  });
  if (!scanned) return tl::unexpected{scanned.error()};
  if (!good) return fail(errc::corrupt_record, "the list of records that were set aside cannot be read");
  return out;
}

std::string set_aside_key(std::uint16_t partition, std::uint64_t offset) {
  return records_prefix(partition) + fmt::format("{:016x}", offset);
}

std::string set_aside_key(const std::string& store, topic where, std::uint16_t partition, std::uint64_t offset) {
  return fmt::format("store/{}/{}/{}/{:016x}", store, to_string(where), partition, offset);
}

std::string set_aside_key(std::uint16_t partition, const std::string& stream, const std::string& message) {
  return messages_prefix(partition) + stream + "/" + message;
}

table_write set_aside_write(const set_aside_request& what, std::uint64_t letter) {
  std::string value;
  byte_writer out{value};
  out.number(what.from ? static_cast<std::uint64_t>(*what.from) : 0);
  out.number(letter);
  return {set_aside_table, what.key, std::move(value)};
}

bool is_sound(const set_aside_request& what) {
  auto& letter = what.letter;
  if (what.from) {
    return what.key == set_aside_key(what.partition, letter.cause_offset) && letter.stage == to_string(*what.from) &&
           letter.cause_topic == to_string(topic::events);
  }
  auto row = stored_row_of(what.key);
  return row && row->partition == what.partition && row->offset == letter.cause_offset &&
         letter.stage == "store/" + row->store && letter.cause_topic == to_string(row->where);
}

std::string place_of(const set_aside_request& what) {
  auto& letter = what.letter;
  return letter.cause_topic.empty() ? what.key
                                    : fmt::format("{}/{}/{}", letter.cause_topic, what.partition, letter.cause_offset);
}

expected<bool> is_set_aside(const bus& log, const set_aside_request& what) {
  auto known = log.get(set_aside_table, what.key);
  if (!known) return tl::unexpected{known.error()};
  return *known && (*known)->front() <= set_aside_write(what, 0).value->front(); // by this stage, or one before it
}

expected<bool> is_dealt_with(const bus& log, const set_aside_request& what) {
  if (!what.from) return false;
  auto until = log.get(stage_table, dealt_with_key(what.partition));
  if (!until) return tl::unexpected{until.error()};
  return *until && what.letter.cause_offset < offset_from_text(**until);
}

set_aside_ptr letter_about_message(const node_context& context, std::uint16_t partition, const std::string& stream,
                                   const std::string& message, dead_letter what, std::string_view body) {
  auto out = std::make_shared<set_aside_request>();
  out->key = set_aside_key(partition, stream, message);
  out->partition = partition;
  out->letter = std::move(what);
  out->letter.seen_ts = context.time->now();
  out->letter.bytes = std::string{body.substr(0, context.config->limits.dead_letter_bytes)};
  out->letter.stage = "broker";
  out->letter.config_hash = context.config_hash;
  return out;
}

aside_setter find_aside_setter(const node_context& context, std::uint16_t partition) {
  return context.where->find_as<aside_setter>(context.duties.events ? partition_path(partition, "appender")
                                                                    : letters_path);
}

expected<void> prune_set_aside(bus& log, std::uint16_t partition) {
  auto kept = log.range(topic::events, partition);
  if (!kept) return tl::unexpected{kept.error()};
  auto records = set_aside_records::load(log, partition);
  if (!records) return tl::unexpected{records.error()};
  transaction tx;
  auto forget = [&](std::string key) { tx.writes.push_back({set_aside_table, std::move(key), std::nullopt}); };
  for (auto& [offset, from] : records->all())
    if (offset < kept->head) forget(set_aside_key(partition, offset));
  auto letters = log.range(topic::dead_letters, partition);
  if (!letters) return tl::unexpected{letters.error()};
  auto is_kept = [&](std::string_view value) {
    byte_reader in{value};
    in.number(); // the stage
    return in.number() >= letters->head;
  };
  std::optional<failure> failed;
  auto scanned =
    log.scan(set_aside_table, "store/", end_of("store/"), [&](std::string_view key, std::string_view value) {
      auto row = stored_row_of(key);
      if (!row || row->partition != partition) return true;
      auto position = log.committed(row->store, row->where, partition);
      if (!position) return failed = position.error(), false;
      if (!is_kept(value) || (*position && row->offset < **position)) forget(std::string{key});
      return true;
    });
  if (failed || !scanned) return tl::unexpected{failed ? *failed : scanned.error()};
  auto prefix = messages_prefix(partition);
  scanned = log.scan(set_aside_table, prefix, end_of(prefix), [&](std::string_view key, std::string_view value) {
    if (!is_kept(value)) forget(std::string{key});
    return true;
  });
  if (!scanned) return tl::unexpected{scanned.error()};
  if (tx.writes.empty()) return {};
  auto written = log.write(std::move(tx));
  return written ? expected<void>{} : tl::unexpected{written.error()};
}

expected<set_aside_request> poison_letter(const bus& log, std::uint16_t partition, const crash_book::crash& what,
                                          std::size_t most_bytes, std::uint64_t config_hash) {
  auto records = log.read(topic::events, partition, what.offset, 1);
  if (!records) return tl::unexpected{records.error()};
  if (records->empty() || records->front().offset != what.offset)
    return fail(errc::not_found, fmt::format("partition {} has no record at offset {}", partition, what.offset));
  auto& record = records->front();
  set_aside_request out;
  out.key = set_aside_key(partition, what.offset + (planted(fault::sets_aside_the_next) ? 1 : 0));
  out.partition = partition;
  out.from = what.stage;
  auto& letter = out.letter;
  letter.feed = feed_of(record);
  letter.seen_ts = what.last;
  letter.first_seen_ts = what.first;
  letter.code = errc::poison;
  letter.reason = fmt::format("the {} stage crashed {} times over this record of kind {} ({} of {} bytes are kept): {}",
                              to_string(what.stage), what.times, name_of(record.kind),
                              std::min(most_bytes, record.payload.size()), record.payload.size(), what.reason);
  letter.bytes = record.payload.substr(0, most_bytes);
  letter.stage = to_string(what.stage);
  letter.cause_topic = std::string{to_string(topic::events)};
  letter.cause_offset = what.offset;
  letter.config_hash = config_hash;
  letter.attempts = what.times;
  return out;
}

} // namespace finstream
