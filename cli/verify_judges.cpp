#include "cli/verify_judges.hpp"

#include "actors/log_bases.hpp"
#include "actors/owed_windows.hpp"
#include "actors/set_aside.hpp"
#include "actors/stages.hpp"
#include "messages/codec/msgpack.hpp"
#include "messages/codec/raw_lines.hpp"
#include "messages/schema/schema.hpp"
#include "messages/value/bytes.hpp"
#include "runtime/store/bar_store.hpp"
#include "runtime/store/feature_store.hpp"
#include "runtime/store/job_store.hpp"
#include "runtime/store/signal_store.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>

namespace finstream {

namespace {

constexpr std::string_view other_tables[] = {"feeds",         "job_runs", "letters", "purged_letters",
                                             set_aside_table, owed_table, "node",    stage_table};

expected<void> wrong(std::string why) { return tl::unexpected{failure{errc::corrupt_record, std::move(why)}}; }

template <class T> expected<void> as_outcome(const expected<T>& x) {
  return x ? expected<void>{} : expected<void>{tl::unexpected{x.error()}};
}

bool is_number(std::string_view text) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

// Keys hold bytes that are no text.
std::string shown(std::string_view key) {
  std::string out;
  for (unsigned char c : key) out += c >= 0x20 && c < 0x7F ? std::string(1, static_cast<char>(c)) : std::string(1, '.');
  return out;
}

template <class Row>
expected<void> judge_series(std::string_view key, std::string_view value, expected<Row> (*read)(std::string_view),
                            std::string (*key_of)(const Row&)) {
  auto row = read(value);
  if (!row) return wrong(fmt::format("the row at {}: {}", shown(key), row.error().message));
  if (key_of(*row) != key)
    return wrong(fmt::format("the row at {} is that of another key, {}", shown(key), shown(key_of(*row))));
  return {};
}

} // namespace

expected<void> log_judge::judge(topic where, std::uint16_t partition, const record& x) {
  auto count = [&](std::size_t found) {
    return found == x.count ? expected<void>{} : wrong(fmt::format("it says {} items and has {}", x.count, found));
  };
  switch (where) {
  case topic::events: return as_outcome(to_log_entry(x));
  case topic::bars:
  case topic::features:
  case topic::signals: {
    auto items = derived_from_msgpack(x.payload);
    return items ? count(items->size()) : as_outcome(items);
  }
  case topic::dead_letters:
  case topic::rejected: {
    auto letter = dead_letter_from_msgpack(x.payload);
    if (letter && letter->code == errc::poison && letter->cause_offset >= log_.range(topic::events, partition).head)
      poisoned_.insert(set_aside_key(partition, letter->cause_offset));
    return as_outcome(letter);
  }
  case topic::raw: {
    auto lines = decode_lines(x.payload);
    return lines ? count(lines->lengths.size()) : as_outcome(lines);
  }
  case topic::events_buffer:
  case topic::outputs_buffer: return {}; // on their way to a broker, which is asked nothing here
  }
  return wrong("its topic is unknown");
}

bool is_derived_table(std::string_view table) {
  return table == bars_table || table == features_table || table == signals_table || table == signal_ids_table;
}

bool is_derived_row(std::string_view table, std::string_view key) {
  return is_derived_table(table) ||
         (table == stage_table && (key.starts_with("dealt_with/") || key.starts_with("snapshot/")));
}

expected<void> log_judge::judge(std::string_view table, std::string_view key, std::string_view value) {
  if (table == bars_table) return judge_series<bar>(key, value, bar_from_msgpack, bar_key);
  if (table == features_table)
    return judge_series<feature_vector>(key, value, feature_vector_from_msgpack, feature_key);
  if (table == signals_table) {
    if (auto made = signal_from_msgpack(value)) signals_ += hash_text(made->signal_id + '\0' + std::string{key});
    return judge_series<signal>(key, value, signal_from_msgpack, signal_key);
  }
  if (table == signal_ids_table)
    return signal_ids_ += hash_text(std::string{key} + '\0' + std::string{value}), expected<void>{};
  auto refuse = [&](const char* why) { return wrong(fmt::format("the row at {}: {}", shown(key), why)); };
  if (table == stage_table) return judge_stage(key, value);
  if (table == job_runs_table) return job_from_bytes(value) ? expected<void>{} : refuse("it is no run of a job");
  if (table == feeds_table && key.starts_with("last_part/")) {
    byte_reader in{value};
    in.number(), in.number();
    return in.done() ? expected<void>{} : refuse("it is no part of a feed");
  }
  if (table == feeds_table)
    return unpack_resume_point(value) ? expected<void>{} : refuse("where the feed is to go on cannot be read");
  if (table == set_aside_table) poisoned_.erase(std::string{key});
  if (table == set_aside_table || table == "letters") {
    byte_reader in{value};
    in.number(), in.number();
    return in.done() ? expected<void>{} : refuse("it has not the two numbers of one");
  }
  if (table == owed_table) {
    byte_reader in{value};
    in.number();
    return in.done() ? expected<void>{} : refuse("it has not the number of one");
  }
  if (table == "node" && key == "log_id") on_broker_ = true;
  if (table == "node" && key == "partitions") {
    if (!is_number(value)) return refuse("it is no number");
    return partitions_ = static_cast<int>(offset_from_text(value)), expected<void>{};
  }
  auto known = std::find(std::begin(other_tables), std::end(other_tables), table) != std::end(other_tables);
  return known ? expected<void>{} : refuse("this version knows no such table");
}

expected<void> log_judge::judge_stage(std::string_view key, std::string_view value) {
  auto refuse = [&](const std::string& why) { return wrong(fmt::format("{}: {}", shown(key), why)); };
  if (is_base_key(key)) {
    auto base = unpack_base(value);
    if (!base) return refuse(base.error().message);
    std::uint16_t partition = 0;
    auto number = key.substr(key.find('/') + 1);
    std::from_chars(number.data(), number.data() + number.size(), partition);
    bases_.emplace(partition, base->first);
    auto loaded = partition_stages{}.load(base->second);
    return loaded ? expected<void>{} : refuse(loaded.error().message);
  }
  if (!key.starts_with("snapshot/")) return is_number(value) ? expected<void>{} : refuse("it is no number");
  auto [offset, states] = unpack_snapshot(value);
  if (pack_snapshot(offset, states) != value) return refuse("the checkpoint cannot be read");
  auto loaded = partition_stages{}.load(states);
  return loaded ? expected<void>{} : refuse("the checkpoint cannot be used: " + loaded.error().message);
}

void log_judge::conclude(log_check& to) const {
  auto tell = [&](log_damage::kind is, const char* table, std::string why) {
    log_damage out;
    out.is = is;
    out.where = fmt::format("table {}", table);
    out.why = std::move(why);
    out.is_of_tables = true;
    to.add(std::move(out));
  };
  if (signals_ != signal_ids_)
    tell(log_damage::kind::outputs, signal_ids_table,
         fmt::format("it does not lead to exactly the rows of table {}", signals_table));
  if (!poisoned_.empty())
    tell(log_damage::kind::row, set_aside_table,
         fmt::format("{} records were set aside, as their letters say, and are not in it", poisoned_.size()));
}

int log_judge::partitions() const {
  if (partitions_) return *partitions_;
  auto most = 1;
  for (auto p = 0; p <= 0xffff; ++p)
    if (log_.range(topic::events, static_cast<std::uint16_t>(p)).next != 0) most = p + 1;
  return most;
}

std::optional<log_base> log_judge::base_at(std::uint16_t partition, std::uint64_t offset) const {
  auto [first, last] = bases_.equal_range(partition);
  for (auto at = first; at != last; ++at)
    if (at->second.offset == offset) return at->second;
  return std::nullopt;
}

} // namespace finstream
