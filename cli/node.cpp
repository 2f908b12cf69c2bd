#include "cli/node.hpp"

#include "actors/appender.hpp"
#include "actors/backfill_lane.hpp"
#include "actors/gateway.hpp"
#include "actors/ingestor.hpp"
#include "actors/job_keeper.hpp"
#include "actors/letter_taker.hpp"
#include "actors/pacer.hpp"
#include "actors/passing_stage.hpp"
#include "actors/store_writer.hpp"
#include "actors/supervisor.hpp"
#include "actors/window.hpp"
#include "cli/node_log.hpp"
#include "cli/node_models.hpp"
#include "cli/stage_rules.hpp"
#include "messages/schema/schema.hpp"
#include "runtime/config/load.hpp"
#include "runtime/log/log.hpp"
#include "runtime/server/server.hpp"
#include "runtime/store/job_store.hpp"

#include <caf/event_based_actor.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <fmt/format.h>
#include <random>
#include <unistd.h>

namespace finstream {

namespace {

// The number of partitions decides where an event is in the log: it is fixed when the log is created.
expected<void> hold_partitions(bus& log, int partitions) {
  auto saved = log.get("node", "partitions");
  if (!saved) return tl::unexpected{saved.error()};
  if (*saved && **saved != std::to_string(partitions))
    return fail(errc::incompatible, "the data directory was created with partitions: " + **saved +
                                      ", the config says " + std::to_string(partitions) +
                                      ": set it back, or give this node a new data directory");
  if (*saved) return {};
  transaction tx;
  tx.writes.push_back({"node", "partitions", std::to_string(partitions)});
  if (auto written = log.write(std::move(tx)); !written) return tl::unexpected{written.error()};
  return {};
}

// ---- the cast, as data

template <class State> void add_stage(supervisor_plan& plan, node_context* context, std::uint16_t partition) {
  auto patience = context->config->supervisor.stop_timeout_ms * millisecond;
  plan.children.push_back(
    {{State::name, restart_kind::permanent, patience}, [=](caf::actor_system& system, const std::string& path) {
       return caf::actor_cast<caf::actor>(
         spawn_metered<State>(system, *context->where, path, [=](State& state) { state.prepare(context, partition); }));
     }});
}

supervised_child partition_child(node_context* context, std::uint16_t partition) {
  supervisor_plan plan;
  // Everyone hands on to one who was started before: if that one crashes, he starts again with it. The window is the
  // last, and starts again with all, for it tells the others where to begin.
  plan.on_crash = strategy::rest_for_one;
  plan.max_restarts = context->config->supervisor.max_restarts;
  plan.period = context->config->supervisor.period_ms * millisecond;
  auto patience = context->config->supervisor.stop_timeout_ms * millisecond;
  plan.children.push_back(
    {{"appender", restart_kind::permanent, patience}, [=](caf::actor_system& system, const std::string& path) {
       return caf::actor_cast<caf::actor>(spawn_metered<appender_state, caf::detached>(
         system, *context->where, path, [=](appender_state& state) { state.prepare(context, partition); }));
     }});
  auto following = plan; // where another process works on it
  add_stage<inference_state>(plan, context, partition);
  add_stage<features_state>(plan, context, partition);
  add_stage<window_state>(plan, context, partition);
  return {{std::to_string(partition), restart_kind::permanent, patience},
          [=](caf::actor_system& system, const std::string& path) {
            return spawn_supervisor(system, context, path, context->works_on(partition) ? plan : following);
          }};
}

// Reads and decodes much of the log at times: on a thread of its own.
supervised_child backfill_child(node_context* context) {
  auto patience = context->config->supervisor.stop_timeout_ms * millisecond;
  return {{"backfill", restart_kind::permanent, patience}, [=](caf::actor_system& system, const std::string& path) {
            return caf::actor_cast<caf::actor>(spawn_metered<backfill_state, caf::detached>(
              system, *context->where, path, [=](backfill_state& state) { state.prepare(context); }));
          }};
}

supervised_child feed_child(node_context* context, const feed_settings* feed) {
  auto patience = (feed->stop_grace_ms + context->config->supervisor.stop_timeout_ms) * millisecond;
  return {{feed->name, restart_kind::permanent, patience}, [=](caf::actor_system& system, const std::string& path) {
            return caf::actor_cast<caf::actor>(spawn_metered<ingestor_state>(
              system, *context->where, path, [=](ingestor_state& state) { state.prepare(context, feed); }));
          }};
}

supervised_child pacer_child(node_context* context, const provider_settings* provider) {
  auto patience = context->config->supervisor.stop_timeout_ms * millisecond;
  return {{provider->name, restart_kind::permanent, patience}, [=](caf::actor_system& system, const std::string& path) {
            return caf::actor_cast<caf::actor>(spawn_metered<pacer_state>(
              system, *context->where, path, [=](pacer_state& state) { state.prepare(context, provider); }));
          }};
}

supervised_child postgres_child(node_context* context) {
  auto patience = context->config->supervisor.stop_timeout_ms * millisecond;
  auto open = [&x = context->config->stores.postgres] {
    return open_postgres_store({x.connection, x.connect_timeout_s, x.statement_timeout_ms});
  };
  return {
    {"postgres", restart_kind::permanent, patience}, [=](caf::actor_system& system, const std::string& path) {
      return caf::actor_cast<caf::actor>(spawn_metered<store_writer_state, caf::detached>(
        system, *context->where, path, [=](store_writer_state& state) { state.prepare(context, "postgres", open); }));
    }};
}

// On a thread of its own: it may wait for the broker.
template <class State, class Given>
supervised_child detached_child(const std::string& id, node_context* context, Given given) {
  auto patience = context->config->supervisor.stop_timeout_ms * millisecond;
  return {{id, restart_kind::permanent, patience}, [=](caf::actor_system& system, const std::string& path) {
            return caf::actor_cast<caf::actor>(spawn_metered<State, caf::detached>(
              system, *context->where, path, [=](State& state) { state.prepare(context, given); }));
          }};
}

supervised_child model_child(node_context* context, served_model* model) {
  auto patience = model->deadline + context->config->supervisor.stop_timeout_ms * millisecond;
  return {{model->what->name(), restart_kind::permanent, patience},
          [=](caf::actor_system& system, const std::string& path) {
            return caf::actor_cast<caf::actor>(spawn_metered<model_asker_state, caf::detached>(
              system, *context->where, path, [=](model_asker_state& state) { state.prepare(context, model); }));
          }};
}

supervised_child branch(node_context* context, const std::string& id, std::vector<supervised_child> children,
                        int max_restarts) {
  supervisor_plan plan;
  plan.max_restarts = max_restarts;
  plan.period = context->config->supervisor.period_ms * millisecond;
  plan.independent = true;
  auto patience = nanoseconds{0};
  for (auto& child : children) patience = std::max(patience, child.spec.stop_timeout);
  plan.children = std::move(children);
  return {{id, restart_kind::permanent, patience + second}, [=](caf::actor_system& system, const std::string& path) {
            return spawn_supervisor(system, context, path, plan);
          }};
}

} // namespace

node::node(settings config, const std::optional<role_set>& roles)
  : config_{std::move(config)}, roles_{roles}, metrics_{registry_, std::string{to_string(config_.bus.type)}} {}

expected<std::unique_ptr<node>> node::start(settings config, const std::string& program_directory,
                                            const std::optional<role_set>& roles) {
  std::unique_ptr<node> out{new node{std::move(config), roles}};
  if (auto opened = out->open(program_directory); !opened) return tl::unexpected{opened.error()};
  out->spawn_tree();
  return out;
}

expected<void> node::open(const std::string& program_directory) {
  auto rules = make_stage_rules(config_);
  if (!rules) return tl::unexpected{rules.error()};
  context_.seed = std::random_device{}();
  auto opened = open_node_log(config_, context_.seed, link_callbacks(), roles_);
  if (!opened) return tl::unexpected{opened.error()};
  log_ = std::move(opened->log);
  on_broker_ = opened->on_broker;
  if (auto held = hold_partitions(*log_, config_.partitions); !held) return held;
  if (auto settled = settle_jobs(*log_); !settled) return settled;
  // The gateway would only crash again and again.
  auto& gateway = config_.gateway;
  if (gateway.enabled)
    if (auto free = try_to_listen(gateway.address, static_cast<std::uint16_t>(gateway.port)); !free)
      return fail(free.error().code, free.error().message + " (gateway.address, gateway.port)");
  if (has(role::ingest)) { // what a model says is written beside the events
    auto models = open_models(config_, context_.seed);
    if (!models) return tl::unexpected{models.error()};
    models_ = std::move(*models);
  }
  if (auto fit = check_features(models_, *rules); !fit) return fit;
  context_.config = &config_;
  context_.log = log_.get();
  context_.time = &system_clock();
  context_.registry = &registry_;
  context_.metrics = &metrics_;
  context_.where = &where_;
  context_.figures = &figures_;
  rules_.set(std::move(*rules));
  context_.rules = &rules_;
  context_.feeds_directory = program_directory;
  context_.version = FINSTREAM_VERSION;
  context_.config_hash = semantic_hash(config_);
  context_.duties = {has(role::ingest), !roles_ || roles_->works(), roles_.has_value()};
  std::vector<std::string> feeds, providers;
  for (auto& feed : config_.feeds) feeds.push_back(feed.name);
  for (auto& provider : config_.providers) providers.push_back(provider.name);
  metrics_.declare(feeds, providers, config_.partitions, hash_hex(hash_text(schema_list())));
  for (auto& model : models_) metrics_.declare_model(model->what->name());
  lag_ = &metrics_.pipeline_lag_seconds();
  measure_process();
  return {};
}

// Called on the threads that speak to the broker.
broker_link_options node::link_callbacks() {
  broker_link_options out;
  out.on_change = [this](const link_change& x) {
    auto kind = x.up ? sys_kind::bus_recovered : sys_kind::bus_down;
    if (auto hub = where_.find_as<hub_actor>("/hub"))
      caf::anon_send(hub, sys_event{kind, system_clock().now(), "/bus", x.message});
  };
  out.on_grown = [this](journal_id x) {
    if (auto appender = where_.find_as<appender_actor>(partition_path(x.partition, "appender")))
      caf::anon_send(appender, verb::grown_v);
  };
  out.on_published = [this](const published_batch& x) {
    auto type = std::string{to_string(x.side)};
    metrics_.published(type).add(x.events);
    metrics_.dropped(type).add(x.left_out);
    metrics_.publish_latency_ms(type).observe(static_cast<double>(x.took) / 1e6);
    metrics_.serialize_bytes(type).observe(static_cast<double>(x.bytes) / static_cast<double>(x.entries));
  };
  return out;
}

std::string node::name_among_processes() const {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return fmt::format("{}:{}:{:04x}", host.data(), getpid(), context_.seed & 0xffff);
}

work_sharing node::sharing() const {
  return {on_broker_, [bus = config_.bus] { return open_broker(bus); }, config_.bus.broker.work_stream,
          name_among_processes(), config_.bus.broker.claim_after_ms * millisecond};
}

letter_stream node::letters() const {
  return {[bus = config_.bus] { return open_broker(bus); }, config_.bus.broker.letters_stream, on_broker_->log_id(),
          name_among_processes()};
}

given_up_source node::given_up() const {
  auto link = link_of(config_);
  given_up_source out{[bus = config_.bus] { return open_broker(bus); }, link.events_stream + ".given_up", {}};
  for (auto id : journals_of(link)) out.of_log[stream_of(link, id)] = id.partition;
  return out;
}

// Of brokers where a consumer may give up on a message.
bool node::hears_what_is_given_up() const {
  if (on_broker_ == nullptr || !has(role::ingest)) return false;
  auto there = open_broker(config_.bus);
  return there && (*there)->capabilities().limits_deliveries;
}

void node::spawn_tree() {
  auto& s = config_.scheduler;
  auto threads = s.threads > 0 ? static_cast<std::size_t>(s.threads)
                               : std::max<std::size_t>(2, std::thread::hardware_concurrency()) - 1;
  actors_config_.set("scheduler.max-threads", threads);
  actors_config_.set("scheduler.max-throughput", static_cast<std::size_t>(s.max_throughput));
  // One queue for all threads: work wakes a thread at once and never stands behind a busy one while another sleeps, and
  // idle threads do not look around. Messages carry batches, so the queue's lock is no bottleneck.
  actors_config_.set("scheduler.policy", caf::atom("sharing"));
  actors_ = std::make_unique<caf::actor_system>(actors_config_);
  port_->store(config_.gateway.port);

  auto* context = &context_;
  auto patience = config_.supervisor.stop_timeout_ms * millisecond;
  std::vector<supervised_child> partitions, pacers, feeds;
  for (int p = 0; p < config_.partitions; ++p)
    partitions.push_back(partition_child(context, static_cast<std::uint16_t>(p)));
  if (has(role::ingest)) {
    for (auto& provider : config_.providers) pacers.push_back(pacer_child(context, &provider));
    for (auto& feed : config_.feeds) feeds.push_back(feed_child(context, &feed));
  }

  // Started in this order, stopped in reverse: feeds first, so that all they said is in the log; the log's writers
  // after them.
  supervisor_plan plan;
  plan.max_restarts = config_.supervisor.max_restarts;
  plan.period = config_.supervisor.period_ms * millisecond;
  // Consumers read the log alone: they are the last to stop, when all others have written what they had.
  std::vector<supervised_child> consumers, askers;
  for (auto& model : models_) askers.push_back(model_child(context, model.get()));
  if (config_.stores.postgres.enabled && has(role::store)) consumers.push_back(postgres_child(context));
  if (!askers.empty()) consumers.push_back(branch(context, "models", std::move(askers), plan.max_restarts));
  if (!consumers.empty())
    plan.children.push_back(branch(context, "consumers", std::move(consumers), plan.max_restarts));
  plan.children.push_back(
    {{"jobs", restart_kind::permanent, patience}, [=](caf::actor_system& system, const std::string& path) {
       // A thread of its own: it may wait for the disk.
       return caf::actor_cast<caf::actor>(spawn_metered<job_keeper_state, caf::detached>(
         system, *context->where, path, [=](job_keeper_state& state) { state.prepare(context); }));
     }});
  if (roles_)
    plan.children.push_back(has(role::ingest) ? detached_child<letter_taker_state>("letters", context, letters())
                                              : detached_child<letter_sender_state>("letters", context, letters()));
  if (hears_what_is_given_up())
    plan.children.push_back(detached_child<given_up_taker_state>("given_up", context, given_up()));
  if (context->duties.outputs && context->duties.claims_partitions)
    plan.children.push_back(detached_child<work_keeper_state>("work", context, sharing()));
  // A partition ends when its actors have crashed as often as they may. Trying that many times again at this level too
  // would take the node a thousand crashes to say that something is wrong.
  plan.children.push_back(branch(context, "partitions", std::move(partitions), 0));
  if (has(role::ingest))
    plan.children.push_back(branch(context, "lanes", {backfill_child(context)}, plan.max_restarts));
  plan.children.push_back({{"hub", restart_kind::permanent, patience},
                           [=, links = links_](caf::actor_system& system, const std::string& path) {
                             return caf::actor_cast<caf::actor>(
                               spawn_metered<hub_state>(system, *context->where, path,
                                                        [=](hub_state& state) { state.prepare(context, links); }));
                           }});
  if (config_.gateway.enabled)
    plan.children.push_back(
      {{"gateway", restart_kind::permanent, patience},
       [=, links = links_, port = port_](caf::actor_system& system, const std::string& path) {
         return caf::actor_cast<caf::actor>(spawn_metered<gateway_state, caf::detached>(
           system, *context->where, path, [=](gateway_state& state) { state.prepare(context, links, port); }));
       }});
  if (!pacers.empty()) plan.children.push_back(branch(context, "pacing", std::move(pacers), plan.max_restarts));
  plan.children.push_back(branch(context, "feeds", std::move(feeds), plan.max_restarts));
  root_ = spawn_supervisor(*actors_, context, "/", std::move(plan));
  auto ended = std::make_shared<std::promise<void>>();
  ended_ = ended->get_future().share();
  // Its handle is kept: an actor that nobody can reach is gone.
  watcher_ = actors_->spawn<caf::hidden>([root = root_, ended](caf::event_based_actor* self) -> caf::behavior {
    self->monitor(root);
    self->set_down_handler([=](const caf::down_msg&) {
      ended->set_value();
      self->quit();
    });
    return {[](caf::unit_t) {}};
  });
}

node_status node::status() const {
  return {figures_.events, figures_.bars,        figures_.duplicates, figures_.dead_letters,
          links_->count(), lag_->quantile(0.99), has_ended(0)};
}

expected<void> node::read_rules_again() {
  auto rules = make_stage_rules(config_);
  if (!rules) return tl::unexpected{rules.error()};
  if (auto fit = check_features(models_, *rules); !fit) return fit;
  if (*rules == rules_.get().first) return {};
  rules_.set(std::move(*rules));
  for (int p = 0; p < config_.partitions; ++p)
    if (auto appender = where_.find_as<appender_actor>(partition_path(static_cast<std::uint16_t>(p), "appender")))
      caf::anon_send(appender, verb::obey_v); // one that is not there asks when it comes back
  return {};
}

bool node::stop(nanoseconds deadline) {
  figures_.draining = true;
  caf::anon_send<caf::message_priority::high>(root_, verb::stop_v);
  return has_ended(deadline);
}

bool node::has_ended(nanoseconds patience) const {
  return ended_.wait_for(std::chrono::nanoseconds{patience}) == std::future_status::ready;
}

node::~node() {
  if (!actors_) return;
  if (!has_ended(0))
    caf::anon_send<caf::message_priority::high>(
      root_, caf::exit_msg{root_.address(), caf::make_error(caf::exit_reason::kill)});
  root_ = watcher_ = nullptr;
  where_.clear();
  links_->set_socket(nullptr);
  actors_.reset(); // waits for every actor
  if (log_) log_->sync();
}

} // namespace finstream
