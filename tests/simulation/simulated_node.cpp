#include "tests/simulation/simulated_node.hpp"

#include "actors/appender.hpp"
#include "actors/backfill_lane.hpp"
#include "actors/ingestor.hpp"
#include "actors/passing_stage.hpp"
#include "actors/supervisor.hpp"
#include "actors/window.hpp"

#include <caf/scheduler/test_coordinator.hpp>

#include <algorithm>

namespace finstream::simulation {

namespace {

constexpr nanoseconds step_of_time = 50 * millisecond;
constexpr std::uint64_t most_messages_at_once = 200'000;
constexpr std::uint64_t drawn_from = 6; // of those that have something to do

caf::scheduler::test_coordinator& scheduler_of(caf::actor_system& system) {
  return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
}

template <class State, class Prepare>
supervised_child child_of(node_context* context, const std::string& id, Prepare prepare) {
  return {{id, restart_kind::permanent, 5 * second}, [=](caf::actor_system& system, const std::string& path) {
            return caf::actor_cast<caf::actor>(spawn_metered<State>(system, *context->where, path, prepare));
          }};
}

supervised_child branch(node_context* context, const std::string& id, supervisor_plan plan) {
  return {{id, restart_kind::permanent, 10 * second}, [=](caf::actor_system& system, const std::string& path) {
            return spawn_supervisor(system, context, path, plan);
          }};
}

} // namespace

simulated_node::simulated_node(node_parts parts, std::uint64_t seed) : parts_{std::move(parts)}, chance_{seed} {
  config = parts_.config;
  context.log = parts_.log;
  context.time = parts_.time;
  context.seed = seed;
  rules.set(parts_.rules);
  parts_.disk->on_slow = [this](nanoseconds span) {
    parts_.time->advance(span);
    owed_ += span;
  };
  root_ = spawn_tree();
}

// Nobody writes any more, whatever he still has to do.
simulated_node::~simulated_node() {
  parts_.disk->die_after_writes(0);
  root_ = nullptr;
  end_all();
  parts_.disk->on_slow = [time = parts_.time](nanoseconds span) { time->advance(span); };
}

// As the front door builds it, in the same order and with the same strategies; nobody has a thread of his own.
caf::actor simulated_node::spawn_tree() {
  auto* lent = &context;
  supervisor_plan partitions, lanes, feeds, root;
  for (int p = 0; p < config.partitions; ++p) {
    auto partition = static_cast<std::uint16_t>(p);
    auto prepare = [=](auto& state) { state.prepare(lent, partition); };
    supervisor_plan line;
    line.on_crash = strategy::rest_for_one;
    line.max_restarts = config.supervisor.max_restarts;
    line.period = config.supervisor.period_ms * millisecond;
    line.children.push_back(child_of<appender_state>(lent, "appender", prepare));
    line.children.push_back(child_of<inference_state>(lent, "inference", prepare));
    line.children.push_back(child_of<features_state>(lent, "features", prepare));
    line.children.push_back(child_of<window_state>(lent, "window", prepare));
    partitions.children.push_back(branch(lent, std::to_string(p), std::move(line)));
  }
  partitions.max_restarts = 0;
  partitions.independent = lanes.independent = feeds.independent = true;
  for (std::size_t i = 0; i < parts_.feeds.size(); ++i) {
    auto* feed = parts_.feeds[i];
    child_starter start = [feed](const child_options& options, child_events events) {
      return feed->start(options, std::move(events));
    };
    feeds.children.push_back(child_of<ingestor_state>(
      lent, feed->name, [=, what = &config.feeds[i]](ingestor_state& state) { state.prepare(lent, what, start); }));
  }
  root.children.push_back(child_of<job_keeper_state>(lent, "jobs", [=](auto& state) { state.prepare(lent); }));
  root.children.push_back(branch(lent, "partitions", std::move(partitions)));
  lanes.children.push_back(child_of<backfill_state>(lent, "backfill", [=](auto& state) { state.prepare(lent); }));
  root.children.push_back(branch(lent, "lanes", std::move(lanes)));
  root.children.push_back(branch(lent, "feeds", std::move(feeds)));
  return spawn_supervisor(system(), lent, "/", std::move(root));
}

void simulated_node::run(std::uint64_t messages) {
  auto& scheduler = scheduler_of(system());
  for (; messages > 0 && !scheduler.jobs.empty(); --messages) {
    auto next = scheduler.jobs.begin() +
                static_cast<std::ptrdiff_t>(chance_.below(std::min<std::uint64_t>(scheduler.jobs.size(), drawn_from)));
    std::rotate(scheduler.jobs.begin(), next, next + 1);
    scheduler.try_run_once();
    if (owed_ != 0) scheduler.advance_time(caf::timespan{std::exchange(owed_, 0)});
  }
}

bool simulated_node::run_all() {
  run(most_messages_at_once);
  return scheduler_of(system()).jobs.empty();
}

void simulated_node::pass(nanoseconds span) {
  for (; span > 0; span -= step_of_time) {
    auto step = std::min(span, step_of_time);
    parts_.time->advance(step);
    parts_.disk->pass(step);
    if (parts_.on_time) parts_.on_time();
    scheduler_of(system()).advance_time(caf::timespan{step});
    for (auto* feed : parts_.feeds)
      if (feed->running()) feed->running()->look_at_time();
    if (parts_.disk->is_dead() || !run_all()) return;
  }
}

void simulated_node::end_actor(const std::string& path) {
  auto who = find<caf::actor>(path);
  if (who)
    caf::anon_send<caf::message_priority::high>(who,
                                                caf::exit_msg{who.address(), caf::make_error(caf::exit_reason::kill)});
}

void simulated_node::obey(stage_rules new_rules) {
  rules.set(std::move(new_rules));
  for (int p = 0; p < config.partitions; ++p)
    if (auto appender = find<appender_actor>(partition_path(static_cast<std::uint16_t>(p), "appender")))
      caf::anon_send(appender, verb::obey_v);
}

void simulated_node::post(simulated_archive& past) {
  auto lane = find<backfill_actor>(backfill_path);
  if (!lane || !alive(lane.address())) return;
  if (auto what = past.next()) caf::anon_send(lane, verb::append_v, std::move(what));
}

bool simulated_node::is_healing() {
  return status(backfill_path).value_or("").find("\"healing\":false") == std::string::npos;
}

void simulated_node::stop() {
  figures.draining = true;
  caf::anon_send<caf::message_priority::high>(root_, verb::stop_v);
}

bool simulated_node::is_alive() const { return alive(root_.address()); }

std::vector<std::string> simulated_node::paths() const {
  std::vector<std::string> out;
  for (auto& gauge : where.gauges())
    if (gauge->path != "/") out.push_back(gauge->path);
  return out;
}

std::uint64_t simulated_node::longest_queue() {
  std::uint64_t out = 0;
  for (int p = 0; p < config.partitions; ++p) {
    auto said = status(partition_path(static_cast<std::uint16_t>(p), "appender")).value_or("");
    if (auto begin = said.find("\"pending\":"); begin != std::string::npos)
      out = std::max<std::uint64_t>(out, std::stoul(said.substr(begin + 10)));
  }
  return out;
}

} // namespace finstream::simulation
