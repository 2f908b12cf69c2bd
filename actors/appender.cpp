#include "actors/appender.hpp"

#include "messages/codec/msgpack.hpp"
#include "messages/planted.hpp"
#include "messages/value/bytes.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <chrono>

namespace finstream {

namespace {
constexpr auto retry_pause = std::chrono::milliseconds{500};
} // namespace

appender_state::~appender_state() {
  if (recovered_) --context_->figures->partitions_recovered;
}

void appender_state::prepare(node_context* context, std::uint16_t partition) {
  context_ = context;
  partition_ = partition;
  path_ = partition_path(partition, "appender");
  writes_events_ = context->duties.events;
  writes_outputs_ = context->works_on(partition);
}

appender_state::interface::behavior_type appender_state::behavior() {
  recover();
  self_->delayed_send(self_, std::chrono::milliseconds{context_->config->windows.clock_interval_ms}, verb::pulse_v);
  return {
    [this](verb::append, const chunk_part_ptr& what, std::uint64_t number, const append_listener& from) {
      on_append(what, number, from);
    },
    [this](verb::append, const lane_part_ptr& what, std::uint64_t, const append_listener& from) {
      take(past{what, from});
    },
    [this](verb::pull, std::uint64_t offset, const entry_reader& reader) { on_pull(offset, reader); },
    [this](verb::pull, derived_topic where, std::uint64_t offset, const derived_reader& reader) {
      on_pull(where, offset, reader);
    },
    [this](verb::commit, const stage_result_ptr& what, const commit_listener& from) {
      take(result{what, from});
    },
    [this](verb::answer, const answers_ptr& what, const answer_listener& from) {
      take(model_answer{what, from});
    },
    [this](verb::set_aside, const set_aside_ptr& what, const set_aside_listener& from) {
      take(aside{what, from});
    },
    [this](verb::obey) {
      if (writes_events_) take(rules_change{});
    },
    [this](verb::grown) { on_grown(); },
    [this](verb::pulse) { on_pulse(); },
    [this](verb::stop) { self_->quit(); },
    [this](verb::status) { return status(); },
  };
}

// ---- start

// Finds the log's end, and which events the last stretch of it holds, so that they are known again. Throws on a log
// that cannot be read: the supervisor says so and, after some tries, gives up with that reason.
void appender_state::recover() {
  written_ = &context_->metrics->log_records(partition_);
  write_seconds_ = &context_->metrics->write_seconds();
  auto range = context_->log->range(topic::events, partition_);
  if (!range) throw std::runtime_error("the log's range: " + range.error().message);
  next_event_ = range->next;
  derived_.emplace(context_, partition_);
  if (auto known = derived_->recover(); !known) throw std::runtime_error("the outputs' ends: " + known.error().message);
  if (auto pruned = prune_set_aside(*context_->log, partition_); !pruned)
    log::warning(path_, "what was set aside and is gone cannot be forgotten: {}", pruned.error().message);
  if (!writes_events_) return become_ready();
  recover_events(*range);
  expect_windows();
  // That the node has started is said once. The successor of an appender that crashed has nothing to say: its feeds
  // have gone on and hold what was not confirmed, so nothing was missed, and the bars must not claim it.
  if (context_->figures->rules_said.at(partition_) == 0) {
    take(node_start{});
  } else {
    become_ready();
    take(rules_change{});
  }
}

void appender_state::become_ready() {
  recovered_ = true;
  ++context_->figures->partitions_recovered;
}

// ---- writing

void appender_state::on_append(chunk_part_ptr what, std::uint64_t number, append_listener from) {
  part x{what, nullptr, what->raw, number, std::move(from)};
  if (what->events) x.fresh = without_duplicates(what->events);
  if (x.raw && !duplicates_.empty()) x.raw = std::make_shared<raw_lines>(x.raw->without(duplicates_));
  take(std::move(x));
}

batch_ptr appender_state::without_duplicates(const batch_ptr& events) {
  memory_->insert(*events, duplicates_);
  if (duplicates_.empty()) return events;
  context_->figures->duplicates += duplicates_.size();
  context_->metrics->duplicates(events->feed).add(duplicates_.size());
  if (duplicates_.size() == events->rows.size()) return nullptr;
  auto fresh = std::make_shared<event_batch>();
  fresh->feed = events->feed;
  fresh->ingest_ts = events->ingest_ts;
  fresh->keys = events->keys;
  fresh->intervals = events->intervals;
  fresh->rows.reserve(events->rows.size() - duplicates_.size());
  auto skip = duplicates_.begin();
  for (std::uint32_t i = 0; i < events->rows.size(); ++i)
    if (skip != duplicates_.end() && *skip == i)
      ++skip;
    else
      fresh->rows.push_back(events->rows[i]);
  return fresh;
}

void appender_state::take(work what) {
  pending_.push_back(std::move(what));
  if (!stalled_) write_pending();
}

void appender_state::write_pending() {
  while (!pending_.empty()) {
    if (!std::visit([this](auto& x) { return write(x); }, pending_.front())) return;
    pending_.pop_front();
  }
  serve_readers();
}

// A part that is sent again because its confirmation was lost with a crash is confirmed, not written again.
bool appender_state::is_written(const part& x) {
  auto at = last_part_.find(x.what->feed);
  if (at == last_part_.end()) {
    auto saved = context_->log->get(feeds_table, last_part_key(x.what->feed));
    if (!saved) throw std::runtime_error("which part of a feed was the last: " + saved.error().message);
    at = last_part_.emplace(x.what->feed, part_number{}).first;
    if (*saved) {
      byte_reader in{**saved};
      at->second = {in.number(), in.number()};
    }
  }
  return !planted(fault::forgets_last_part) && at->second.sender == x.what->sender && x.number <= at->second.number;
}

std::string appender_state::last_part_key(const std::string& feed) const {
  return "last_part/" + std::to_string(partition_) + "/" + feed;
}

bool appender_state::write(part& x) {
  if (is_written(x)) return self_->send(x.from, verb::appended_v, partition_, x.number), true;
  if (planted(fault::confirms_before_writing)) self_->send(x.from, verb::appended_v, partition_, x.number);
  if (planted(fault::saves_resume_point_first) && x.what->resume)
    context_->log->write({{}, {{feeds_table, x.what->feed, pack_resume_point(*x.what->resume)}}, {}});
  transaction tx;
  std::vector<std::shared_ptr<log_entry>> entries;
  auto log_ts = next_log_ts();
  auto add_source = [&](const source_event& what) {
    tx.appends.push_back(source_record(partition_, log_ts, what));
    auto entry = std::make_shared<log_entry>();
    entry->source = what;
    entries.push_back(std::move(entry));
  };
  for (auto& s : x.what->before) add_source(s);
  if (x.fresh) {
    tx.appends.push_back(events_record(partition_, log_ts, *x.fresh));
    auto entry = std::make_shared<log_entry>();
    entry->events = x.fresh;
    entries.push_back(std::move(entry));
  }
  for (auto& s : x.what->after) add_source(s);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i]->count = tx.appends[i].count;
    entries[i]->kind = static_cast<std::uint8_t>(tx.appends[i].kind);
    entries[i]->log_ts = log_ts;
  }
  if (x.raw && x.fresh)
    tx.appends.push_back(lines_record(partition_, log_ts, next_event_ + x.what->before.size(), *x.raw));
  letters_->add_to(tx, x.what->dead_letters, log_ts);
  std::string last_part;
  byte_writer out{last_part};
  out.number(x.what->sender), out.number(x.number);
  tx.writes.push_back({feeds_table, last_part_key(x.what->feed), last_part});
  if (x.what->resume) tx.writes.push_back({feeds_table, x.what->feed, pack_resume_point(*x.what->resume)});
  std::vector<std::uint64_t> offsets;
  if (!put(std::move(tx), offsets)) return false;
  last_part_[x.what->feed] = {x.what->sender, x.number};
  if (x.fresh) context_->figures->events += x.fresh->rows.size(), expect_windows();
  context_->figures->dead_letters += x.what->dead_letters.size();
  letters_->on_written();
  remember(std::move(entries), offsets);
  self_->send(x.from, verb::appended_v, partition_, x.number);
  return true;
}

bool appender_state::write(result& x) {
  if (!writes_events_)
    for (auto& step : x.what->steps) last_log_ts_ = std::max(last_log_ts_, step.log_ts);
  if (!x.output) x.output = derived_->take(*x.what);
  transaction tx;
  derived_->add_to(tx, *x.output, last_log_ts_);
  std::vector<std::uint64_t> offsets;
  if (!put(std::move(tx), offsets)) return false;
  derived_->on_written(*x.output, offsets);
  open_windows_ = x.what->open_windows;
  self_->send(x.from, verb::committed_v, x.what->dealt_with);
  return true;
}

// One that was handed in twice, because its confirmation was lost, does not begin where the one before it ended.
bool appender_state::write(model_answer& x) {
  auto& model = x.what->model;
  auto at = answered_.find(model);
  if (at == answered_.end()) {
    auto saved = context_->log->get(stage_table, answered_key(partition_, model));
    if (!saved) throw std::runtime_error("how far a model has come: " + saved.error().message);
    at = answered_.emplace(model, *saved ? offset_from_text(**saved) : x.what->features_from).first;
  }
  if (at->second == x.what->features_from) {
    auto entry = std::make_shared<log_entry>();
    entry->kind = static_cast<std::uint8_t>(record_kind::answers);
    entry->log_ts = next_log_ts();
    entry->answered = x.what;
    transaction tx;
    tx.appends.push_back(answers_record(partition_, entry->log_ts, *x.what));
    tx.writes.push_back({stage_table, answered_key(partition_, model), offset_text(x.what->features_until)});
    std::vector<std::uint64_t> offsets;
    if (!put(std::move(tx), offsets)) return false;
    at->second = x.what->features_until;
    remember({entry}, offsets);
  }
  self_->send(x.from, verb::answered_v, partition_, at->second);
  return true;
}

bool appender_state::write(node_start&) {
  if (!write_rules(record_kind::start)) return false;
  become_ready();
  return true;
}

bool appender_state::write(rules_change&) {
  if (planted(fault::rules_change_is_forgotten)) return true;
  auto is_said = context_->figures->rules_said.at(partition_) == context_->rules->get().second;
  return is_said || write_rules(record_kind::rules);
}

bool appender_state::write_rules(record_kind kind) {
  auto [rules, number] = context_->rules->get();
  if (!write_mark(kind, rules)) return false;
  context_->figures->rules_said.at(partition_) = number;
  return true;
}

bool appender_state::write(time_passed&) { return write_mark(record_kind::clock, {}); }

// A record that holds no events.
bool appender_state::write_mark(record_kind kind, const stage_rules& rules) {
  auto entry = std::make_shared<log_entry>();
  entry->kind = static_cast<std::uint8_t>(kind);
  entry->rules = rules;
  auto payload = kind == record_kind::clock ? std::string{} : to_msgpack(rules);
  entry->log_ts = next_log_ts();
  transaction tx;
  tx.appends.push_back({topic::events, partition_, kind, 1, entry->log_ts, std::move(payload)});
  std::vector<std::uint64_t> offsets;
  if (!put(std::move(tx), offsets)) return false;
  remember({entry}, offsets);
  return true;
}

bool appender_state::put(transaction tx, std::vector<std::uint64_t>& offsets) {
  if (tx.appends.empty() && tx.writes.empty() && tx.commits.empty()) return true;
  auto began = context_->time->monotonic();
  auto next_event = next_event_, next_letter = next_letter_;
  for (auto& x : tx.appends) {
    if (x.where == topic::events) next_event += x.count;
    if (x.where == topic::dead_letters) next_letter += x.count;
  }
  auto records = tx.appends.size();
  auto receipt = context_->log->write(std::move(tx));
  write_seconds_->observe(static_cast<double>(context_->time->monotonic() - began) / 1e9);
  if (!receipt) {
    ensure(receipt.error().code != errc::invalid_argument,
           receipt.error().message.c_str()); // the world's faults pass, ours do not
    if (!stalled_) log::error(path_, "writing to the log fails, the feeds wait: {}", receipt.error().message);
    context_->metrics->errors("appender", std::string{to_string(receipt.error().code)}).add();
    stalled_ = true;
    self_->delayed_send(self_, retry_pause, verb::pulse_v);
    return false;
  }
  if (stalled_) log::info(path_, "the log can be written again");
  stalled_ = false;
  written_->add(records);
  next_event_ = next_event, next_letter_ = next_letter;
  offsets = std::move(receipt->offsets);
  return true;
}

timestamp appender_state::next_log_ts() {
  if (planted(fault::clock_goes_back)) return last_log_ts_ = context_->time->now();
  last_log_ts_ = std::max(last_log_ts_, context_->time->now()); // never back, whatever the machine's clock does
  return last_log_ts_;
}

// A write that failed may have reached the disk all the same: then the log holds more than this actor knows of, and a
// new one that reads its end must go on. What was not confirmed comes to that one again.
void appender_state::try_again() {
  if (planted(fault::retries_blindly)) return write_pending();
  auto& log = *context_->log;
  auto events_agree = !writes_events_ || (ends_at(log, topic::events, partition_, next_event_) &&
                                          ends_at(log, topic::dead_letters, partition_, next_letter_));
  if (!events_agree || (writes_outputs_ && !derived_->agrees_with_log()))
    throw std::runtime_error("a write that failed is in the log after all: going on from what it holds");
  write_pending();
}

void appender_state::on_pulse() {
  if (stalled_) return try_again();
  trim_what_is_followed();
  auto interval = context_->config->windows.clock_interval_ms;
  self_->delayed_send(self_, std::chrono::milliseconds{interval}, verb::pulse_v);
  if (is_time_to_pass() && context_->time->now() - last_log_ts_ >= interval * millisecond) take(time_passed{});
}

// ---- reading

void appender_state::remember(std::vector<std::shared_ptr<log_entry>> entries,
                              const std::vector<std::uint64_t>& offsets) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i]->offset = offsets[i];
    recent_.push_back(std::move(entries[i]));
  }
  while (recent_.size() > context_->config->limits.recent_batches) recent_.pop_front();
}

void appender_state::on_pull(std::uint64_t offset, entry_reader reader) {
  if (offset >= next_event_) return void(readers_.push_back({offset, std::move(reader)}));
  fresh_entries answer{partition_, false, {}};
  answer.behind = recent_.empty() || offset < recent_.front()->offset;
  if (!answer.behind)
    std::copy_if(recent_.begin(), recent_.end(), std::back_inserter(answer.entries),
                 [&](auto& e) { return e->offset >= offset; });
  self_->send(reader, std::move(answer));
}

void appender_state::on_pull(derived_topic where, std::uint64_t offset, derived_reader reader) {
  if (auto answer = derived_->fresh(where, offset))
    self_->send(reader, std::move(*answer));
  else
    derived_readers_.push_back({where, offset, std::move(reader)});
}

void appender_state::serve_readers() {
  for (auto& w : std::exchange(readers_, {})) on_pull(w.offset, std::move(w.reader));
  for (auto& w : std::exchange(derived_readers_, {})) on_pull(w.where, w.offset, std::move(w.reader));
}

status_report appender_state::status() const {
  return {path_,
          fmt::format(R"({{"next":{},"dealt_with":{},"next_bar":{},"remembered_events":{},"stalled":{},"pending":{}}})",
                      next_event_, derived_->dealt_with(), derived_->next(derived_topic::bars),
                      memory_ ? memory_->size() : 0, stalled_, pending_.size())};
}

} // namespace finstream
