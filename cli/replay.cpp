// finstream replay: goes over the log again through the stages that made bars, features and signals, and prints what
// comes, writes it aside, or, with --verify, compares every derived byte with what is stored: a difference means that a
// stage looked at something other than the log.
#include "cli/replay_models.hpp"
#include "cli/replay_run.hpp"
#include "cli/rows.hpp"

#include "messages/codec/json.hpp"
#include "runtime/clock/clock.hpp"
#include "runtime/config/load.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <deque>
#include <fmt/core.h>
#include <mutex>
#include <thread>

namespace finstream {

namespace {

struct options {
  std::string config, from, to, speed = "max", into;
  std::vector<std::string> symbols;
  bool verify = false, models = false;
  unsigned threads = 1;
};

void print_item(const derived& x) {
  if (std::holds_alternative<end_of_interval>(x)) return;
  std::string line;
  append_derived_json(line, x, "");
  fmt::print("{}\n", line);
}

// Waits until as much time has passed as the log says, at `speed` times its pace. Time is only waited for: what comes
// is the same at any speed.
class pacer {
public:
  explicit pacer(double speed) : speed_{speed} {}

  void wait_for(timestamp log_ts) {
    auto now = system_clock().monotonic();
    if (!has_begun_) has_begun_ = true, begun_at_ = now, first_ = log_ts;
    auto due = begun_at_ + static_cast<nanoseconds>(static_cast<double>(log_ts - first_) / speed_);
    if (due <= now) return;
    std::fflush(stdout); // what is out is to be seen before the wait
    pause(due - now);
  }

private:
  double speed_;
  bool has_begun_ = false;
  nanoseconds begun_at_ = 0; // monotonic
  timestamp first_;
};

using replays = std::deque<partition_replay>;

// All partitions in the order of log time, each record when it is due. The pace begins with the first that prints.
expected<void> run_paced(replays& all, double speed, const std::uint64_t& printed) {
  pacer pace{speed};
  for (;;) {
    partition_replay* first = nullptr;
    timestamp earliest_due;
    for (auto& x : all) {
      auto due = x.next_log_ts();
      if (!due) return tl::unexpected{due.error()};
      if (*due && (first == nullptr || **due < earliest_due)) first = &x, earliest_due = **due;
    }
    if (first == nullptr) return {};
    if (printed != 0) pace.wait_for(earliest_due);
    if (auto done = first->step(); !done) return done;
  }
}

expected<void> run_at_once(replays& all, unsigned threads) {
  std::mutex mutex;
  std::atomic<std::size_t> next{0};
  expected<void> outcome;
  auto work = [&] {
    for (auto p = next++; p < all.size(); p = next++)
      if (auto done = all[p].run(); !done) {
        std::lock_guard lock{mutex};
        outcome = done;
      }
  };
  std::vector<std::thread> pool;
  for (std::size_t i = 1; i < std::min<std::size_t>(threads, all.size()); ++i) pool.emplace_back(work);
  work();
  for (auto& t : pool) t.join();
  return outcome;
}

// Nothing for "max".
expected<std::optional<double>> read_speed(const std::string& text) {
  if (text == "max") return std::optional<double>{};
  double speed = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), speed);
  if (error != std::errc{} || end != text.data() + text.size() || !(speed > 0) || speed > 1e9)
    return fail(errc::invalid_argument, "--speed: say max, or a number such as 1, 10 or 0.5");
  return std::optional{speed};
}

int tell(const options& o, replay_outcome& all, const std::string& where, std::size_t partitions) {
  for (auto& line : all.told) fmt::print("{}\n", line);
  if (o.verify)
    fmt::print("{} events in {} records of {} replayed: {} bars, {} feature vectors, {} signals, {} differences\n",
               all.events, all.records, counted(partitions, "partition"), all.bars, all.vectors, all.signals,
               all.differences);
  if (!o.into.empty())
    fmt::print("{} rows added to {}, {} changed, {} there already ({})\n", all.aside.added, o.into, all.aside.changed,
               all.aside.same, where);
  return all.differences == 0 ? 0 : 1;
}

int replay(const options& o) {
  replay_plan plan;
  plan.verify = o.verify;
  plan.what.symbols = o.symbols;
  if (auto read = read_time(o.from, "--from", plan.what.from); !read) return report(read.error()), 2;
  if (auto read = read_time(o.to, "--to", plan.what.to); !read) return report(read.error()), 2;
  auto speed = read_speed(o.speed);
  if (!speed) return report(speed.error()), 2;
  auto config = settings_from(o.config);
  if (!config) return report(config.error());
  auto log = open_for_reading(*config);
  if (!log) return report(log.error());
  auto partitions = partitions_of(**log, config->partitions);
  if (o.models && !o.verify) return ask_models_again(*config, **log, partitions);
  auto run = begin_job(job_kind::replay, "replay", system_clock().now(), semantic_hash(*config));
  std::unique_ptr<side_topic> into;
  if (!o.into.empty()) {
    auto opened = side_topic::open(*config, o.into);
    if (!opened) return report(opened.error());
    into = std::move(*opened);
    plan.into = into.get();
    if (auto noted = into->note(run); !noted) return report(noted.error());
  }
  std::uint64_t printed = 0;
  std::mutex mutex;
  if (!o.verify && o.into.empty())
    plan.print = [&](const derived& x) {
      std::lock_guard lock{mutex};
      ++printed;
      print_item(x);
    };
  replays parts;
  for (int p = 0; p < partitions; ++p)
    if (auto begun = parts.emplace_back(**log, static_cast<std::uint16_t>(p), plan).begin(); !begun)
      return report(begun.error());
  auto done = *speed ? run_paced(parts, **speed, printed) : run_at_once(parts, o.threads);
  if (!done) return report(done.error());
  replay_outcome all;
  std::vector<std::uint64_t> heads;
  for (auto& x : parts) {
    auto one = x.finish();
    if (!one) return report(one.error());
    heads.push_back(one->head);
    all.add(std::move(*one));
  }
  if (into) {
    if (auto written = into->flush(); !written) return report(written.error());
    run.ended = system_clock().now(), run.status = job_status::done;
    run.rows = all.aside.added + all.aside.changed;
    if (auto noted = into->note(run); !noted) return report(noted.error());
  }
  if (o.verify) count_store(**log, all, heads, plan.what);
  auto told = tell(o, all, into ? "finstream bars --from-topic " + o.into : "", parts.size());
  auto asked = o.models ? ask_models_again(*config, **log, partitions) : 0;
  return told == 0 ? asked : told;
}

} // namespace

void add_replay(CLI::App& app, chosen_command& chosen) {
  auto o = std::make_shared<options>();
  auto* verb =
    app.add_subcommand("replay", "Go over the log again, through the stages that made bars, features and signals");
  add_config_option(*verb, o->config);
  verb->add_option("--from", o->from, "What starts at or after this time or day; a signal by its ts")
    ->type_name("TIME");
  verb->add_option("--to", o->to, "What starts before this time or day")->type_name("TIME");
  verb->add_option("--symbols", o->symbols, "Of these symbols only, such as SPY,QQQ")->delimiter(',');
  auto* verify = verb->add_flag(
    "--verify", o->verify,
    "Compare every derived byte with what is stored, and count the differences, instead of printing what comes");
  auto* models =
    verb->add_flag("--models", o->models,
                   "Ask the models again about the vectors whose answers are recorded, and say which answer differs");
  verb
    ->add_option("--into", o->into,
                 "Write what comes into a topic of this name beside the node's own, instead of printing it: "
                 "`finstream bars`, `features` and `signals` read it with --from-topic")
    ->type_name("TOPIC")
    ->excludes(models);
  verb->add_option("--speed", o->speed, "max, or how many times as fast as the log was written: 1 is as it was")
    ->capture_default_str()
    ->excludes(verify);
  verb->add_option("--threads", o->threads, "Partitions replayed at a time")
    ->check(CLI::Range(1, 256))
    ->capture_default_str();
  verb->footer(std::string{times_footer} +
               "All that was before is gone over too, so that the state is right. Works beside a running node.\n"
               "Exit code 1 if there is a difference.\n"
               "Examples:\n  finstream replay --verify --config config/demo.yaml\n"
               "  finstream replay --from 2026-11-20T14:30:00Z --to 2026-11-20T15:00:00Z --symbols SPY --speed 10\n"
               "  finstream replay --into again && finstream bars --from-topic again --interval 60s");
  verb->callback([o, &chosen] { chosen = [o] { return replay(*o); }; });
}

} // namespace finstream
