#include "tests/simulation/journal_book.hpp"

#include "actors/log_entries.hpp"
#include "runtime/store/bar_store.hpp"
#include "runtime/store/feature_store.hpp"
#include "runtime/store/signal_store.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace finstream::simulation {

namespace {

constexpr topic copied_topics[] = {topic::events,   topic::bars,    topic::dead_letters, topic::rejected,
                                   topic::features, topic::signals, topic::raw};
constexpr const char* copied_tables[] = {bars_table, features_table, signals_table, signal_ids_table};

// The whole entries that it has; nothing of the one that is begun.
std::uint64_t entries_in(broker& streams, const std::string& stream) {
  auto ends = streams.ends(stream);
  if (!ends || !ends->last) return 0;
  return ends->last->transaction - (ends->last_is_whole ? 0 : 1);
}

std::optional<std::string> compare_topic(const bus& log, const bus& copy, topic where, std::uint16_t partition) {
  auto place = fmt::format("{}/{}", to_string(where), partition);
  auto ours = *log.range(where, partition), theirs = *copy.range(where, partition);
  if (theirs.next > ours.next)
    return fmt::format("the broker has {} up to {}, and the log up to {}", place, theirs.next, ours.next);
  for (auto offset = ours.head; offset < theirs.next;) {
    auto here = log.read(where, partition, offset, 1u << 20), there = copy.read(where, partition, offset, 1u << 20);
    if (!here || !there || here->empty() || there->empty())
      return fmt::format("{} cannot be read at {}, here or in a copy from the broker", place, offset);
    for (std::size_t i = 0; i < std::min(here->size(), there->size()); ++i) {
      auto &x = (*here)[i], &y = (*there)[i];
      if (x.offset != y.offset || x.count != y.count || x.kind != y.kind || x.log_ts != y.log_ts ||
          x.payload != y.payload)
        return fmt::format("{} at {}: a copy from the broker has another record", place, x.offset);
      offset = x.next();
    }
  }
  return std::nullopt;
}

// What is made of events does not come before them.
std::optional<std::string> check_causes(const bus& copy, std::uint16_t partition) {
  auto saved = copy.get(stage_table, dealt_with_key(partition));
  auto dealt_with = saved && *saved ? offset_from_text(**saved) : 0;
  auto next = copy.range(topic::events, partition)->next;
  if (dealt_with <= next) return std::nullopt;
  return fmt::format("the broker has events/{} up to {}, and outputs of what comes before {}", partition, next,
                     dealt_with);
}

std::optional<std::string> compare_table(const bus& log, const bus& copy, const char* table) {
  std::map<std::string, std::string> ours, theirs;
  for (auto [from, to] : {std::pair{&log, &ours}, std::pair{&copy, &theirs}})
    if (auto done =
          from->scan(table, "", "", [to = to](auto key, auto value) { return to->emplace(key, value), true; });
        !done)
      return done.error().message;
  if (ours == theirs) return std::nullopt;
  return fmt::format("table {} has {} rows, and {} or others in a copy from the broker", table, ours.size(),
                     theirs.size());
}

} // namespace

void journal_book::on_written(const transaction& tx, const std::vector<std::uint64_t>& offsets) {
  for (std::size_t i = 0; i < tx.appends.size(); ++i) {
    auto& x = tx.appends[i];
    if (x.kind != record_kind::entry) continue;
    auto& mine = journals_[{side_of(x.where), x.partition}];
    mine.entries.resize(offsets[i]);
    mine.entries.push_back(x.payload);
  }
}

// What it had acknowledged it still has, and gives it back when the log is opened.
void journal_book::on_lost(const bus& local) {
  for (auto& [id, mine] : journals_) mine.entries.resize(local.range(buffer_of(id.side), id.partition)->next);
}

void journal_book::on_acknowledged(journal_id id, std::uint64_t number) {
  auto& last = journals_[id].acknowledged;
  last = std::max(last, number);
}

void journal_book::on_forgotten(broker& from) {
  for (auto& [id, mine] : journals_)
    mine.acknowledged = std::min(mine.acknowledged, entries_in(from, stream_of(options_, id)));
}

bool journal_book::is_all_in(broker& streams) const {
  return std::ranges::all_of(
    journals_, [&](auto& x) { return entries_in(streams, stream_of(options_, x.first)) == x.second.entries.size(); });
}

bool journal_book::is_behind(broker& streams) const {
  return std::ranges::any_of(journals_of(options_), [&](auto id) {
    auto ends = streams.ends(stream_of(options_, id));
    auto mine = journals_.find(id);
    return ends && ends->last && ends->last->transaction > (mine == journals_.end() ? 0 : mine->second.entries.size());
  });
}

// ---- what must hold

std::optional<std::string> journal_book::check_acknowledged(broker& streams) const {
  for (auto& [id, mine] : journals_) {
    auto stream = stream_of(options_, id);
    if (auto has = entries_in(streams, stream); has < mine.acknowledged)
      return fmt::format("entry {} of stream {} was acknowledged, and the broker has {}", mine.acknowledged, stream,
                         has);
  }
  return std::nullopt;
}

std::optional<std::string> journal_book::check_streams(broker& streams) const {
  for (auto& [id, mine] : journals_)
    if (auto said = check_stream(streams, id, mine)) return said;
  return std::nullopt;
}

std::optional<std::string> journal_book::check_stream(broker& streams, journal_id id, const journal& mine) const {
  auto stream = stream_of(options_, id);
  auto messages = streams.read(stream, std::nullopt, ~std::size_t{0}, ~std::size_t{0});
  if (!messages) return messages.error().message;
  message_reader reader;
  std::uint64_t entries = 0;
  for (auto& x : *messages) {
    if (x.number.transaction != entries + 1)
      return fmt::format("stream {} has entry {} where {} comes next", stream, x.number.transaction, entries + 1);
    auto whole = reader.add(x);
    if (!whole) return whole.error().message;
    if (!*whole) continue;
    ++entries;
    if (entries > mine.entries.size())
      return fmt::format("stream {} has entry {}, and the log has {}", stream, entries, mine.entries.size());
    if (**whole != mine.entries[entries - 1])
      return fmt::format("stream {}: entry {} is not what was written", stream, entries);
  }
  return std::nullopt;
}

std::optional<std::string> journal_book::check_copy(const bus& log, std::unique_ptr<broker> streams) const {
  auto is_all = is_all_in(*streams);
  auto found = find_log(*streams, options_);
  if (!found) return found.error().message;
  if (!*found) return std::nullopt;
  auto copy = join_log(open_memory_bus((*found)->epoch), *found, options_, std::move(streams), "copy");
  if (!copy) return "no log can be made of the streams: " + copy.error().message;
  for (std::uint16_t p = 0; p < options_.partitions; ++p)
    if (auto said = check_causes(**copy, p)) return said;
  for (auto where : copied_topics)
    for (std::uint16_t p = 0; p < options_.partitions; ++p)
      if (auto said = compare_topic(log, **copy, where, p)) return said;
  if (!is_all) return std::nullopt;
  for (auto* table : copied_tables)
    if (auto said = compare_table(log, **copy, table)) return said;
  return std::nullopt;
}

} // namespace finstream::simulation
