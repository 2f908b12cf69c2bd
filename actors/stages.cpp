#include "actors/stages.hpp"

#include "messages/codec/json.hpp"
#include "messages/value/bytes.hpp"
#include "runtime/bus/bus.hpp"

namespace finstream {

namespace {

// Before a state of both; one of rules alone begins with a smaller number, its version.
constexpr std::uint64_t rules_and_models = 1000;

dead_letter letter_of(const rejected_event& x, const log_entry& entry, std::uint64_t config_hash) {
  dead_letter letter;
  letter.feed = entry.events ? entry.events->feed : x.event.provider;
  letter.seen_ts = entry.log_ts;
  letter.code = x.code;
  auto id = event_id({x.event.provider, x.event.symbol}, x.event.src_ts, x.event.seq);
  letter.reason = x.code == errc::late
                    ? id + " came " + std::to_string(x.lateness / millisecond) + " ms after its bars were closed"
                    : id + " would make the sums of its bar overflow";
  letter.stage = "window";
  letter.cause_topic = std::string{to_string(topic::events)};
  letter.cause_offset = x.offset;
  letter.config_hash = config_hash;
  event_batch one;
  one.ingest_ts = x.event.ingest_ts;
  one.keys = std::make_shared<std::vector<series_key>>(1, series_key{x.event.provider, x.event.symbol});
  one.intervals.push_back(x.event.interval);
  event_row row{x.event.src_ts, x.event.seq, x.event.values, 0, x.event.kind, 1};
  append_tick_json(letter.bytes, one, row, std::to_string(x.offset));
  return letter;
}

// To the topic it belongs to.
void pass_on(const std::vector<derived>& healed, stage_step& step) {
  step.is_healed = true;
  for (auto& item : healed) {
    auto is_vector = std::holds_alternative<feature_vector>(item), is_signal = std::holds_alternative<signal>(item);
    (is_vector ? step.features : is_signal ? step.signals : step.bars).push_back(item);
  }
}

// A stage that is there obeys new rules; one that is not begins with them.
template <class Stage, class Rules>
expected<void> change_over(std::optional<Stage>& stage, const std::string& saved_rules) {
  if (saved_rules.empty()) {
    stage.reset();
    return {};
  }
  auto rules = Rules::load(saved_rules);
  if (!rules) return tl::unexpected{rules.error()};
  if (stage)
    stage->on_rules(*rules);
  else
    stage.emplace(std::move(*rules));
  return {};
}

template <class Stage> expected<void> load_into(std::optional<Stage>& stage, std::string_view state) {
  stage.reset();
  if (state.empty()) return {};
  auto loaded = Stage::load(state);
  if (!loaded) return tl::unexpected{loaded.error()};
  stage.emplace(std::move(*loaded));
  return {};
}

} // namespace

expected<stage_step> window_stage::apply(const log_entry& entry) {
  stage_step step;
  step.cause = entry.offset;
  step.log_ts = entry.log_ts;
  auto kind = static_cast<record_kind>(entry.kind);
  if (kind == record_kind::start || kind == record_kind::rules) {
    auto rules = bar_rules::load(entry.rules.bars);
    if (!rules) return tl::unexpected{rules.error()};
    step.rules = entry.rules;
    if (!stage_)
      stage_.emplace(std::move(*rules));
    else if (kind == record_kind::start)
      stage_->on_start(entry.log_ts, *rules);
    else
      stage_->on_rules(*rules);
  }
  if (!stage_) return fail(errc::corrupt_record, "the log does not begin with its rules");
  if (kind == record_kind::events) stage_->on_events(entry.offset, entry.log_ts, *entry.events);
  if (kind == record_kind::source) stage_->on_source(entry.log_ts, entry.source);
  // What a model said is no event, but time has passed when it did.
  if (kind == record_kind::clock || kind == record_kind::answers) stage_->on_clock(entry.log_ts);
  if (kind == record_kind::backfill) stage_->on_backfill(*entry.events);
  if (kind == record_kind::taken_over) stage_->on_taken_over(entry.taken_over);
  step.answered = entry.answered;
  auto output = stage_->take_output();
  step.bars = std::move(output.records);
  if (kind == record_kind::healed) pass_on(entry.healed, step);
  for (auto& x : output.rejected) {
    step.rejected.push_back(letter_of(x, entry, stage_->rules().config_hash));
    if (x.code == errc::late) step.late_by.push_back(x.lateness);
  }
  return step;
}

expected<void> window_stage::load(std::string_view state) { return load_into(stage_, state); }

// The bars that a change of rules closes were made by the old ones, and so are their features.
expected<void> features_stage::apply(stage_step& step) {
  if (step.set_aside_from && *step.set_aside_from <= line_stage::features) return {};
  if (stage_ && step.is_healed) {
    stage_->on_healed(step.bars, step.features);
    for (auto& vector : stage_->take_output()) step.features.emplace_back(std::move(vector));
  } else if (stage_) {
    for (auto& item : step.bars)
      if (auto* made = std::get_if<bar>(&item)) stage_->on_bar(*made);
    for (auto& vector : stage_->take_output()) step.features.emplace_back(std::move(vector));
  }
  return step.rules ? obey(*step.rules) : expected<void>{};
}

expected<void> features_stage::obey(const stage_rules& rules) {
  return change_over<feature_stage, feature_rules>(stage_, rules.features);
}

expected<void> features_stage::load(std::string_view state) { return load_into(stage_, state); }

expected<void> inference_stage::apply(stage_step& step) {
  if (step.set_aside_from) return {};
  if (stage_ && !step.is_healed) {
    for (auto& item : step.features)
      if (auto* vector = std::get_if<feature_vector>(&item)) stage_->on_features(*vector);
    for (auto& made : stage_->take_output()) step.signals.emplace_back(std::move(made));
  }
  if (step.answered) {
    answers_.on_answers(*step.answered);
    for (auto& made : answers_.take_output()) step.signals.emplace_back(std::move(made));
  }
  return step.rules ? obey(*step.rules) : expected<void>{};
}

expected<void> inference_stage::obey(const stage_rules& rules) {
  return change_over<rule_stage, rule_book>(stage_, rules.signals);
}

// Of rules alone it is what it was before there were models.
std::string inference_stage::save() const {
  auto rules = stage_ ? stage_->save() : std::string{};
  if (answers_.is_empty()) return rules;
  std::string bytes;
  byte_writer out{bytes};
  out.number(rules_and_models);
  out.text(rules);
  out.text(answers_.save());
  return bytes;
}

expected<void> inference_stage::load(std::string_view state) {
  answers_ = {};
  if (byte_reader in{state}; state.empty() || in.number() != rules_and_models) return load_into(stage_, state);
  byte_reader in{state};
  in.number();
  auto rules = in.text(), models = in.text();
  if (!in.done()) return fail(errc::corrupt_record, "the checkpoint of signals is cut, or bytes follow it");
  auto loaded = answer_stage::load(models);
  if (!loaded) return tl::unexpected{loaded.error()};
  answers_ = std::move(*loaded);
  return load_into(stage_, rules);
}

expected<stage_step> partition_stages::apply(const log_entry& entry) {
  auto step = window_.apply(entry);
  if (!step) return step;
  step->set_aside_from = aside_.from(entry.offset);
  if (auto added = features_.apply(*step); !added) return tl::unexpected{added.error()};
  if (auto added = inference_.apply(*step); !added) return tl::unexpected{added.error()};
  return step;
}

expected<void> partition_stages::obey(const stage_rules& rules) {
  if (auto changed = features_.obey(rules); !changed) return changed;
  return inference_.obey(rules);
}

expected<void> partition_stages::load(const stage_states& states) {
  if (auto loaded = window_.load(states.window); !loaded) return loaded;
  if (auto loaded = features_.load(states.features); !loaded) return loaded;
  return inference_.load(states.inference);
}

} // namespace finstream
