#include "actors/derived_writer.hpp"

#include "messages/planted.hpp"
#include "runtime/log/log.hpp"
#include "runtime/store/bar_store.hpp"
#include "runtime/store/feature_store.hpp"
#include "runtime/store/signal_store.hpp"

namespace finstream {

derived_writer::derived_writer(node_context* context, std::uint16_t partition)
  : context_{context}, partition_{partition}, path_{partition_path(partition, "appender")},
    trimmer_{*context->log, partition, static_cast<nanoseconds>(context->config->bus.retain_ms) * millisecond},
    vectors_{context->metrics->feature_vectors(partition)} {}

expected<void> derived_writer::recover() {
  if (auto known = find_ends(); !known) return known;
  return trimmer_.recover();
}

expected<void> derived_writer::find_ends() {
  auto& log = *context_->log;
  for (auto where : derived_topics) {
    auto range = log.range(topic_of(where), partition_);
    if (!range) return tl::unexpected{range.error()};
    topics_[static_cast<std::size_t>(where)].next = range->next;
  }
  auto rejected = log.range(topic::rejected, partition_);
  if (!rejected) return tl::unexpected{rejected.error()};
  next_rejected_ = rejected->next;
  auto saved = log.get(stage_table, dealt_with_key(partition_));
  if (!saved) return tl::unexpected{saved.error()};
  if (*saved) dealt_with_ = offset_from_text(**saved);
  return {};
}

// What is recent is with that process alone: readers are told to read the log.
expected<std::uint64_t> derived_writer::follow() {
  return find_ends().map([this] { return dealt_with_; });
}

void derived_writer::trim(timestamp now) {
  auto trimmed = trimmer_.recover().and_then([&] { return trimmer_.trim(now); });
  if (!trimmed) log::warning(path_, "what is no longer to be kept cannot be trimmed: {}", trimmed.error().message);
}

derived_writer::output derived_writer::take(stage_result& result) const {
  output out;
  out.dealt_with = std::max(dealt_with_, result.dealt_with);
  for (auto& step : result.steps) {
    if (step.cause < dealt_with_ && !planted(fault::takes_results_twice)) continue;
    for (auto [where, items] :
         {std::pair{derived_topic::bars, &step.bars}, std::pair{derived_topic::features, &step.features},
          std::pair{derived_topic::signals, &step.signals}})
      for (auto& record : to_records(std::move(*items), step.log_ts))
        out.records.emplace_back(where, std::move(record));
    for (auto& letter : step.rejected) out.rejected.emplace_back(step.log_ts, std::move(letter));
    out.late_by.insert(out.late_by.end(), step.late_by.begin(), step.late_by.end());
  }
  // Not if a window that has crashed since had handed in more: outputs of later records are written already.
  if (result.dealt_with >= dealt_with_) out.snapshot = std::move(result.snapshot);
  return out;
}

void derived_writer::add_to(transaction& tx, const output& what, timestamp log_ts) {
  for (auto& [where, record] : what.records) {
    tx.appends.push_back(derived_record_of(where, partition_, *record));
    for (auto& item : record->items) add_rows(tx, item);
  }
  for (auto& [at, letter] : what.rejected)
    tx.appends.push_back(dead_letter_record(topic::rejected, partition_, at, letter));
  if (what.dealt_with > dealt_with_ && !planted(fault::outputs_without_position))
    tx.writes.push_back({stage_table, dealt_with_key(partition_), offset_text(what.dealt_with)});
  if (!what.snapshot) return;
  trimmer_.add_base(tx, log_ts, what.dealt_with, *what.snapshot);
  auto bytes = pack_snapshot(planted(fault::snapshot_at_wrong_place) ? dealt_with_ : what.dealt_with, *what.snapshot);
  context_->figures->checkpoint_bytes.at(partition_) = bytes.size();
  tx.writes.push_back({stage_table, snapshot_key(partition_), std::move(bytes)});
  tx.commits.push_back({"window", topic::events, partition_, what.dealt_with});
}

void add_rows(transaction& tx, const derived& item) {
  if (auto* x = std::get_if<bar>(&item)) {
    if (planted(fault::row_is_forgotten) && x->revision != 0) return;
    tx.writes.push_back(bar_write(*x));
  } else if (auto* vector = std::get_if<feature_vector>(&item)) {
    tx.writes.push_back(feature_write(*vector));
  } else if (auto* made = std::get_if<signal>(&item)) {
    tx.writes.push_back(signal_write(*made));
    tx.writes.push_back(signal_id_write(*made));
  }
}

void derived_writer::on_written(const output& what, const std::vector<std::uint64_t>& offsets) {
  dealt_with_ = what.dealt_with;
  for (std::size_t i = 0; i < what.records.size(); ++i) {
    auto& [where, record] = what.records[i];
    auto& topic = topics_[static_cast<std::size_t>(where)];
    record->offset = offsets[i];
    topic.next = offsets[i] + record->items.size();
    for (auto& item : record->items) count(item);
    topic.recent.push_back(record);
    while (topic.recent.size() > context_->config->limits.recent_batches) topic.recent.pop_front();
  }
  next_rejected_ += what.rejected.size();
  if (!what.rejected.empty()) count_rejected(what);
  if (auto trimmed = trimmer_.on_written(); !trimmed)
    log::warning(path_, "what is no longer to be kept cannot be trimmed: {}", trimmed.error().message);
}

bool derived_writer::agrees_with_log() const {
  for (auto where : derived_topics)
    if (!ends_at(*context_->log, topic_of(where), partition_, next(where))) return false;
  return ends_at(*context_->log, topic::rejected, partition_, next_rejected_);
}

std::optional<fresh_derived> derived_writer::fresh(derived_topic where, std::uint64_t offset) const {
  auto& topic = at(where);
  if (offset >= topic.next) return std::nullopt;
  fresh_derived out{partition_, where, false, {}};
  out.behind = topic.recent.empty() || offset < topic.recent.front()->offset;
  if (!out.behind)
    for (auto& record : topic.recent)
      if (record->offset >= offset) out.records.push_back(record);
  return out;
}

// ---- figures

void derived_writer::count(const derived& item) {
  if (auto* x = std::get_if<bar>(&item)) count_bar(*x);
  if (std::holds_alternative<feature_vector>(item)) vectors_.add();
  if (auto* made = std::get_if<signal>(&item)) context_->metrics->signals_emitted(made->name, made->adapter).add();
}

void derived_writer::count_bar(const bar& x) {
  ++context_->figures->bars;
  auto& counters = flushed_[{x.interval, x.symbol}];
  if (counters.bars == nullptr) {
    auto named =
      flushed_.size() <= context_->config->limits.metric_symbols * context_->config->windows.intervals.size();
    auto window_ms = std::to_string(x.interval / millisecond);
    counters = {&context_->metrics->bars_flushed(window_ms, named ? x.symbol : "other"),
                &context_->metrics->rows_flushed(window_ms)};
  }
  counters.bars->add();
  counters.rows->add();
}

void derived_writer::count_rejected(const output& what) {
  for (auto& [at, letter] : what.rejected)
    context_->metrics->errors("window", std::string{to_string(letter.code)}).add();
  for (auto span : what.late_by) context_->metrics->lateness_seconds().observe(static_cast<double>(span) / 1e9);
  context_->figures->dead_letters += what.rejected.size();
  if (auto told = rejected_told_.add(what.rejected.size(), context_->time->monotonic()))
    log::warning(path_, "{} events are in no bar, the last: {}; `finstream dlq list` shows them", *told,
                 what.rejected.back().second.reason);
}

} // namespace finstream
