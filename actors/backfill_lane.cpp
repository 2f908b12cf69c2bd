#include "actors/backfill_lane.hpp"

#include "runtime/log/log.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/core.h>

namespace finstream {

namespace {
constexpr auto pulse_interval = std::chrono::milliseconds{100};
constexpr std::uint64_t pulses_of_a_look = 10;      // where all that is owed waits for live data
constexpr std::size_t most_waiting_posts = 4;       // each is a body in memory; more are told to come again
constexpr std::int64_t busy_wait_ms = 200;          // till then
constexpr nanoseconds run_ends_after = 10 * second; // without a post
constexpr std::size_t letters_told = 3;             // of the dead letters of a post

void refuse(const backfill_post& post, errc code, std::string why, std::int64_t wait_ms) {
  backfill_answer answer;
  answer.refused = {code, std::move(why)};
  answer.wait_ms = wait_ms;
  post.answer(std::move(answer));
}
} // namespace

backfill_state::~backfill_state() {
  for (auto& post : posts_) refuse(*post, errc::stopped, "the backfill lane has ended: post this again", busy_wait_ms);
}

void backfill_state::prepare(node_context* context) { context_ = context; }

backfill_state::interface::behavior_type backfill_state::behavior() {
  recover();
  self_->set_down_handler([this](const caf::down_msg&) { self_->quit(caf::exit_reason::unhandled_exception); });
  self_->delayed_send(self_, pulse_interval, verb::pulse_v);
  return {
    [this](verb::append, const backfill_post_ptr& post) { on_post(post); },
    [this](verb::pulse) { on_pulse(); },
    [this](verb::appended, std::uint16_t partition, std::uint64_t next) { on_appended(partition, next); },
    [this](verb::stop) {
      end_run("stopped");
      self_->quit();
    },
    [this](verb::status) { return status(); },
  };
}

void backfill_state::recover() {
  for (int p = 0; p < context_->config->partitions; ++p) {
    healers_.emplace_back(*context_->log, static_cast<std::uint16_t>(p));
    learn_what_is_owed(static_cast<std::size_t>(p));
  }
  underway_.by_partition.resize(healers_.size());
  events_ = &context_->metrics->backfilled_events();
  bars_ = &context_->metrics->healed_bars();
  job_.emplace(context_, job_kind::backfill, backfill_path);
  owed_gauge_ = &context_->metrics->owed_windows();
  owed_gauge_->set(static_cast<double>(owed()));
  if (owed() != 0) log::info(backfill_path, "{} windows are still to be healed", owed());
}

// ---- in turn: posts, and every pulse a piece of healing

void backfill_state::on_post(const backfill_post_ptr& post) {
  if (posts_.size() >= most_waiting_posts)
    return refuse(*post, errc::overloaded, "others are backfilling at this moment", busy_wait_ms);
  if (!post->dry_run) {
    if (last_post_at_ == 0) taken_before_ = taken_, job_->begin();
    last_post_at_ = context_->time->monotonic();
  }
  posts_.push_back(post);
  go_on();
}

void backfill_state::on_pulse() {
  self_->delayed_send(self_, pulse_interval, verb::pulse_v);
  heal_due_ = true;
  if (last_post_at_ != 0) job_->go_on(taken_ - taken_before_);
  if (posts_.empty() && context_->time->monotonic() - last_post_at_ >= run_ends_after)
    end_run("all posts are dealt with");
  go_on();
}

// Who posts says nothing at the end, so a run ends when nobody has posted for a while.
void backfill_state::end_run(const char* how) {
  if (std::exchange(last_post_at_, 0) == 0) return;
  job_->go_on(taken_ - taken_before_);
  job_->end(job_status::done, fmt::format("{}; windows still to be healed: {}", how, owed()));
}

void backfill_state::go_on() {
  if (underway_.missing != 0) return;
  if (!is_alone_) return wait_for_predecessor();
  if (std::exchange(heal_due_, false)) heal();
  while (underway_.missing == 0 && !posts_.empty()) answer_next();
}

void backfill_state::learn_what_is_owed(std::size_t partition) {
  if (auto known = healers_[partition].recover(); !known)
    throw std::runtime_error("what is owed: " + known.error().message);
}

// What a lane that died had handed over may still wait for the log: it would not be found there, and be taken a second
// time, and its windows would not be known. What is handed over after it is answered when that is written.
void backfill_state::wait_for_predecessor() {
  for (std::size_t p = 0; p < healers_.size(); ++p)
    if (!context_->where->find(partition_path(static_cast<std::uint16_t>(p), "appender"))) return;
  is_alone_ = true;
  for (std::size_t p = 0; p < healers_.size(); ++p)
    hand_over(static_cast<std::uint16_t>(p), {}, [this, p](std::uint64_t) { learn_what_is_owed(p); });
}

void backfill_state::hand_over(std::uint16_t partition, lane_part part, std::function<void(std::uint64_t)> then) {
  auto appender = context_->where->find_as<appender_actor>(partition_path(partition, "appender"));
  if (!appender) throw std::runtime_error("there is no appender of partition " + std::to_string(partition));
  self_->monitor(appender); // if it dies, so does this: whether the part is in the log is found out by the next one
  underway_.by_partition[partition] = std::move(then);
  ++underway_.missing;
  self_->send(appender, verb::append_v, std::make_shared<const lane_part>(std::move(part)), std::uint64_t{0},
              append_listener{self_});
}

void backfill_state::on_appended(std::uint16_t partition, std::uint64_t next) {
  if (auto appender = context_->where->find_as<appender_actor>(partition_path(partition, "appender")))
    self_->demonitor(appender.address());
  std::exchange(underway_.by_partition[partition], {})(next);
  owed_gauge_->set(static_cast<double>(owed()));
  if (--underway_.missing != 0) return;
  if (auto finish = std::exchange(underway_.finish, {})) finish();
  go_on();
}

// ---- posts

nanoseconds backfill_state::live_lag() const {
  auto lag = nanoseconds{0};
  for (std::size_t p = 0; p < healers_.size(); ++p) {
    auto partition = static_cast<std::uint16_t>(p);
    auto range = context_->log->range(topic::events, partition);
    auto next = context_->figures->looked_at.at(p).load();
    if (!range || next >= range->next || next < range->head) continue;
    auto records = context_->log->read(topic::events, partition, next, 1);
    if (records && !records->empty()) lag = std::max(lag, context_->time->now() - records->front().log_ts);
  }
  return lag;
}

bool backfill_state::is_held_up(backfill_answer& answer) const {
  auto& limits = context_->config->backfill;
  auto refuse = [&](std::string why, std::int64_t wait_ms) {
    answer.refused = {errc::overloaded, std::move(why)};
    answer.wait_ms = wait_ms;
    return true;
  };
  if (auto lag = live_lag(); lag > limits.max_lag_ms * millisecond)
    return refuse(
      fmt::format("live data goes first: its windows are {} ms behind (backfill.max_lag_ms)", lag / millisecond),
      std::clamp<std::int64_t>(lag / millisecond / 2, busy_wait_ms, 5000));
  if (owed() >= limits.max_owed_windows)
    return refuse(fmt::format("{} windows are still to be healed (backfill.max_owed_windows)", owed()), 1000);
  auto early = next_post_at_ - context_->time->monotonic();
  return early > 0 && refuse("sooner than backfill.max_events_per_s allows", early / millisecond + 1);
}

std::vector<intake> backfill_state::look_at(const backfill_post& post, parsed_chunk& parsed, backfill_answer& answer) {
  line_parser_options options;
  options.feed = post.feed;
  options.partitions = static_cast<std::uint32_t>(healers_.size());
  options.max_future = context_->config->windows.max_future_ms * millisecond;
  for (auto& feed : context_->config->feeds) // as its lines are read, if it is one of ours
    if (feed.name == post.feed) options.rounding_mode = feed.round, options.max_line_bytes = feed.max_line_bytes;
  parsed = line_parser{options}.parse(post.lines, context_->time->now());
  auto rules = bar_rules::load(context_->rules->get().first.bars);
  ensure(rules.has_value(), "the rules in force can be read");
  std::vector<intake> out(healers_.size());
  for (std::size_t p = 0; p < parsed.batches.size(); ++p) {
    if (!parsed.batches[p]) continue;
    auto looked = healers_[p].look_at(*parsed.batches[p], *rules);
    if (!looked) throw std::runtime_error("looking for posted events: " + looked.error().message);
    out[p] = std::move(*looked);
    auto& x = out[p];
    if (x.is_behind) answer.refused = {errc::overloaded, "the log is being gone over, to know what it has"};
    answer.taken += x.fresh ? x.fresh->rows.size() : 0;
    answer.duplicates += x.duplicates;
    if (x.trimmed == 0) continue;
    answer.trimmed_from = answer.trimmed == 0 ? x.trimmed_from : std::min(answer.trimmed_from, x.trimmed_from);
    answer.trimmed_to = answer.trimmed == 0 ? x.trimmed_to : std::max(answer.trimmed_to, x.trimmed_to);
    answer.trimmed += x.trimmed;
  }
  answer.dead_letters = parsed.dead_letters.size();
  for (std::size_t i = 0; i < std::min(letters_told, parsed.dead_letters.size()); ++i)
    answer.dead_letter_why.push_back(std::string{to_string(parsed.dead_letters[i].code)} + ": " +
                                     parsed.dead_letters[i].reason);
  return out;
}

// Stays in front of the queue until it is answered, so that whatever happens, it is.
void backfill_state::answer_next() {
  auto post = posts_.front();
  auto answer = std::make_shared<backfill_answer>();
  auto finish = [this, post, answer] {
    posts_.pop_front();
    post->answer(std::move(*answer));
  };
  if (is_held_up(*answer)) return finish();
  parsed_chunk parsed;
  auto intakes = look_at(*post, parsed, *answer);
  if (answer->refused.code != errc::none) {
    answer->wait_ms = busy_wait_ms;
    return finish();
  }
  auto per_second = static_cast<std::int64_t>(context_->config->backfill.max_events_per_s);
  next_post_at_ =
    context_->time->monotonic() + static_cast<std::int64_t>(answer->taken + answer->duplicates) * second / per_second;
  answer->wait_ms = (next_post_at_ - context_->time->monotonic()) / millisecond;
  if (post->dry_run) {
    for (std::size_t p = 0; p < intakes.size() && answer->refused.code == errc::none; ++p)
      if (auto would = healers_[p].would_heal(intakes[p]); would)
        answer->would_heal += *would;
      else
        answer->refused = would.error(), answer->wait_ms = 1000;
    return finish();
  }
  for (std::size_t p = 0; p < intakes.size(); ++p) {
    auto keeps_letters = p == 0 && !post->is_retry;
    auto letters = keeps_letters ? std::move(parsed.dead_letters) : std::vector<dead_letter>{};
    if (!intakes[p].fresh && intakes[p].touched.empty() && letters.empty()) continue;
    auto part = healers_[p].part_of(intakes[p], std::move(letters));
    hand_over(static_cast<std::uint16_t>(p), std::move(part),
              [this, p, x = std::move(intakes[p])](std::uint64_t next) { healers_[p].on_taken(x, next); });
  }
  posted_ += answer->taken + answer->duplicates, taken_ += answer->taken, duplicates_ += answer->duplicates;
  events_->add(answer->taken);
  if (underway_.missing == 0) return finish();
  underway_.finish = finish;
}

// ---- healing

void backfill_state::heal() {
  if (!is_waiting() && (owed() == 0 || ++idle_pulses_ % pulses_of_a_look != 0)) return;
  if (live_lag() > context_->config->backfill.max_lag_ms * millisecond) return;
  for (std::size_t p = 0; p < healers_.size(); ++p) {
    auto made = healers_[p].heal();
    if (!made) throw std::runtime_error("healing bars: " + made.error().message);
    if (!made->writes()) {
      healers_[p].on_healed(*made, 0);
      continue;
    }
    auto part = made->part;
    hand_over(static_cast<std::uint16_t>(p), std::move(part), [this, p, x = std::move(*made)](std::uint64_t next) {
      healers_[p].on_healed(x, next);
      healed_ += x.counts;
      bars_->add(x.counts.bars_new + x.counts.bars_revised);
    });
  }
}

std::size_t backfill_state::owed() const {
  std::size_t out = 0;
  for (auto& x : healers_) out += x.owed();
  return out;
}

bool backfill_state::is_waiting() const {
  return std::any_of(healers_.begin(), healers_.end(), [](auto& x) { return x.is_waiting(); });
}

status_report backfill_state::status() const {
  return {backfill_path,
          fmt::format(R"({{"healing":{},"owed_windows":{},"live_lag_ms":{},"events_posted":{},"events_taken":{},)"
                      R"("duplicates":{},"bars_new":{},"bars_revised":{},"features":{},"signals":{}}})",
                      is_waiting(), owed(), live_lag() / millisecond, posted_, taken_, duplicates_, healed_.bars_new,
                      healed_.bars_revised, healed_.features, healed_.signals)};
}

} // namespace finstream
