#include "cli/replay_run.hpp"

#include "messages/codec/json.hpp"
#include "messages/codec/line_parser.hpp"
#include "messages/codec/msgpack.hpp"
#include "runtime/bus/brokered_bus.hpp"
#include "runtime/store/bar_store.hpp"
#include "runtime/store/feature_store.hpp"
#include "runtime/store/letter_store.hpp"
#include "runtime/store/signal_store.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace finstream {

namespace {

constexpr std::size_t read_bytes = 4u << 20;
constexpr std::uint64_t most_differences_told = 20;
// An event is in the log when it has happened, but for what a clock may be wrong: so much before a time nothing is of
// it yet.
constexpr nanoseconds clock_margin = 86'400 * second;

// The symbol whose events a series is made of.
std::string_view traded(std::string_view symbol) {
  return symbol.ends_with(".BID") || symbol.ends_with(".ASK") ? symbol.substr(0, symbol.size() - 4) : symbol;
}

} // namespace

bool replay_selection::holds(timestamp t, const std::string& symbol) const {
  return t >= from && t < to && (symbols.empty() || std::any_of(symbols.begin(), symbols.end(), [&](auto& x) {
                                   return x == symbol || x == traded(symbol);
                                 }));
}

bool replay_selection::holds(const derived& x) const {
  if (auto* b = std::get_if<bar>(&x)) return holds(b->start, b->symbol);
  if (auto* v = std::get_if<feature_vector>(&x)) return holds(v->start, v->symbol);
  if (auto* s = std::get_if<signal>(&x)) return holds(s->ts, s->symbol);
  auto& said = std::get<end_of_interval>(x);
  return said.start >= from && said.start < to;
}

void replay_outcome::differ(std::string what) {
  if (++differences <= most_differences_told) told.push_back(std::move(what));
}

void replay_outcome::add(replay_outcome&& x) {
  events += x.events, records += x.records, bars += x.bars, vectors += x.vectors, signals += x.signals;
  differences += x.differences;
  stored_bars += x.stored_bars, stored_vectors += x.stored_vectors, stored_signals += x.stored_signals;
  aside += x.aside;
  told.insert(told.end(), x.told.begin(), x.told.end());
}

const record* derived_walk::next() {
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

namespace {

// Where a bar or a feature vector was revised, the store holds what came last: that is compared when it comes.
expected<void> compare_with_store(replay_outcome& out, const bus& log, const derived& made) {
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
    auto revision = revision_of_row(made, **stored);
    if (!revision) return tl::unexpected{revision.error()};
    if (*revision > revision_of(made)) return {};
  }
  if (!*stored)
    out.differ("the store lacks what the replay gives: " + name());
  else if (**stored != *row->value)
    out.differ("the store differs from the replay, which gives: " + name());
  if (*stored)
    ++(std::holds_alternative<bar>(made)              ? out.stored_bars
       : std::holds_alternative<feature_vector>(made) ? out.stored_vectors
                                                      : out.stored_signals);
  return {};
}

} // namespace

namespace {

// Of two records of outputs, in words; empty if they hold something else.
std::string first_difference(std::string_view stored, std::string_view made) {
  auto a = derived_from_msgpack(stored), b = derived_from_msgpack(made);
  if (!a || !b) return "";
  for (std::size_t i = 0; i < std::max(a->size(), b->size()); ++i) {
    if (i < a->size() && i < b->size() && (*a)[i] == (*b)[i]) continue;
    std::string out = "\n  stored   ";
    i < a->size() ? append_derived_json(out, (*a)[i], "") : void(out += "nothing more");
    out += "\n  replayed ";
    i < b->size() ? append_derived_json(out, (*b)[i], "") : void(out += "nothing more");
    return out;
  }
  return "";
}

// A letter of an earlier version says less: then what it says must be the same.
bool is_same(const new_record& made, const std::string& stored) {
  if (made.kind == record_kind::dead_letter) return is_same_letter(made.where, stored, made.payload);
  return made.payload == stored;
}

} // namespace

partition_replay::partition_replay(const bus& log, std::uint16_t partition, const replay_plan& plan)
  : log_{log}, partition_{partition}, plan_{plan} {}

// From a base that lies before all that is asked for, or else from the log's head: so all state is as it was.
expected<void> partition_replay::begin() {
  auto range = log_.range(topic::events, partition_);
  if (!range) return tl::unexpected{range.error()};
  next_ = out_.head = range->head, end_ = range->next;
  std::optional<std::pair<log_base, stage_states>> base;
  if (plan_.what.from != earliest) {
    auto found = find_base_before(log_, partition_, plan_.what.from - clock_margin);
    if (!found) return tl::unexpected{found.error()};
    base = std::move(*found);
  }
  if (!base && range->head != 0) {
    auto loaded = load_base(log_, partition_, range->head);
    if (!loaded) return tl::unexpected{loaded.error()};
    base = std::move(*loaded);
  }
  log_base where;
  if (base) {
    if (auto begun = stages_.load(base->second); !begun) return begun;
    where = base->first;
    next_ = where.offset;
  }
  auto saved = log_.get(stage_table, dealt_with_key(partition_));
  if (!saved) return tl::unexpected{saved.error()};
  if (*saved) dealt_with_ = offset_from_text(**saved);
  auto log_id = log_.get(node_table, log_id_key);
  if (!log_id) return tl::unexpected{log_id.error()};
  is_ahead_ = *log_id && dealt_with_ > end_;
  auto aside = set_aside_records::load(log_, partition_);
  if (!aside) return tl::unexpected{aside.error()};
  stages_.leave_out(std::move(*aside));
  for (auto [what, from] :
       {std::pair{topic::bars, where.next_bar}, std::pair{topic::features, where.next_features},
        std::pair{topic::signals, where.next_signal}, std::pair{topic::rejected, where.next_rejected}})
    stored_.emplace(what, derived_walk{log_, what, partition_, from});
  return find_checkpoint();
}

// A checkpoint that cannot be read stands at 0 and holds nothing: whoever starts goes over the log from its head.
expected<void> partition_replay::find_checkpoint() {
  auto saved = plan_.verify && plan_.what.is_all() ? log_.get(stage_table, snapshot_key(partition_))
                                                   : expected<std::optional<std::string>>{};
  if (!saved) return tl::unexpected{saved.error()};
  if (*saved) checkpoint_ = unpack_snapshot(**saved);
  compare_checkpoint();
  return {};
}

// The stages are to be now what they were when they were saved.
void partition_replay::compare_checkpoint() {
  if (!checkpoint_ || checkpoint_->first > next_) return;
  if (checkpoint_->first == next_ && !checkpoint_->second.window.empty() && stages_.save() != checkpoint_->second)
    out_.differ(fmt::format("the checkpoint of partition {} at offset {} is not what the events before it give",
                            partition_, next_));
  checkpoint_.reset();
}

expected<bool> partition_replay::fill() {
  if (at_ < records_.size()) return true;
  records_.clear(), at_ = 0;
  if (next_ >= end_) return false;
  auto more = log_.read(topic::events, partition_, next_, read_bytes);
  if (!more) return tl::unexpected{more.error()};
  records_ = std::move(*more);
  return !records_.empty();
}

expected<std::optional<timestamp>> partition_replay::next_log_ts() {
  auto more = fill();
  if (!more) return tl::unexpected{more.error()};
  return *more ? std::optional{records_[at_].log_ts} : std::nullopt;
}

expected<void> partition_replay::step() {
  next_ = records_[at_].next();
  last_log_ts_ = records_[at_].log_ts;
  auto taken = take(std::move(records_[at_++]));
  if (taken) compare_checkpoint();
  return taken;
}

expected<void> partition_replay::run() {
  for (;;) {
    auto due = next_log_ts();
    if (!due) return tl::unexpected{due.error()};
    if (!*due) return {};
    if (auto done = step(); !done) return done;
  }
}

expected<replay_outcome> partition_replay::finish() {
  if (plan_.verify)
    if (auto rest = find_surplus(); !rest) return tl::unexpected{rest.error()};
  return std::move(out_);
}

expected<void> partition_replay::take(record from) {
  ++out_.records;
  if (stages_.leaves_out(from.offset)) return {};
  auto entry = to_log_entry(std::move(from));
  if (!entry) return tl::unexpected{entry.error()};
  if ((*entry)->events) out_.events += (*entry)->events->rows.size();
  auto step = stages_.apply(**entry);
  if (!step) return tl::unexpected{step.error()};
  // The node may have been stopped before it had written what the last records give.
  if (plan_.verify && step->cause >= dealt_with_) return {};
  for (auto [where, items] :
       {std::pair{derived_topic::bars, &step->bars}, std::pair{derived_topic::features, &step->features},
        std::pair{derived_topic::signals, &step->signals}})
    for (auto& made : to_records(std::move(*items), step->log_ts))
      if (auto done = take(where, *made); !done) return done;
  if (plan_.verify)
    for (auto& letter : step->rejected)
      compare_next(dead_letter_record(topic::rejected, partition_, step->log_ts, letter), plan_.what.is_all());
  return {};
}

expected<void> partition_replay::take(derived_topic where, const derived_record& made) {
  if (plan_.verify)
    compare_next(derived_record_of(where, partition_, made),
                 std::any_of(made.items.begin(), made.items.end(), [&](auto& x) { return plan_.what.holds(x); }));
  for (auto& item : made.items)
    if (plan_.what.holds(item))
      if (auto done = take(item); !done) return done;
  return {};
}

expected<void> partition_replay::take(const derived& item) {
  out_.bars += std::holds_alternative<bar>(item) ? 1 : 0;
  out_.vectors += std::holds_alternative<feature_vector>(item) ? 1 : 0;
  out_.signals += std::holds_alternative<signal>(item) ? 1 : 0;
  if (plan_.print) plan_.print(item);
  if (plan_.into != nullptr) {
    auto added = plan_.into->add(item);
    if (!added) return tl::unexpected{added.error()};
    out_.aside += *added;
  }
  return plan_.verify ? compare_with_store(out_, log_, item) : expected<void>{};
}

// The walk goes along in any case; only what was asked for counts.
void partition_replay::compare_next(const new_record& made, bool counts) {
  auto* there = stored_.at(made.where).next();
  if (!counts) return;
  if (there == nullptr)
    return out_.differ(fmt::format("{} of partition {}: replay gives a record at log time {} that is not stored",
                                   to_string(made.where), made.partition, to_string(made.log_ts)));
  if (is_same(made, there->payload) && there->count == made.count && there->log_ts == made.log_ts &&
      there->kind == made.kind)
    return;
  out_.differ(fmt::format("{} of partition {} at offset {}: stored and replayed bytes differ{}", to_string(made.where),
                          made.partition, there->offset, first_difference(there->payload, made.payload)));
}

expected<void> partition_replay::find_surplus() {
  for (auto& [where, walk] : stored_) {
    while (auto* there = walk.next()) {
      if (!plan_.what.is_all()) continue;
      if (is_ahead_ && there->log_ts >= last_log_ts_) {
        if (auto done = take_surplus(where, *there); !done) return done;
      } else {
        out_.differ(fmt::format("{} of partition {}: a record is stored that the replay does not give",
                                to_string(where), partition_));
      }
    }
    if (walk.failed()) return tl::unexpected{*walk.failed()};
  }
  return {};
}

// Whether this is what the events give will be known when they are here. Its rows are to be those of the record.
expected<void> partition_replay::take_surplus(topic where, const record& there) {
  if (where == topic::rejected) return {}; // has no rows
  auto items = derived_from_msgpack(there.payload);
  if (!items) return tl::unexpected{items.error()};
  for (auto& x : *items)
    if (auto done = compare_with_store(out_, log_, x); !done) return done;
  return {};
}

std::uint64_t head_of(std::string_view symbol, const std::vector<std::uint64_t>& heads) {
  auto partitions = static_cast<std::uint32_t>(heads.size());
  return std::max(heads[partition_of(symbol, partitions)], heads[partition_of(traded(symbol), partitions)]);
}

void count_store(const bus& log, replay_outcome& all, const std::vector<std::uint64_t>& heads,
                 const replay_selection& what) {
  // A table's rows that are of events in the log, and of what was asked for.
  auto count = [&](const char* table, auto read, auto time, std::uint64_t given, const char* name) {
    std::uint64_t rows = 0;
    std::optional<failure> failed;
    auto scanned = log.scan(table, {}, {}, [&](std::string_view, std::string_view value) {
      auto stored = read(value);
      if (!stored) return failed = stored.error(), false;
      if (stored->last_offset >= head_of(stored->symbol, heads) && what.holds((*stored).*time, stored->symbol)) ++rows;
      return true;
    });
    if (!scanned) failed = scanned.error();
    if (failed) return all.differ(failed->message);
    for (auto i = given; i < rows; ++i) all.differ(fmt::format("the store has {} that the replay does not give", name));
  };
  count(bars_table, bar_from_msgpack, &bar::start, all.stored_bars, "a bar");
  count(features_table, feature_vector_from_msgpack, &feature_vector::start, all.stored_vectors, "a feature vector");
  count(signals_table, signal_from_msgpack, &signal::ts, all.stored_signals, "a signal");
}

int partitions_of(const bus& log, int otherwise) {
  auto saved = log.get("node", "partitions");
  return saved && *saved ? static_cast<int>(offset_from_text(**saved)) : otherwise;
}

expected<replay_outcome> compare_all(const bus& log, int partitions) {
  replay_plan plan;
  plan.verify = true;
  replay_outcome all;
  std::vector<std::uint64_t> heads;
  for (int p = 0; p < partitions; ++p) {
    partition_replay part{log, static_cast<std::uint16_t>(p), plan};
    if (auto begun = part.begin(); !begun) return tl::unexpected{begun.error()};
    if (auto done = part.run(); !done) return tl::unexpected{done.error()};
    auto one = part.finish();
    if (!one) return tl::unexpected{one.error()};
    heads.push_back(one->head);
    all.add(std::move(*one));
  }
  count_store(log, all, heads, plan.what);
  return all;
}

} // namespace finstream
