#include "actors/rest.hpp"

#include "messages/codec/json.hpp"
#include "runtime/store/bar_store.hpp"

#include <charconv>
#include <fmt/core.h>

namespace finstream {

namespace {

constexpr std::uint64_t default_rows = 1000;

expected<bar_query> read_query(const http_request& request) {
  auto value = [&](const char* key) {
    auto at = request.query.find(key);
    return at == request.query.end() ? std::string{} : at->second;
  };
  bar_query out;
  out.symbol = value("symbol");
  if (out.symbol.empty()) return fail(errc::invalid_argument, "which symbol? Say /v1/bars?symbol=SPY&interval=1s");
  auto interval = parse_span(value("interval").empty() ? "1s" : value("interval"));
  if (!interval) return fail(errc::invalid_argument, "interval: " + interval.error().message);
  out.interval = *interval;
  out.provider = value("provider");
  for (auto [key, target] : {std::pair{"from", &out.from}, std::pair{"to", &out.to}}) {
    if (value(key).empty()) continue;
    auto time = parse_timestamp(value(key));
    if (!time) return fail(errc::invalid_argument, std::string{key} + ": " + time.error().message);
    *target = *time;
  }
  return out;
}

} // namespace

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
  if (caught_up < partitions)
    return problem(503, errc::overloaded,
                   fmt::format("{} of {} partitions have caught up with their log", caught_up, partitions));
  return {200, "application/json", "{\"status\":\"ready\"}\n"};
}

http_response answer_bars(const node_context& node, const http_request& request) {
  auto query = read_query(request);
  if (!query) return problem(400, query.error().code, query.error().message);
  auto limit = std::min(default_rows, node.config->gateway.max_rows);
  if (auto at = request.query.find("limit"); at != request.query.end()) {
    auto& text = at->second;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc{} || end != text.data() + text.size() || limit == 0 || limit > node.config->gateway.max_rows)
      return problem(400, errc::invalid_argument, fmt::format("limit: 1 to {} rows", node.config->gateway.max_rows));
  }
  std::string body = "{\"bars\":[";
  std::uint64_t rows = 0;
  auto truncated = false;
  auto scanned = scan_bars(*node.log, *query, [&](const bar& x) {
    if (rows == limit) return truncated = true, false;
    if (rows++ != 0) body += ",\n";
    append_bar_json(body, x, "");
    return true;
  });
  if (!scanned) return problem(500, scanned.error().code, scanned.error().message);
  body += fmt::format("],\"rows\":{},\"truncated\":{}}}\n", rows, truncated);
  return {200, "application/json", std::move(body)};
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
