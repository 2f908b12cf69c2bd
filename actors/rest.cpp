#include "actors/rest.hpp"

#include "messages/codec/json.hpp"

#include <fmt/core.h>

namespace finstream {

http_response answer_health(const node_context& node) {
  if (auto health = node.log->health(); !health) return problem(503, health.error().code, health.error().message);
  return {200, "application/json", "{\"status\":\"ok\"}\n"};
}

http_response answer_readiness(const node_context& node) {
  if (auto health = answer_health(node); health.status != 200) return health;
  auto partitions = node.config->partitions;
  auto recovered = node.figures->partitions_recovered.load(), caught_up = node.figures->partitions_caught_up.load();
  if (node.figures->draining) return problem(503, errc::stopped, "the node is draining");
  if (recovered < partitions)
    return problem(503, errc::overloaded,
                   fmt::format("{} of {} partitions have read their log's end", recovered, partitions));
  if (auto at_work = node.partitions_at_work(); caught_up < at_work)
    return problem(503, errc::overloaded,
                   fmt::format("{} of {} partitions have caught up with their log", caught_up, at_work));
  return {200, "application/json", "{\"status\":\"ready\"}\n"};
}

http_response answer_metrics(const node_context& node) {
  return {200, "text/plain; version=0.0.4; charset=utf-8", node.registry->exposition()};
}

std::string tree_line(const actor_gauge& gauge, const std::string& state, nanoseconds now) {
  auto busy = gauge.busy_since_ns.load();
  auto handled = gauge.handled.load();
  std::string out = "{\"path\":";
  append_json_string(out, gauge.path);
  out += fmt::format(
    R"(,"mailbox":{},"wait_us":{},"longest_wait_us":{},"handled":{},"mean_us":{:.1f},"longest_us":{},"busy_ms":{},"state":{}}})",
    gauge.depth(), gauge.wait_ns.load() / 1000, gauge.longest_wait_ns.load() / 1000, handled,
    handled == 0 ? 0.0 : static_cast<double>(gauge.processing_ns.load()) / 1000.0 / static_cast<double>(handled),
    gauge.longest_ns.load() / 1000, busy == 0 ? 0 : (now - busy) / millisecond, state.empty() ? "null" : state);
  return out;
}

} // namespace finstream
