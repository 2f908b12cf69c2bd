#include "actors/ingestor.hpp"

#include "messages/codec/json.hpp"
#include "messages/planted.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <chrono>

namespace finstream {

void ingestor_state::prepare(node_context* context, const feed_settings* feed, child_starter start_process) {
  context_ = context;
  feed_ = feed;
  start_process_ = std::move(start_process);
  path_ = "/feeds/" + feed->name;
}

ingestor_state::interface::behavior_type ingestor_state::behavior() {
  auto& b = feed_->backoff;
  backoff_.emplace(backoff_rules{b.initial_ms * millisecond, b.max_ms * millisecond, b.healthy_after_ms * millisecond,
                                 b.crash_limit, b.crash_period_ms * millisecond},
                   context_->seed ^ std::hash<std::string>{}(feed_->name));
  auto& m = *context_->metrics;
  events_ = &m.events_ingested(feed_->name);
  lines_ = &m.feed_lines(feed_->name);
  restarts_ = &m.feed_restarts(feed_->name);
  up_ = &m.feed_up(feed_->name);
  job_.emplace(context_, job_kind::produce, path_);
  appenders_.resize(static_cast<std::size_t>(context_->config->partitions));
  appender_lost_.resize(appenders_.size(), false);
  self_->set_down_handler([this](const caf::down_msg& down) { on_appender_down(down); });
  start();
  pulse_later();
  return {
    [this](const feed_lines& what) { on_lines(what); },
    [this](const feed_long_line& what) { on_long_line(what); },
    [this](const feed_error_line& what) { on_error_line(what); },
    [this](const feed_exit& what) { on_exit(what); },
    [this](verb::pulse) { on_pulse(); },
    [this](verb::restart) {
      backoff_->reset();
      if (phase_ == phase::parked || phase_ == phase::finished || phase_ == phase::waiting)
        start();
      else if (process_)
        process_->stop(feed_->stop_grace_ms * millisecond);
    },
    [this](verb::appended, std::uint16_t partition, std::uint64_t number) { on_appended(partition, number); },
    [this](verb::grant, std::uint64_t run, std::uint32_t requests) { on_grant(run, requests); },
    [this](verb::stop) { on_stop(); },
    [this](verb::status) { return status(); },
  };
}

// ---- its output

void ingestor_state::on_lines(const feed_lines& what) {
  if (what.run != run_) return;
  take(parser_->parse(what.lines, what.read_at), 1);
}

void ingestor_state::on_long_line(const feed_long_line& what) {
  if (what.run != run_) return;
  parsed_chunk parsed;
  parsed.dead_letters.push_back(parser_->give_up_line(what.first_bytes, what.total_bytes, context_->time->now()));
  take(std::move(parsed), 1);
}

void ingestor_state::on_error_line(const feed_error_line& what) {
  if (what.run != run_) return;
  // "ERROR: text", "warn text", "INFO [x] text": the level comes first, if at all.
  std::string word;
  for (char c : what.line.substr(0, 8)) {
    if (std::isalpha(static_cast<unsigned char>(c)) == 0) break;
    word += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  auto at = word == "ERROR" || word == "FATAL" || word == "CRITICAL" ? log::level::error
            : word == "WARN" || word == "WARNING"                    ? log::level::warning
            : word == "DEBUG" || word == "TRACE"                     ? log::level::debug
                                                                     : log::level::info;
  if (log::enabled(at)) log::write(at, path_, what.line);
}

void ingestor_state::take(parsed_chunk parsed, int credit) {
  lines_->add(parsed.lines);
  events_->add(parsed.events);
  run_events_ += parsed.events;
  note_bad_lines(parsed.dead_letters);
  if (!parsed.paces.empty()) on_paces(parsed.paces);
  auto greeted = std::any_of(parsed.controls.begin(), parsed.controls.end(), [](auto& c) { return c.hello; });
  if (greeted || parsed.events != 0) become_ready();

  std::vector<std::shared_ptr<chunk_part>> parts(appenders_.size());
  auto part = [&](std::size_t p) -> chunk_part& {
    if (!parts[p]) parts[p] = std::make_shared<chunk_part>();
    return *parts[p];
  };
  for (std::size_t p = 0; p < parsed.batches.size(); ++p)
    if (parsed.batches[p]) part(p).events = std::move(parsed.batches[p]);
  for (std::size_t p = 0; p < parsed.lines_of_events.size(); ++p)
    if (parsed.lines_of_events[p]) part(p).raw = std::move(parsed.lines_of_events[p]);
  for (auto& control : parsed.controls) {
    said_eof_ = said_eof_ || control.event.change == source_change::eof;
    // A hole is known before the events that close windows over it.
    auto comes_first = control.hello || control.event.change == source_change::gap;
    for (std::size_t p = 0; p < parts.size(); ++p)
      (comes_first ? part(p).before : part(p).after).push_back(control.event);
  }
  if (!parsed.dead_letters.empty()) part(0).dead_letters = std::move(parsed.dead_letters);
  hand_over(std::move(parts), parsed.has_resume ? std::optional{parsed.resume} : std::nullopt, credit);
}

void ingestor_state::note_bad_lines(const std::vector<dead_letter>& letters) {
  for (auto& letter : letters) context_->metrics->errors("ingestor", std::string{to_string(letter.code)}).add();
  bad_lines_ += letters.size();
  if (!letters.empty()) last_bad_line_ = letters.back().reason;
  if (auto told = bad_lines_told_.add(letters.size(), context_->time->monotonic()))
    log::warning(path_, "{} bad lines, the last: {}; `finstream dlq list` shows them", *told, last_bad_line_);
}

std::string ingestor_state::why_not_ready() const {
  auto why = fmt::format("not ready: neither a hello nor a valid event within {} ms", feed_->ready_timeout_ms);
  return bad_lines_ == 0 ? why : fmt::format("{}, but {} bad lines, the last: {}", why, bad_lines_, last_bad_line_);
}

void ingestor_state::tell_source_change(source_change change, const std::string& reason) {
  std::vector<std::shared_ptr<chunk_part>> parts(appenders_.size());
  for (auto& p : parts) {
    p = std::make_shared<chunk_part>();
    p->after.push_back({feed_->name, feed_->name, change, earliest, earliest, false, reason});
  }
  hand_over(std::move(parts), std::nullopt, 0);
}

void ingestor_state::hand_over(std::vector<std::shared_ptr<chunk_part>> parts, std::optional<resume_point> resume,
                               int credit) {
  auto used = static_cast<std::size_t>(std::count_if(parts.begin(), parts.end(), [](auto& p) { return p != nullptr; }));
  if (used == 0) {
    if (credit != 0 && process_) process_->grant(credit);
    return;
  }
  auto number = next_number_++;
  auto& mine = underway_[number];
  mine.resume = resume;
  mine.credit = credit;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    if (!parts[p]) continue;
    parts[p]->feed = feed_->name;
    parts[p]->sender = context_->seed ^ self_->id();
    // With one partition the order of the log is the order of the lines, so the point goes down with the events
    // themselves. With several, only what all of them have written may be passed over after a restart.
    if (appenders_.size() == 1 || planted(fault::resume_point_without_all))
      parts[p]->resume = resume;
    else if (unsaved_resume_)
      parts[p]->resume = std::exchange(unsaved_resume_, std::nullopt);
    mine.parts.emplace(static_cast<std::uint16_t>(p), parts[p]);
  }
  for (auto& [p, part] : mine.parts) send_part(p, number, part);
}

// A partition gets its parts in order, or events would be late by our own doing. So while one of them may not have
// arrived, none goes past it: all of them wait for the next appender.
void ingestor_state::send_part(std::uint16_t partition, std::uint64_t number, const chunk_part_ptr& part) {
  if (appender_lost_[partition]) return;
  auto appender = context_->where->find_as<appender_actor>(partition_path(partition, "appender"));
  auto& known = appenders_[partition];
  if (!appender || (known && known != appender.address())) return void(appender_lost_[partition] = true);
  if (!known) {
    known = appender.address();
    self_->monitor(appender);
  }
  self_->send(appender, verb::append_v, part, number, append_listener{self_});
}

// An appender that is not there is looked for by its name. The one that crashed may still be listed for a moment.
void ingestor_state::find_successor(std::uint16_t partition) {
  auto appender = context_->where->find_as<appender_actor>(partition_path(partition, "appender"));
  if (!appender || appender.address() == appenders_[partition]) return;
  appenders_[partition] = nullptr;
  appender_lost_[partition] = false;
  if (planted(fault::parts_are_not_sent_again)) return;
  for (auto& [number, waiting] : underway_)
    if (auto at = waiting.parts.find(partition); at != waiting.parts.end()) send_part(partition, number, at->second);
}

void ingestor_state::on_appender_down(const caf::down_msg& down) {
  for (std::size_t p = 0; p < appenders_.size(); ++p)
    if (appenders_[p] == down.source) appender_lost_[p] = true;
}

void ingestor_state::on_appended(std::uint16_t partition, std::uint64_t number) {
  auto at = underway_.find(number);
  if (at == underway_.end() || at->second.parts.erase(partition) == 0)
    return; // confirmed before a crash made us send it again
  if (!at->second.parts.empty()) return;
  if (at->second.credit != 0 && process_) process_->grant(at->second.credit);
  at->second.credit = 0;
  // Chunks are passed over in their order only.
  while (!underway_.empty() && underway_.begin()->second.parts.empty()) {
    if (appenders_.size() > 1 && underway_.begin()->second.resume) unsaved_resume_ = underway_.begin()->second.resume;
    underway_.erase(underway_.begin());
  }
  finish_if_drained();
}

void ingestor_state::save_resume_point() {
  std::vector<std::shared_ptr<chunk_part>> parts(appenders_.size());
  parts[0] = std::make_shared<chunk_part>();
  hand_over(std::move(parts), std::nullopt, 0);
}

// ---- words

void ingestor_state::announce(sys_kind kind, const std::string& reason) {
  if (auto hub = context_->where->find_as<hub_actor>("/hub"))
    self_->send(hub, sys_event{kind, context_->time->now(), path_, reason});
}

std::string ingestor_state::phase_text() const {
  switch (phase_) {
  case phase::waiting: return "waiting";
  case phase::starting: return "starting";
  case phase::up: return "up";
  case phase::stopping: return "stopping";
  case phase::finished: return "finished";
  case phase::parked: return "parked";
  }
  return "unknown";
}

status_report ingestor_state::status() const {
  std::string last_end;
  append_json_string(last_end, last_end_);
  return {
    path_,
    fmt::format(
      R"({{"phase":"{}","pid":{},"starts":{},"events":{},"lines":{},"chunks_underway":{},"blocked_ms":{},"last_end":{}}})",
      phase_text(), process_ ? process_->pid() : 0, run_, events_->value(), lines_->value(), underway_.size(),
      process_ ? process_->blocked_for() / millisecond : 0, last_end)};
}

} // namespace finstream
