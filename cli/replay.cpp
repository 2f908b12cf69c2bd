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
  std::uint64_t stored_bars = 0; // bars that the bar store holds as they were made
  std::uint64_t head = 0;        // of one partition's log
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
  // The next record, or null at the end, or where the log cannot be read: then there is a failure.
  const record* next() {
    if (at_ == records_.size()) {
      auto more = log_.read(where_, partition_, offset_, read_bytes);
      if (!more) failure_ = more.error();
      records_ = more ? std::move(*more) : std::vector<record>{};
      at_ = 0;
      if (records_.empty()) return nullptr;
    }
    offset_ = records_[at_].next();
    return &records_[at_++];
  }
  const std::optional<failure>& failed() const { return failure_; }

private:
  const bus& log_;
  topic where_;
  std::uint16_t partition_;
  std::uint64_t offset_;
  std::vector<record> records_;
  std::size_t at_ = 0;
  std::optional<failure> failure_;
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

void print_bar(const bar& x) {
  std::string line;
  append_bar_json(line, x, "");
  fmt::print("{}\n", line);
}

expected<void> compare_with_store(outcome& out, const bus& log, const bar& made) {
  auto expected_row = bar_write(made);
  auto stored = log.get(bars_table, expected_row.key);
  if (!stored) return tl::unexpected{stored.error()};
  auto name = [&] {
    return fmt::format("{} {} {}", made.symbol, span_to_string(made.interval), to_string(made.start));
  };
  if (!*stored)
    out.differ("the bar store lacks a bar that the replay gives: " + name());
  else if (**stored != *expected_row.value)
    out.differ("the bar store has a bar that differs from the replay's: " + name());
  if (*stored) ++out.stored_bars;
  return {};
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
  auto saved = log.get(stage_table, dealt_with_key(partition));
  if (!saved) return tl::unexpected{saved.error()};
  if (*saved) dealt_with = offset_from_text(**saved);
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
        for (auto& item : record->items) {
          auto* b = std::get_if<bar>(&item);
          if (b == nullptr) continue;
          ++out.bars;
          if (!verify)
            print_bar(*b);
          else if (auto compared = compare_with_store(out, log, *b); !compared)
            return tl::unexpected{compared.error()};
        }
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
    for (auto* reader : {&bars, &rejected})
      if (reader->failed()) return tl::unexpected{*reader->failed()};
  }
  return out;
}

// Every bar that the replay gives has been looked up: what the store holds beyond these, the replay did not give. Bars
// of events older than the log are left out; `heads` says, by partition, where it begins. The bars of a quote have the
// symbol with .BID or .ASK, and lie with the symbol's own.
void count_store(const bus& log, outcome& all, const std::vector<std::uint64_t>& heads) {
  auto head_of = [&](std::string_view symbol) {
    return heads[partition_of(symbol, static_cast<std::uint32_t>(heads.size()))];
  };
  std::uint64_t rows = 0;
  std::optional<failure> failed;
  auto scanned = scan_all_bars(log, [&](std::string_view, std::string_view value) {
    auto stored = bar_from_msgpack(value);
    if (!stored) return failed = stored.error(), false;
    auto head = head_of(stored->symbol);
    if (stored->symbol.ends_with(".BID") || stored->symbol.ends_with(".ASK"))
      head = std::max(head, head_of(std::string_view{stored->symbol}.substr(0, stored->symbol.size() - 4)));
    if (stored->last_offset >= head) ++rows;
    return true;
  });
  if (!scanned) failed = scanned.error();
  if (failed) return all.differ(failed->message);
  for (auto i = all.stored_bars; i < rows; ++i) all.differ("the bar store has a bar that the replay does not give");
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
        all.differences += one->differences, all.stored_bars += one->stored_bars;
      all.told.insert(all.told.end(), one->told.begin(), one->told.end());
    }
  };
  std::vector<std::thread> pool;
  for (unsigned i = 1; i < std::min<unsigned>(threads, static_cast<unsigned>(partitions)); ++i) pool.emplace_back(work);
  work();
  for (auto& t : pool) t.join();
  if (failed) return report(*failed);
  if (!verify) return 0;
  count_store(**log, all, heads);
  for (auto& line : all.told) fmt::print("{}\n", line);
  fmt::print("{} events in {} records of {} replayed: {} bars, {} differences\n", all.events, all.records,
             counted(static_cast<std::size_t>(partitions), "partition"), all.bars, all.differences);
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
