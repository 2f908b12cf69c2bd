// finstream replay: goes over the log again through the stages that made the bars. With --verify it compares every
// derived byte with what is stored: a difference means that a stage looked at something other than the log.
#include "cli/commands.hpp"

#include "actors/log_bases.hpp"
#include "messages/codec/json.hpp"
#include "messages/codec/line_parser.hpp"
#include "messages/codec/msgpack.hpp"
#include "runtime/store/bar_store.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <fmt/core.h>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

namespace finstream {

namespace {

constexpr std::size_t read_bytes = 4u << 20;
constexpr int most_differences_told = 20;

struct outcome {
  std::uint64_t events = 0, records = 0, bars = 0;
  std::uint64_t differences = 0;
  std::map<std::string, std::string> stored; // what the bar store must hold
  std::uint64_t head = 0;                    // of one partition's log
  std::vector<std::string> told;

  void differ(std::string what) {
    if (++differences <= most_differences_told) told.push_back(std::move(what));
  }
};

// Walks the records of a derived topic beside the replay.
class derived_reader {
public:
  derived_reader(const bus& log, topic where, std::uint16_t partition, std::uint64_t offset)
    : log_{log}, where_{where}, partition_{partition}, offset_{offset} {}
  // The next record, or null at the end.
  const record* next() {
    if (at_ == records_.size()) {
      auto more = log_.read(where_, partition_, offset_, read_bytes);
      records_ = more ? std::move(*more) : std::vector<record>{};
      at_ = 0;
      if (records_.empty()) return nullptr;
    }
    offset_ = records_[at_].next();
    return &records_[at_++];
  }

private:
  const bus& log_;
  topic where_;
  std::uint16_t partition_;
  std::uint64_t offset_;
  std::vector<record> records_;
  std::size_t at_ = 0;
};

void compare(outcome& out, derived_reader& stored, const new_record& made, const char* what) {
  auto* there = stored.next();
  if (there == nullptr)
    return out.differ(fmt::format("{} of partition {}: replay gives a record at log time {} that is not stored", what,
                                  made.partition, to_string(made.log_ts)));
  if (there->payload == made.payload && there->count == made.count && there->log_ts == made.log_ts &&
      there->kind == made.kind)
    return;
  out.differ(fmt::format("{} of partition {} at offset {}: stored and replayed bytes differ", what, made.partition,
                         there->offset));
}

void take_bar(outcome& out, const bar& x, bool verify) {
  ++out.bars;
  if (verify) {
    auto write = bar_write(x);
    out.stored[write.key] = *write.value;
    return;
  }
  std::string line;
  append_bar_json(line, x, "");
  fmt::print("{}\n", line);
}

expected<outcome> replay_partition(const bus& log, std::uint16_t partition, bool verify) {
  outcome out;
  auto range = log.range(topic::events, partition);
  if (!range) return tl::unexpected{range.error()};
  partition_stage stage;
  log_base base; // the log's beginning, if it is not its very first record
  if (range->head != 0) {
    auto loaded = load_base(log, partition, range->head, stage);
    if (!loaded) return tl::unexpected{loaded.error()};
    base = *loaded;
  }
  out.head = range->head;
  std::uint64_t dealt_with = 0;
  if (auto at = log.get(stage_table, dealt_with_key(partition)); at && *at) dealt_with = offset_from_text(**at);
  derived_reader bars{log, topic::bars, partition, base.next_bar},
    rejected{log, topic::rejected, partition, base.next_rejected};
  for (auto offset = range->head; offset < range->next;) {
    auto records = log.read(topic::events, partition, offset, read_bytes);
    if (!records) return tl::unexpected{records.error()};
    if (records->empty()) break;
    for (auto& r : *records) {
      offset = r.next();
      ++out.records;
      auto entry = to_log_entry(std::move(r));
      if (!entry) return tl::unexpected{entry.error()};
      if ((*entry)->events) out.events += (*entry)->events->rows.size();
      if (auto applied = stage.apply(**entry); !applied) return tl::unexpected{applied.error()};
      auto made = stage.take_bars(**entry);
      auto refused = stage.take_rejected(**entry);
      // The node may have been stopped before it had written what the last records give.
      if (verify && (*entry)->offset >= dealt_with) continue;
      for (auto& record : made) {
        if (verify) compare(out, bars, bars_record(partition, *record), "bars");
        for (auto& item : record->items)
          if (auto* b = std::get_if<bar>(&item)) take_bar(out, *b, verify);
      }
      if (refused && verify)
        for (auto& letter : refused->items)
          compare(out, rejected, dead_letter_record(topic::rejected, partition, refused->log_ts, letter),
                  "rejected events");
    }
  }
  if (verify) {
    while (bars.next() != nullptr)
      out.differ(fmt::format("bars of partition {}: a record is stored that the replay does not give", partition));
    while (rejected.next() != nullptr)
      out.differ(
        fmt::format("rejected events of partition {}: a record is stored that the replay does not give", partition));
  }
  return out;
}

// `heads`: by partition, where the log begins. Bars of older events are in the store and cannot be made again.
void compare_store(const bus& log, outcome& all, const std::vector<std::uint64_t>& heads) {
  auto is_older_than_log = [&](std::string_view value) {
    auto stored = bar_from_msgpack(value);
    return stored &&
           stored->last_offset < heads[partition_of(stored->symbol, static_cast<std::uint32_t>(heads.size()))];
  };
  auto scanned = scan_all_bars(log, [&](std::string_view key, std::string_view value) {
    auto at = all.stored.find(std::string{key});
    if (at == all.stored.end() && is_older_than_log(value)) return true;
    if (at == all.stored.end())
      all.differ("the bar store has a bar that the replay does not give");
    else if (at->second != value)
      all.differ("the bar store has a bar that differs from the replay's");
    if (at != all.stored.end()) all.stored.erase(at);
    return true;
  });
  if (!scanned) all.differ(scanned.error().message);
  for (std::size_t i = 0; i < all.stored.size(); ++i) all.differ("the bar store lacks a bar that the replay gives");
}

int replay(const std::string& config_path, bool verify, unsigned threads) {
  auto config = settings_from(config_path);
  if (!config) return report(config.error());
  auto log = open_for_reading(*config);
  if (!log) return report(log.error());
  auto partitions = config->partitions;
  if (auto saved = (*log)->get("node", "partitions"); saved && *saved)
    partitions = static_cast<int>(offset_from_text(**saved));
  outcome all;
  std::mutex mutex;
  std::atomic<int> next{0};
  std::optional<failure> failed;
  std::vector<std::uint64_t> heads(static_cast<std::size_t>(partitions));
  auto work = [&] {
    for (int p = next++; p < partitions; p = next++) {
      auto one = replay_partition(**log, static_cast<std::uint16_t>(p), verify);
      std::lock_guard lock{mutex};
      if (!one) {
        failed = one.error();
        continue;
      }
      heads[static_cast<std::size_t>(p)] = one->head;
      all.events += one->events, all.records += one->records, all.bars += one->bars,
        all.differences += one->differences;
      all.stored.merge(one->stored);
      all.told.insert(all.told.end(), one->told.begin(), one->told.end());
    }
  };
  std::vector<std::thread> pool;
  for (unsigned i = 1; i < std::min<unsigned>(threads, static_cast<unsigned>(partitions)); ++i) pool.emplace_back(work);
  work();
  for (auto& t : pool) t.join();
  if (failed) return report(*failed);
  if (!verify) return 0;
  compare_store(**log, all, heads);
  for (auto& line : all.told) fmt::print("{}\n", line);
  fmt::print("{} events in {} records of {} partitions replayed: {} bars, {} differences\n", all.events, all.records,
             partitions, all.bars, all.differences);
  return all.differences == 0 ? 0 : 1;
}

} // namespace

void add_replay(CLI::App& app, chosen_command& chosen) {
  struct options {
    std::string config;
    bool verify = false;
    unsigned threads = 1;
  };
  auto o = std::make_shared<options>();
  auto* verb = app.add_subcommand("replay", "Go over the log again, through the stages that made the bars");
  add_config_option(*verb, o->config);
  verb->add_flag(
    "--verify", o->verify,
    "Compare every derived byte with what is stored, and count the differences, instead of printing the bars");
  verb->add_option("--threads", o->threads, "Partitions replayed at a time")
    ->check(CLI::Range(1, 256))
    ->capture_default_str();
  verb->footer(
    "Exit code 1 if there is a difference.\nExample:\n  finstream replay --verify --config config/demo.yaml");
  verb->callback([o, &chosen] { chosen = [o] { return replay(o->config, o->verify, o->threads); }; });
}

} // namespace finstream
