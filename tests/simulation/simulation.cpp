#include "tests/simulation/simulation.hpp"

#include "actors/log_entries.hpp"
#include "tests/simulation/rules.hpp"

#include <fmt/format.h>

namespace finstream::simulation {

namespace {
constexpr std::size_t steps_told = 30;
constexpr std::uint64_t check_every = 20;   // steps: a replay costs more the longer the log is
constexpr std::uint64_t brokers_of = 3;     // so many seeds one has its log on a broker
constexpr std::uint64_t pasts_of = 3;       // so many seeds one has events of the past posted
constexpr std::uint64_t most_pending = 100; // of what one appender has yet to write
constexpr nanoseconds most_time_to_drain = 300 * second;
constexpr int most_starts_when_healed = 3; // a node that gave up just then, and one more whose records still crash
} // namespace

simulation::simulation(std::uint64_t seed, scope what) : seed_{seed}, chance_{seed} {
  choose_settings();
  // Drawn apart, so that a seed without them is what it is without those who have them.
  chance apart{~seed};
  auto has_broker = apart.one_in(brokers_of);
  has_past_ = apart.one_in(pasts_of) || what.past;
  if (has_broker || what.broker) choose_broker();
  choose_operations();
}

void simulation::choose_settings() {
  config_.partitions = static_cast<int>(chance_.between(1, 2));
  config_.checkpoint.interval_ms = static_cast<int>(chance_.between(3, 30) * 100);
  config_.windows.duplicate_horizon_events = chance_.one_in(4) ? 60 : 1'000'000;
  config_.limits.recent_batches = chance_.one_in(2) ? 4 : 64;
  if (chance_.one_in(3)) config_.bus.retain_ms = 20'000;
  auto level = chance_.of(std::vector{durability::none, durability::interval, durability::interval, durability::batch});
  disk_ = std::make_unique<simulated_disk>(chance_.below(1u << 30), level, chance_.between(1, 20) * 50 * millisecond);
  disk_->on_broken_rule = [this](const std::string& what) { broken(what); };
  std::vector<simulated_feed*> all;
  for (int i = 0, count = static_cast<int>(chance_.between(1, 3)); i < count; ++i) {
    auto& feed = *feeds_.emplace_back(
      std::make_unique<simulated_feed>("feed" + std::to_string(i), chance_.below(1u << 30), time_));
    feed.goes_back = config_.windows.duplicate_horizon_events > 1000 && chance_.one_in(3);
    feed.is_in_log = [this](const std::string& id) { return ledger_->has_event(id); };
    feed.token_in_log = [this, name = feed.name] {
      auto saved = disk_->truth().get(feeds_table, name);
      return saved && *saved ? unpack_resume_point(**saved)->token : std::string{};
    };
    feed.on_broken_rule = disk_->on_broken_rule;
    feed.most_chunks_underway = config_.limits.credit_chunks;
    all.push_back(&feed);
    auto& what = config_.feeds.emplace_back();
    what.name = feed.name;
    what.command = {feed.name};
    what.backoff = {50, 500, 10'000, 100'000, 1000};
  }
  past_ = std::make_unique<simulated_archive>(chance_.below(1u << 30), time_);
  past_->is_in_log = [this](const std::string& id) { return ledger_->has_event(id); };
  past_->on_broken_rule = disk_->on_broken_rule;
  ledger_ = std::make_unique<ledger>(all, config_.windows.duplicate_horizon_events);
  ledger_->on_broken_rule = disk_->on_broken_rule;
  disk_->on_written = [this](const transaction& tx, const std::vector<std::uint64_t>& offsets) {
    ledger_->on_written(disk_->truth(), tx, offsets);
    if (book_) book_->on_written(tx, offsets);
  };
  disk_->on_slow = [this](nanoseconds span) { time_.advance(span); };
}

// Of what may go wrong each seed has some, so that they are met alone, together, and without the others' noise.
void simulation::choose_operations() {
  using self = simulation;
  operations_ = {{"things happen", 30, &self::things_happen},
                 {"feeds print", 40, &self::feeds_print},
                 {"time passes", 25, &self::time_passes},
                 {"messages pass", 20, &self::messages_pass}};
  std::vector<operation> troubles{{"an actor is killed", 4, &self::actor_is_killed},
                                  {"an actor crashes", 4, &self::actor_crashes},
                                  {"a feed dies", 4, &self::feed_dies},
                                  {"a feed hangs", 1, &self::feed_hangs},
                                  {"a feed cannot start", 1, &self::feed_cannot_start},
                                  {"the process is killed", 2, &self::process_is_killed},
                                  {"the process dies in a write", 2, &self::process_dies_in_a_write},
                                  {"the machine is killed", 2, &self::machine_is_killed},
                                  {"the node is stopped", 2, &self::node_is_stopped},
                                  {"the disk fills up", 2, &self::disk_fills_up},
                                  {"the disk gets worse", 3, &self::disk_gets_worse},
                                  {"rules change", 3, &self::rules_change},
                                  {"the clock steps", 2, &self::clock_steps},
                                  {"a record is poisoned", 1, &self::record_is_poisoned}};
  for (auto& x : troubles)
    if (chance_.one_in(2)) operations_.push_back(x);
  if (has_past_) operations_.push_back({"some past is found", 3, &self::past_is_found});
  if (broker_) choose_broker_troubles();
  operations_.push_back({"the disk has room", 5, &self::disk_has_room});
  operations_.push_back({"the disk gets better", 5, &self::disk_gets_better});
  for (auto& x : operations_) all_weights_ += x.weight;
}

// ---- the run

outcome simulation::run(std::uint64_t steps) {
  start_node();
  for (; step_ < steps && !broken_; ++step_) {
    auto drawn = chance_.below(all_weights_);
    auto chosen = operations_.begin();
    for (; drawn >= chosen->weight; ++chosen) drawn -= chosen->weight;
    told(chosen->name);
    (this->*chosen->act)();
    node_->post(*past_);
    look_after_node();
    check_link();
    if (step_ % check_every == check_every - 1) check();
  }
  if (!broken_) finish();
  end_node();
  outcome out;
  out.broken = broken_;
  out.last_steps.assign(last_steps_.begin(), last_steps_.end());
  out.steps = step_, out.events = ledger_->events(), out.hash = disk_->history_hash();
  out.with_broker = broker_ != nullptr, out.with_past = has_past_;
  if (broker_) out.hash ^= broker_->history_hash();
  return out;
}

void simulation::told(std::string what) {
  last_steps_.push_back(
    fmt::format("step {} at {:.2f} s: {}", step_, static_cast<double>(time_.monotonic()) / 1e9, what));
  if (last_steps_.size() > steps_told) last_steps_.pop_front();
}

void simulation::broken(const std::string& what) {
  if (!broken_) broken_ = what;
}

void simulation::start_node() {
  node_parts parts;
  parts.config = config_;
  parts.disk = disk_.get();
  parts.log = &open_log();
  if (link_) parts.on_time = [link = link_.get()] { link->ship(); };
  parts.time = &time_;
  for (auto& feed : feeds_) parts.feeds.push_back(feed.get());
  parts.rules = rules_number(rules_number_);
  node_ = std::make_unique<simulated_node>(std::move(parts), chance_.below(~std::uint64_t{0}));
}

void simulation::end_node() {
  node_.reset();
  link_.reset();
}

void simulation::forget_what_is_lost(bool lost) {
  if (lost) ledger_->on_lost(disk_->truth());
  if (lost && book_) book_->on_lost(disk_->truth());
  past_->node_is_gone(lost);
}

// A process whose tree gave up ends; one that dies in a write is dead when it has come to it.
bool simulation::look_after_node() {
  if (node_->is_alive() && !disk_->is_dead()) return false;
  told(disk_->is_dead() ? "the process is gone" : "the node gave up");
  process_is_killed();
  return true;
}

void simulation::check() {
  auto& log = disk_->truth();
  for (auto& said : {check_order(log, config_.partitions), check_set_aside(log, config_.partitions, poisoned_),
                     check_replay(log, config_.partitions, poisoned_)})
    if (said) broken(*said);
  check_streams();
  if (auto longest = node_->longest_queue(); longest > most_pending)
    broken(fmt::format("an appender has {} things to write, {} are too many", longest, most_pending));
}

// ---- the end

void simulation::heal() {
  disk_->troubles = {};
  if (broker_) broker_is_back(), broker_gets_better();
  disk_->die_after_writes(~std::uint64_t{0});
  time_.set_step(0);
  for (auto& feed : feeds_) {
    feed->fails_to_start = false;
    if (auto* process = feed->running()) process->die(1, 0);
  }
  told("all is healed");
}

bool simulation::drain() {
  auto starts = 0;
  for (auto give_up_at = time_.monotonic() + most_time_to_drain; time_.monotonic() < give_up_at;) {
    auto told_all = !past_->has_more() && !node_->is_healing();
    node_->post(*past_);
    for (auto& feed : feeds_) {
      if (feed->running()) feed->running()->print(static_cast<int>(chance_.between(1, 40)));
      told_all = told_all && feed->told_all();
    }
    if (told_all && is_shipped()) return true;
    node_->pass(100 * millisecond);
    if (look_after_node() && ++starts > most_starts_when_healed) check(), broken("the node gives up again and again");
    check_link();
    if (broken_) return false;
  }
  if (!is_shipped()) broken("the broker is well, and is not brought what waits for it");
  return false;
}

// All that happened is in the log.
void simulation::check_completeness() {
  auto is_there = [&](const simulated_feed& feed, std::size_t number) {
    auto& line = feed.tape()[number];
    if (line.what == tape_line::kind::event) return ledger_->has_event(line.event_id);
    if (line.what == tape_line::kind::bad) return ledger_->has_bad_line(feed.name, number);
    if (line.what == tape_line::kind::gap && config_.bus.retain_ms == 0)
      for (std::uint16_t p = 0; p < config_.partitions; ++p)
        if (!ledger_->has_gap(p, feed.name, number)) return false;
    return true;
  };
  for (auto& feed : feeds_)
    for (std::size_t i = 0; i < feed->tape().size(); ++i)
      if (!is_there(*feed, i))
        broken(fmt::format("line {} of {} is not in the log: {}", i, feed->name, feed->tape()[i].text));
  if (auto lost = past_->lost()) broken(fmt::format("event {}, which was posted, is not in the log", *lost));
  if (auto said = check_trades(disk_->truth(), config_.partitions)) broken(*said);
  if (auto said = check_healed(disk_->truth(), config_.partitions)) broken(*said);
}

// What is in no window any more, and the last checkpoint: no more records come, whatever time passes.
void simulation::finish() {
  heal();
  if (!drain()) return broken("nothing is in the way any more, and not all that the feeds say gets into the log");
  node_->pass(20 * second);
  check();
  told("all is told");
  check_completeness();
  if (auto said = check_end(disk_->truth(), config_.partitions, rules_number(rules_number_), poisoned_)) broken(*said);
  node_->stop();
  node_->pass(20 * second);
  if (node_->is_alive()) return broken("the node does not stop");
  broker_&& chance_.one_in(2) ? machine_is_lost() : process_is_killed();
  told("stopped and started again");
  if (!drain()) return broken("not all that the feeds say gets into the log after a stop in order");
  node_->pass(20 * second);
  check();
}

} // namespace finstream::simulation
