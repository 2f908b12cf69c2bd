// simulate: runs seeds, many at a time, and says of one that fails what happened last, what does not hold, and how to
// see it again.
#include "runtime/log/log.hpp"
#include "tests/simulation/planted_faults.hpp"
#include "tests/simulation/simulation.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <mutex>
#include <thread>
#include <unistd.h>

using namespace finstream;
using namespace finstream::simulation;

namespace {

struct options {
  std::uint64_t seed = 1, seeds = 1, steps = 150;
  unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  std::string fault;
  bool verbose = false, twice = false, list_faults = false;
  scope what;
};

struct summary {
  std::uint64_t seeds = 0, steps = 0, events = 0, with_broker = 0, with_past = 0, failed = 0;
};

thread_local std::uint64_t seed_at_work = 0;

// A bug that stops a node stops the simulation: at least it is known where.
extern "C" void say_the_seed(int) {
  char text[128];
  auto end = fmt::format_to_n(text, sizeof text, "simulate: stopped at seed {}\n", seed_at_work).out;
  if (write(STDERR_FILENO, text, static_cast<std::size_t>(end - text)) < 0) return;
}

int usage(const char* why) {
  fmt::print(stderr,
             "simulate: {}\n"
             "usage: simulate [--seed N] [--seeds COUNT] [--steps M] [--threads T] [--past] [--broker] [--twice] "
             "[--verbose]{}\n"
             "  --seed N       the first seed (1)           --seeds COUNT  how many, one after the other (1)\n"
             "  --steps M      of each run (150)            --threads T    as many runs at a time (one a core)\n"
             "  --past         events of the past come to each seed, and not to one in three\n"
             "  --broker       the log of each seed is on a broker, and not of one in three\n"
             "  --twice        each seed twice: its history must be the same, bit for bit\n"
             "  --verbose      what the node says, on standard error\n",
             why, fault_names().empty() ? "" : " [--fault NAME | --faults]");
  return 2;
}

void tell(const outcome& run, std::uint64_t seed, const options& o) {
  fmt::print("seed {}: {} steps, {} events, history {:016x}\n", seed, run.steps, run.events, run.hash);
  if (!run.broken) return;
  for (auto& step : run.last_steps) fmt::print("  {}\n", step);
  auto more = std::string{o.what.past ? " --past" : ""} + (o.what.broker ? " --broker" : "") +
              (o.fault.empty() ? "" : " --fault " + o.fault);
  fmt::print("BROKEN: {}\nagain: ./dev sim --seed {} --steps {}{}\n", *run.broken, seed, o.steps, more);
}

summary run_all(const options& o) {
  std::atomic<std::uint64_t> next{o.seed};
  std::mutex mutex;
  summary all;
  auto work = [&] {
    for (auto seed = next++; seed < o.seed + o.seeds; seed = next++) {
      seed_at_work = seed;
      auto run = finstream::simulation::simulation{seed, o.what}.run(o.steps);
      if (o.twice && finstream::simulation::simulation{seed, o.what}.run(o.steps).hash != run.hash)
        run.broken = "the same seed has another history the second time";
      std::lock_guard guard{mutex};
      ++all.seeds, all.steps += run.steps, all.events += run.events;
      if (run.with_broker) ++all.with_broker;
      if (run.with_past) ++all.with_past;
      if (run.broken) ++all.failed;
      if (run.broken || o.seeds == 1) tell(run, seed, o);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::min<std::uint64_t>(o.threads, o.seeds); ++i) threads.emplace_back(work);
  for (auto& thread : threads) thread.join();
  return all;
}

bool read_number(const char* text, std::uint64_t& out) {
  char* end = nullptr;
  out = std::strtoull(text, &end, 10);
  return end != text && *end == '\0';
}

} // namespace

int main(int count, char** arguments) {
  options o;
  for (int i = 1; i < count; ++i) {
    std::string name = arguments[i];
    if (auto* flag = name == "--verbose"  ? &o.verbose
                     : name == "--twice"  ? &o.twice
                     : name == "--past"   ? &o.what.past
                     : name == "--broker" ? &o.what.broker
                     : name == "--faults" ? &o.list_faults
                                          : nullptr) {
      *flag = true;
      continue;
    }
    if (i + 1 == count) return usage((name + " needs a value, or is not known").c_str());
    auto* value = arguments[++i];
    std::uint64_t number = 0;
    auto is_number = read_number(value, number);
    if (name == "--fault")
      o.fault = value;
    else if (name == "--seed" && is_number)
      o.seed = number;
    else if (name == "--seeds" && is_number && number != 0)
      o.seeds = number;
    else if (name == "--steps" && is_number)
      o.steps = number;
    else if (name == "--threads" && is_number && number != 0)
      o.threads = static_cast<unsigned>(number);
    else
      return usage((name + " " + value + " is not understood").c_str());
  }
  if (o.list_faults) {
    for (auto& name : fault_names()) fmt::print("{}\n", name);
    return 0;
  }
  if (!o.fault.empty() && !plant(o.fault)) return usage(("there is no fault " + o.fault + " in this program").c_str());
  // Nodes in trouble have much to say: above errors there is nothing.
  log::start({o.verbose ? log::level::info : static_cast<log::level>(static_cast<int>(log::level::error) + 1), false});
  log::stop();
  std::signal(SIGABRT, say_the_seed);
  auto all = run_all(o);
  fmt::print("{} seeds ({} with a broker, {} with a past), {} steps, {} events: {} failed\n", all.seeds,
             all.with_broker, all.with_past, all.steps, all.events, all.failed);
  return all.failed == 0 ? 0 : 1;
}
