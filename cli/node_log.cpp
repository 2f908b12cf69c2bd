#include "cli/node_log.hpp"

#include "runtime/config/options.hpp"
#include "runtime/log/log.hpp"

#include <csignal>
#include <fmt/format.h>
#include <random>

namespace finstream {

namespace {

constexpr const char* driver_key = "bus_type";
constexpr nanoseconds begin_patience = 30 * second; // for another process to begin the log, and for the broker
constexpr nanoseconds look_again_after = 200 * millisecond;

// A log on a broker and one of this machine alone differ in what their directory holds.
expected<void> hold_driver(bus& log, bus_driver driver) {
  auto name = std::string{to_string(driver)};
  auto saved = log.get(node_table, driver_key);
  if (!saved) return tl::unexpected{saved.error()};
  auto log_id = log.get(node_table, log_id_key); // a copy that was interrupted has this and no more
  if (!log_id) return tl::unexpected{log_id.error()};
  auto made_with = *saved ? **saved : std::string{log.recovery().created || *log_id ? name : "embedded"};
  if (made_with != name)
    return fail(errc::incompatible,
                fmt::format("the data directory was made with bus.type: {}, the config says {}: set "
                            "it back, or give this node a new data directory",
                            made_with, name));
  if (*saved) return {};
  transaction tx;
  tx.writes.push_back({node_table, driver_key, name});
  return log.write(std::move(tx)).map([](const receipt&) {});
}

bool is_told_to_stop() {
  sigset_t waiting;
  sigpending(&waiting);
  return sigismember(&waiting, SIGTERM) == 1 || sigismember(&waiting, SIGINT) == 1;
}

// A process that only shares a log waits for what makes it one; one that brings it in says at once what is wrong.
bool may_come(errc code, const broker_link_options& link) {
  return code == errc::not_found || (!link.writes_events && (code == errc::unreachable || code == errc::overloaded));
}

expected<std::unique_ptr<brokered_bus>> open_when_begun(const embedded_bus_options& local,
                                                        const broker_link_options& link, const char* driver) {
  auto give_up_at = system_clock().monotonic() + begin_patience;
  for (auto said = false;; said = true) {
    auto opened = open_brokered_bus(local, link, driver);
    if (opened || !may_come(opened.error().code, link) || system_clock().monotonic() > give_up_at) return opened;
    if (is_told_to_stop()) return fail(errc::stopped, "told to stop before there was a log");
    if (!said) log::info("node", "{}; it is tried again for {} s", opened.error().message, begin_patience / second);
    pause(look_again_after);
  }
}

} // namespace

expected<std::unique_ptr<broker>> open_broker(const bus_settings& config) {
  broker_options options;
  options.url = config.broker.url;
  options.security = config.broker.security;
  options.connect_timeout_ms = config.broker.connect_timeout_ms;
  options.request_timeout_ms = config.broker.request_timeout_ms;
  switch (config.type) {
  case bus_driver::redis: return open_redis_broker(options);
  case bus_driver::nats: return open_nats_broker(options);
  case bus_driver::kafka: return open_kafka_broker(options);
  case bus_driver::embedded: break;
  }
  stop_on_bug("the embedded log has no broker");
}

broker_link_options link_of(const settings& config) {
  broker_link_options out;
  out.events_stream = config.bus.broker.events_stream;
  out.outputs_stream = config.bus.broker.outputs_stream;
  out.partitions = config.partitions;
  return out;
}

expected<node_log> open_node_log(const settings& config, std::uint64_t seed, broker_link_options link,
                                 const std::optional<role_set>& roles) {
  if (roles && config.bus.type == bus_driver::embedded)
    return fail(errc::config_invalid, "roles are for processes that share a log on a broker: set bus.type to redis, "
                                      "nats or kafka, or leave out --role");
  embedded_bus_options local;
  local.directory = config.data_directory;
  local.level = config.bus.level;
  local.sync_interval_ms = config.bus.sync_interval_ms;
  local.memtable_bytes = config.bus.memtable_bytes;
  local.cache_bytes = config.bus.cache_bytes;
  node_log out;
  if (config.bus.type == bus_driver::embedded) {
    auto opened = open_embedded_bus(local);
    if (!opened) return tl::unexpected{opened.error()};
    out.log = std::move(*opened);
  } else {
    auto& x = config.bus.broker;
    auto& y = config.bus.buffer;
    link.open_broker = [bus = config.bus] { return open_broker(bus); };
    link.events_stream = x.events_stream;
    link.outputs_stream = x.outputs_stream;
    link.partitions = config.partitions;
    link.how = x.framing;
    link.packed = x.compression;
    link.flow = config.bus.flow;
    link.acknowledge_timeout_ms = x.acknowledge_timeout_ms;
    link.keep_entries = x.keep_entries;
    link.buffer_max_bytes = y.max_bytes;
    link.buffer_alert_bytes = y.alert_bytes;
    link.buffer_keep_ms = y.keep_ms;
    link.retry_initial_ms = y.retry_initial_ms;
    link.retry_max_ms = y.retry_max_ms;
    link.syncs_first = config.bus.level == durability::interval; // with `batch` it is there before
    link.seed = seed;
    link.new_log_id = std::uint64_t{std::random_device{}()} << 32 | std::random_device{}();
    link.writes_events = !roles || roles->has(role::ingest);
    link.claims_outputs = roles.has_value();
    auto opened = open_when_begun(local, link, to_string(config.bus.type).data());
    if (!opened) return tl::unexpected{opened.error()};
    out.on_broker = opened->get();
    out.log = std::move(*opened);
  }
  if (auto held = hold_driver(*out.log, config.bus.type); !held) return tl::unexpected{held.error()};
  return out;
}

} // namespace finstream
