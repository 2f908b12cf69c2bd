// finstream replay: goes over the log again through the stages that made bars, features and signals. With --verify it
// compares every derived byte with what is stored: a difference means that a stage looked at something other than the
// log.
#include "cli/commands.hpp"
#include "cli/replay_models.hpp"

#include "actors/log_bases.hpp"
#include "actors/stages.hpp"
#include "messages/codec/json.hpp"
#include "messages/codec/line_parser.hpp"
#include "messages/codec/msgpack.hpp"
#include "runtime/store/bar_store.hpp"
#include "runtime/store/feature_store.hpp"
#include "runtime/store/letter_store.hpp"
#include "runtime/store/signal_store.hpp"

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
  std::uint64_t events = 0, records = 0, bars = 0, vectors = 0, signals = 0;
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

// A letter of an earlier version says less: then what it says must be the same.
bool is_same(const new_record& made, const std::string& stored) {
  if (made.kind == record_kind::dead_letter) return is_same_letter(made.where, stored, made.payload);
  return made.payload == stored;
}

void compare(outcome& out, derived_reader& stored, const new_record& made, const char* what) {
  auto* there = stored.next();
  if (there == nullptr)
    return out.differ(fmt::format("{} of partition {}: replay gives a record at log time {} that is not stored", what,
                                  made.partition, to_string(made.log_ts)));
  if (is_same(made, there->payload) && there->count == made.count && there->log_ts == made.log_ts &&
      there->kind == made.kind)
    return;
  out.differ(fmt::format("{} of partition {} at offset {}: stored and replayed bytes differ", what, made.partition,
                         there->offset));
}

void print_item(const derived& x) {
  if (std::holds_alternative<end_of_interval>(x)) return;
  std::string line;
  append_derived_json(line, x, "");
  fmt::print("{}\n", line);
}

void count(outcome& out, const derived& x) {
  out.bars += std::holds_alternative<bar>(x) ? 1 : 0;
  out.vectors += std::holds_alternative<feature_vector>(x) ? 1 : 0;
  out.signals += std::holds_alternative<signal>(x) ? 1 : 0;
}

// The row that the stores must hold for it; nothing for an end of interval.
std::optional<table_write> row_of(const derived& x) {
  if (auto* b = std::get_if<bar>(&x)) return bar_write(*b);
  if (auto* v = std::get_if<feature_vector>(&x)) return feature_write(*v);
  if (auto* s = std::get_if<signal>(&x)) return signal_write(*s);
  return std::nullopt;
}

std::uint32_t revision_of(const derived& x) {
  if (auto* b = std::get_if<bar>(&x)) return b->revision;
  if (auto* v = std::get_if<feature_vector>(&x)) return v->revision;
  return 0;
}

// The revision of a row of the stores.
expected<std::uint32_t> stored_revision(const derived& kind, std::string_view row) {
  if (std::holds_alternative<bar>(kind)) return bar_from_msgpack(row).map([](const bar& x) { return x.revision; });
  if (std::holds_alternative<feature_vector>(kind))
    return feature_vector_from_msgpack(row).map([](const feature_vector& x) { return x.revision; });
  return 0u;
}

// Where a bar or a feature vector was revised, the store holds what came last: that is compared when it comes.
expected<void> compare_with_store(outcome& out, const bus& log, const derived& made) {
  auto row = row_of(made);
  if (!row) return {};
  auto stored = log.get(row->table, row->key);
  if (!stored) return tl::unexpected{stored.error()};
  auto name = [&] {
    std::string text;
    append_derived_json(text, made, "");
    return text;
  };
  if (*stored) {
    auto revision = stored_revision(made, **stored);
    if (!revision) return tl::unexpected{revision.error()};
    if (*revision > revision_of(made)) return {};
  }
  if (!*stored)
    out.differ("the store lacks what the replay gives: " + name());
  else if (**stored != *row->value)
    out.differ("the store differs from the replay, which gives: " + name());
  if (*stored && std::holds_alternative<bar>(made)) ++out.stored_bars;
  return {};
}

// Goes over a partition's log beside what is stored of it.
class partition_replay {
public:
  partition_replay(const bus& log, std::uint16_t partition, bool verify)
    : log_{log}, partition_{partition}, verify_{verify} {}

  expected<outcome> run() {
    auto range = log_.range(topic::events, partition_);
    if (!range) return tl::unexpected{range.error()};
    out_.head = range->head;
    if (auto begun = begin_at(range->head); !begun) return tl::unexpected{begun.error()};
    for (auto offset = range->head; offset < range->next;) {
      auto records = log_.read(topic::events, partition_, offset, read_bytes);
      if (!records) return tl::unexpected{records.error()};
      if (records->empty()) break;
      for (auto& r : *records) {
        offset = r.next();
        if (auto done = take(std::move(r)); !done) return tl::unexpected{done.error()};
      }
    }
    if (verify_)
      if (auto rest = find_surplus(); !rest) return tl::unexpected{rest.error()};
    return std::move(out_);
  }

private:
  expected<void> begin_at(std::uint64_t head) {
    log_base base; // the log's beginning, if it is not its very first record
    if (head != 0) {
      auto loaded = load_base(log_, partition_, head);
      if (!loaded) return tl::unexpected{loaded.error()};
      if (auto begun = stages_.load(loaded->second); !begun) return begun;
      base = loaded->first;
    }
    auto saved = log_.get(stage_table, dealt_with_key(partition_));
    if (!saved) return tl::unexpected{saved.error()};
    if (*saved) dealt_with_ = offset_from_text(**saved);
    auto aside = set_aside_records::load(log_, partition_);
    if (!aside) return tl::unexpected{aside.error()};
    stages_.leave_out(std::move(*aside));
    for (auto [where, next] :
         {std::pair{topic::bars, base.next_bar}, std::pair{topic::features, base.next_features},
          std::pair{topic::signals, base.next_signal}, std::pair{topic::rejected, base.next_rejected}})
      stored_.emplace(where, derived_reader{log_, where, partition_, next});
    return {};
  }

  expected<void> take(record from) {
    ++out_.records;
    if (stages_.leaves_out(from.offset)) return {};
    auto entry = to_log_entry(std::move(from));
    if (!entry) return tl::unexpected{entry.error()};
    if ((*entry)->events) out_.events += (*entry)->events->rows.size();
    auto step = stages_.apply(**entry);
    if (!step) return tl::unexpected{step.error()};
    // The node may have been stopped before it had written what the last records give.
    if (verify_ && step->cause >= dealt_with_) return {};
    for (auto [where, items] :
         {std::pair{derived_topic::bars, &step->bars}, std::pair{derived_topic::features, &step->features},
          std::pair{derived_topic::signals, &step->signals}})
      for (auto& made : to_records(std::move(*items), step->log_ts))
        if (auto done = take(where, *made); !done) return done;
    if (verify_)
      for (auto& letter : step->rejected)
        compare_next(dead_letter_record(topic::rejected, partition_, step->log_ts, letter));
    return {};
  }

  expected<void> take(derived_topic where, const derived_record& made) {
    if (verify_) compare_next(derived_record_of(where, partition_, made));
    for (auto& item : made.items) {
      count(out_, item);
      if (!verify_)
        print_item(item);
      else if (auto compared = compare_with_store(out_, log_, item); !compared)
        return compared;
    }
    return {};
  }

  void compare_next(const new_record& made) {
    compare(out_, stored_.at(made.where), made, std::string{to_string(made.where)}.c_str());
  }

  expected<void> find_surplus() {
    for (auto& [where, reader] : stored_) {
      while (reader.next() != nullptr)
        out_.differ(fmt::format("{} of partition {}: a record is stored that the replay does not give",
                                to_string(where), partition_));
      if (reader.failed()) return tl::unexpected{*reader.failed()};
    }
    return {};
  }

  const bus& log_;
  std::uint16_t partition_;
  bool verify_;
  partition_stages stages_;
  std::uint64_t dealt_with_ = 0;
  std::map<topic, derived_reader> stored_;
  outcome out_;
};

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

int replay(const std::string& config_path, bool verify, bool models, unsigned threads) {
  auto config = settings_from(config_path);
  if (!config) return report(config.error());
  auto log = open_for_reading(*config);
  if (!log) return report(log.error());
  auto partitions = config->partitions;
  if (auto saved = (*log)->get("node", "partitions"); saved && *saved)
    partitions = static_cast<int>(offset_from_text(**saved));
  if (models && !verify) return ask_models_again(*config, **log, partitions);
  outcome all;
  std::mutex mutex;
  std::atomic<int> next{0};
  std::optional<failure> failed;
  std::vector<std::uint64_t> heads(static_cast<std::size_t>(partitions));
  auto work = [&] {
    for (int p = next++; p < partitions; p = next++) {
      auto one = partition_replay{**log, static_cast<std::uint16_t>(p), verify}.run();
      std::lock_guard lock{mutex};
      if (!one) {
        failed = one.error();
        continue;
      }
      heads[static_cast<std::size_t>(p)] = one->head;
      all.events += one->events, all.records += one->records, all.bars += one->bars, all.vectors += one->vectors,
        all.signals += one->signals, all.differences += one->differences, all.stored_bars += one->stored_bars;
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
  fmt::print("{} events in {} records of {} replayed: {} bars, {} feature vectors, {} signals, {} differences\n",
             all.events, all.records, counted(static_cast<std::size_t>(partitions), "partition"), all.bars, all.vectors,
             all.signals, all.differences);
  auto asked = models ? ask_models_again(*config, **log, partitions) : 0;
  return all.differences == 0 ? asked : 1;
}

} // namespace

void add_replay(CLI::App& app, chosen_command& chosen) {
  struct options {
    std::string config;
    bool verify = false, models = false;
    unsigned threads = 1;
  };
  auto o = std::make_shared<options>();
  auto* verb =
    app.add_subcommand("replay", "Go over the log again, through the stages that made bars, features and signals");
  add_config_option(*verb, o->config);
  verb->add_flag(
    "--verify", o->verify,
    "Compare every derived byte with what is stored, and count the differences, instead of printing what comes");
  verb->add_flag("--models", o->models,
                 "Ask the models again about the vectors whose answers are recorded, and say which answer differs");
  verb->add_option("--threads", o->threads, "Partitions replayed at a time")
    ->check(CLI::Range(1, 256))
    ->capture_default_str();
  verb->footer(
    "Exit code 1 if there is a difference.\nExample:\n  finstream replay --verify --config config/demo.yaml");
  verb->callback([o, &chosen] { chosen = [o] { return replay(o->config, o->verify, o->models, o->threads); }; });
}

} // namespace finstream
