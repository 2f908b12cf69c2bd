#include "runtime/bus/bus.hpp"

#include "runtime/bus/journal.hpp"
#include "runtime/bus/rules.hpp"

#include <charconv>
#include <fmt/format.h>

namespace finstream {

std::string_view to_string(topic t) {
  switch (t) {
  case topic::events: return "events";
  case topic::bars: return "bars";
  case topic::dead_letters: return "dead_letters";
  case topic::rejected: return "rejected";
  case topic::features: return "features";
  case topic::signals: return "signals";
  case topic::raw: return "raw";
  case topic::events_buffer: return "events_buffer";
  case topic::outputs_buffer: return "outputs_buffer";
  }
  return "unknown";
}

std::string_view to_string(durability level) {
  switch (level) {
  case durability::none: return "none";
  case durability::interval: return "interval";
  case durability::batch: return "batch";
  case durability::buffered: return "buffered";
  case durability::broker: return "broker";
  }
  return "unknown";
}

std::string place(topic where, std::uint16_t partition) { return fmt::format("{}/{}", to_string(where), partition); }

std::optional<topic> parse_topic(std::string_view name) {
  for (std::uint16_t value = 1; to_string(static_cast<topic>(value)) != "unknown"; ++value)
    if (to_string(static_cast<topic>(value)) == name) return static_cast<topic>(value);
  return std::nullopt;
}

std::optional<std::pair<topic, std::uint16_t>> parse_place(std::string_view name) {
  auto slash = name.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto where = parse_topic(name.substr(0, slash));
  std::uint16_t partition = 0;
  const auto* end = name.data() + name.size();
  auto [stop, error] = std::from_chars(name.data() + slash + 1, end, partition);
  if (where && error == std::errc{} && stop == end) return std::pair{*where, partition};
  return std::nullopt;
}

namespace {

expected<void> check_append(const new_record& x) {
  auto refuse = [&](std::string_view why) {
    return fail(errc::invalid_argument, fmt::format("append to {}: {}", place(x.where, x.partition), why));
  };
  if (to_string(x.where) == "unknown") return refuse("there is no such topic");
  if (x.count == 0) return refuse("a record holds at least one event");
  if (x.payload.size() > max_payload_bytes)
    return refuse(
      fmt::format("a payload of {} bytes is over the limit of {}; split it", x.payload.size(), max_payload_bytes));
  return {};
}

} // namespace

given given_by(const transaction& tx) {
  given out;
  for (const auto& x : tx.appends) {
    if (x.where == topic::events_buffer || x.where == topic::outputs_buffer) continue;
    ++out.records;
    out.bytes += x.payload.size();
  }
  return out;
}

expected<void> check_shape(const transaction& tx) {
  for (const auto& x : tx.appends)
    if (auto sound = check_append(x); !sound) return sound;
  if (auto one = journal_of(tx); !one) return tl::unexpected(one.error());
  for (const auto& x : tx.writes)
    if (x.table.empty() || x.table.find('\0') != std::string::npos)
      return fail(errc::invalid_argument, "write to a table: its name is empty or holds a zero byte");
  for (const auto& x : tx.commits)
    if (x.group.empty() || to_string(x.where) == "unknown")
      return fail(errc::invalid_argument, "commit of a group: the group has no name, or there is no such topic");
  return {};
}

expected<void> check_order(const new_record& next, timestamp previous) {
  if (next.log_ts >= previous) return {};
  return fail(errc::invalid_argument,
              fmt::format("append to {}: its log_ts {} is before that of the previous record, {}",
                          place(next.where, next.partition), to_string(next.log_ts), to_string(previous)));
}

expected<void> check_commit(const group_commit& commit, log_range range) {
  if (commit.offset >= range.head && commit.offset <= range.next) return {};
  return fail(commit.offset < range.head ? errc::trimmed : errc::invalid_argument,
              fmt::format("commit of group {} on {}: offset {} is outside the log, which holds {} to {}", commit.group,
                          place(commit.where, commit.partition), commit.offset, range.head, range.next));
}

expected<void> check_start(topic where, std::uint16_t partition, std::uint64_t offset, log_range range) {
  if (offset < range.head)
    return fail(errc::trimmed, fmt::format("read of {} at {}: the log is kept from {} on; start there",
                                           place(where, partition), offset, range.head));
  if (offset > range.next)
    return fail(errc::invalid_argument,
                fmt::format("read of {} at {}: the log ends at {}; the position is of another log",
                            place(where, partition), offset, range.next));
  return {};
}

tl::unexpected<failure> corrupt_at(topic where, std::uint16_t partition, std::uint64_t offset,
                                   std::string_view reason) {
  return fail(errc::corrupt_record, fmt::format("record of {} at {}: {}; `finstream verify` says what can be done",
                                                place(where, partition), offset, reason));
}

} // namespace finstream
