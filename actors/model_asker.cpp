#include "actors/model_asker.hpp"

#include "actors/answer_rows.hpp"
#include "actors/log_entries.hpp"
#include "messages/codec/json.hpp"
#include "messages/schema/schema.hpp"
#include "messages/value/excerpt.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <utility>

namespace finstream {

namespace {
constexpr auto pulse_every = std::chrono::milliseconds{500}; // an idle node is idle
constexpr std::size_t catch_up_read_bytes = 1u << 20;
constexpr std::size_t most_reason_bytes = 200; // of why there is no answer, in the log
} // namespace

// What is asked about at once: vectors that follow each other in a partition's topic.
struct model_asker_state::batch {
  std::uint64_t until = 0;
  std::vector<answer_row> rows;
  model_batch values;
  bool full = false;
};

void model_asker_state::prepare(node_context* context, served_model* served) {
  context_ = context;
  served_ = served;
  path_ = "/consumers/models/" + served->what->name();
}

model_asker_state::interface::behavior_type model_asker_state::behavior() {
  recover();
  self_->set_down_handler([this](const caf::down_msg& down) {
    for (auto& x : streams_)
      if (x.appender == down.source) x.appender = nullptr, x.pulling = false;
  });
  self_->send(self_, verb::pulse_v);
  return {
    [this](verb::pulse) { on_pulse(); },
    [this](const fresh_derived& fresh) { on_vectors(fresh); },
    [this](verb::answered, std::uint16_t partition, std::uint64_t until) { on_answered(partition, until); },
    [this](verb::stop) { self_->quit(); },
    [this](verb::status) { return status(); },
  };
}

// Goes on where it was; a model that is new begins with the oldest vectors there are, and passes over what is too old.
void model_asker_state::recover() {
  auto& limits = context_->config->inference.models;
  auto& model = served_->what->name();
  breaker_limits breaker;
  breaker.failures_in_a_row = limits.breaker_failures;
  breaker.open_for = limits.breaker_open_ms * millisecond;
  breaker_.emplace(breaker);
  auto row_bytes = served_->what->features().size() * sizeof(double);
  most_rows_ = std::min<std::size_t>(limits.max_batch_rows, std::max<std::size_t>(1, max_batch_bytes / row_bytes));
  seconds_ = &context_->metrics->inference_seconds(model);
  breaker_figure_ = &context_->metrics->model_breaker(model);
  lag_figure_ = &context_->metrics->model_lag_items(model);
  streams_.resize(static_cast<std::size_t>(context_->config->partitions));
  for (std::uint16_t p = 0; p < streams_.size(); ++p) {
    auto saved = context_->log->get(stage_table, answered_key(p, model));
    if (!saved) throw std::runtime_error("how far the model has come: " + saved.error().message);
    auto range = context_->log->range(topic::features, p);
    if (!range) throw std::runtime_error("where features begin: " + range.error().message);
    streams_[p].next = *saved ? offset_from_text(**saved) : range->head;
  }
}

void model_asker_state::on_pulse() {
  self_->delayed_send(self_, pulse_every, verb::pulse_v);
  lag_figure_->set(static_cast<double>(lag()));
  for (std::uint16_t p = 0; p < streams_.size(); ++p) pull(p);
}

void model_asker_state::pull(std::uint16_t partition) {
  auto& x = streams_[partition];
  auto appender = context_->where->find_as<appender_actor>(partition_path(partition, "appender"));
  if (!appender) return;
  auto is_new = x.appender != appender.address();
  if (is_new) {
    x.appender = appender.address();
    x.pulling = false;
    self_->monitor(appender);
  }
  if (x.underway) {
    if (is_new) send(partition); // it may not have come to the one before; written twice it is not
    return;
  }
  if (x.pulling || pass_over_what_is_old(partition)) return;
  x.pulling = true;
  self_->send(appender, verb::pull_v, derived_topic::features, x.next, derived_reader{self_});
}

// A prediction for a bar that is long gone is of no use, and would keep those that are from being made.
bool model_asker_state::pass_over_what_is_old(std::uint16_t partition) {
  auto& x = streams_[partition];
  auto range = context_->log->range(topic::features, partition);
  if (!range || x.next >= range->next) return false;
  auto oldest = context_->time->now() - context_->config->inference.models.max_age_ms * millisecond;
  auto young = context_->log->offset_at(topic::features, partition, oldest);
  if (!young) return false;
  auto until = std::max(*young, range->head);
  if (until <= x.next) return false;
  auto passed = blank(x.next, until);
  passed.outcome = ask_outcome::too_old;
  context_->metrics->model_passed_over(passed.model, "too_old").add(until - x.next);
  hand_in(partition, std::move(passed));
  return true;
}

void model_asker_state::on_vectors(const fresh_derived& fresh) {
  auto& x = streams_[fresh.partition];
  x.pulling = false;
  if (x.underway || pass_over_what_is_old(fresh.partition)) return;
  auto found = gather(fresh.partition, fresh);
  if (found.until == x.next) return pull(fresh.partition);
  auto out = blank(x.next, found.until);
  ask(out, found);
  hand_in(fresh.partition, std::move(out));
}

// As many as are there, up to a call's limit; from the log where memory does not hold them any more, or where the last
// batch ended within a record.
model_asker_state::batch model_asker_state::gather(std::uint16_t partition, const fresh_derived& fresh) const {
  batch out;
  out.until = streams_[partition].next;
  out.values.columns = served_->what->features().size();
  if (!fresh.behind && !fresh.records.empty() && fresh.records.front()->offset == out.until) {
    for (auto& record : fresh.records) add(out, *record);
    return out;
  }
  auto records = context_->log->read(topic::features, partition, out.until, catch_up_read_bytes);
  if (!records) throw std::runtime_error("reading features: " + records.error().message);
  for (auto& r : *records) {
    auto record = to_derived_record(r);
    if (!record) throw std::runtime_error("reading features: " + record.error().message);
    add(out, **record);
  }
  return out;
}

void model_asker_state::add(batch& to, const derived_record& record) const {
  for (std::size_t i = 0; i < record.items.size() && !to.full; ++i) {
    auto offset = record.offset + i;
    if (offset < to.until) continue;
    auto* vector = std::get_if<feature_vector>(&record.items[i]);
    // As of rules: a vector is asked about once, when it comes first.
    if (vector != nullptr && vector->revision == 0) {
      if (to.rows.size() == most_rows_) return void(to.full = true);
      to.rows.push_back(to_answer_row(*vector, offset, served_->what->features(), to.values.values));
    }
    to.until = offset + 1;
  }
}

void model_asker_state::ask(answers& about, batch& found) {
  // Revisions, all of them; or before the first features are defined. That says nothing of the model's health.
  if (!can_be_answered(served_->what->card(), found.values)) {
    about.rows = std::move(found.rows);
    return;
  }
  auto leave = breaker_->allow(context_->time->monotonic());
  if (!leave) {
    about.outcome = ask_outcome::breaker_open;
    about.reason = cut_text(breaker_->reason(), most_reason_bytes);
    context_->metrics->model_passed_over(about.model, "breaker_open").add(found.rows.size());
    return;
  }
  auto began = system_clock().monotonic();
  auto said = served_->what->predict(found.values, began + served_->deadline);
  seconds_->observe(static_cast<double>(system_clock().monotonic() - began) / 1e9);
  ++calls_;
  if (said) {
    breaker_->succeeded(*leave, context_->time->monotonic());
    add_predictions(found.rows, served_->what->card(), found.values, *said);
    about.rows = std::move(found.rows);
    context_->metrics->model_calls(about.model, "answered").add();
  } else {
    about.outcome = ask_outcome::failed;
    about.error = said.error().code;
    about.reason = last_failure_ = cut_text(said.error().message, most_reason_bytes);
    ++failures_;
    breaker_->failed(*leave, context_->time->monotonic(), about.reason);
    context_->metrics->model_calls(about.model, std::string{to_string(about.error)}).add();
    context_->metrics->model_passed_over(about.model, "failed").add(found.rows.size());
    if (auto told = failures_told_.add(1, context_->time->monotonic()))
      log::warning(path_, "{} calls failed, the last: {}", *told, about.reason);
  }
  see_breaker();
}

answers model_asker_state::blank(std::uint64_t from, std::uint64_t until) const {
  auto& card = served_->what->card();
  answers out;
  out.model = card.name;
  out.kind = to_string(card.kind);
  out.maker = card.maker();
  out.signal_name = card.signal_name;
  out.threshold = card.threshold;
  out.level = served_->level;
  out.cooldown = served_->cooldown;
  out.features_from = from;
  out.features_until = until;
  out.schema = signal_schema_hash();
  out.config_hash = served_->config_hash;
  return out;
}

void model_asker_state::hand_in(std::uint16_t partition, answers what) {
  streams_[partition].underway = std::make_shared<const answers>(std::move(what));
  send(partition);
}

// Where the appender is away, it is sent to its successor.
void model_asker_state::send(std::uint16_t partition) {
  if (auto appender = context_->where->find_as<appender_actor>(partition_path(partition, "appender")))
    self_->send(appender, verb::answer_v, streams_[partition].underway, answer_listener{self_});
}

// What a second confirmation of an earlier one says is known already.
void model_asker_state::on_answered(std::uint16_t partition, std::uint64_t until) {
  auto& x = streams_[partition];
  if (!x.underway || until <= x.underway->features_from) return;
  x.underway.reset();
  x.next = until;
  pull(partition);
}

// ---- figures

// What the breaker does is told once, when it changes.
void model_asker_state::see_breaker() {
  auto now = breaker_->state();
  breaker_figure_->set(static_cast<double>(now));
  if (now == std::exchange(told_, now) || now == breaker_state::half_open) return;
  auto what = now == breaker_state::open ? "is not asked for a while: " + breaker_->reason() : "answers again";
  if (now == breaker_state::open)
    log::error(path_, "the model {}; rules go on alone", what);
  else
    log::info(path_, "the model {}", what);
  if (auto hub = context_->where->find_as<hub_actor>("/hub"))
    self_->send(hub, sys_event{sys_kind::model, context_->time->now(), path_, what});
}

std::uint64_t model_asker_state::lag() const {
  std::uint64_t out = 0;
  for (std::uint16_t p = 0; p < streams_.size(); ++p)
    if (auto range = context_->log->range(topic::features, p); range && range->next > streams_[p].next)
      out += range->next - streams_[p].next;
  return out;
}

status_report model_asker_state::status() const {
  auto health = served_->what->health();
  auto& card = served_->what->card();
  auto text = [](std::string_view from) {
    std::string out;
    append_json_string(out, from);
    return out;
  };
  return {path_, fmt::format(R"({{"kind":"{}","model_hash":"{}","maker":"{}","ready":{},"starts":{},"breaker":"{}",)"
                             R"("calls":{},"failures":{},"lag_items":{},"last_failure":{},"trouble":{}}})",
                             to_string(card.kind), hash_hex(card.model_hash), hash_hex(card.maker()), health.ready,
                             health.starts, to_string(breaker_->state()), calls_, failures_, lag(), text(last_failure_),
                             text(health.trouble))};
}

} // namespace finstream
