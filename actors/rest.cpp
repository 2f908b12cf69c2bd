#include "actors/rest.hpp"

#include "messages/codec/json.hpp"
#include "messages/value/excerpt.hpp"
#include "runtime/store/bar_store.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>

namespace finstream {

namespace {

constexpr std::uint64_t default_rows = 1000;
constexpr std::string_view bars_parameters[] = {"symbol", "interval", "provider", "from", "to", "limit"};

expected<bar_query> read_query(const http_request& request) {
  for (auto& [key, text] : request.query)
    if (std::find(std::begin(bars_parameters), std::end(bars_parameters), key) == std::end(bars_parameters))
      return fail(errc::invalid_argument,
                  "there is no parameter \"" + excerpt(key) + "\": symbol, interval, provider, from, to and limit");
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
    auto time = parse_timestamp_or_day(value(key));
    if (!time) {
      auto lost_plus = value(key).find(' ') != std::string::npos ? " (a + in a URL is a space: write %2B)" : "";
      return fail(errc::invalid_argument, std::string{key} + ": " + time.error().message + lost_plus);
    }
    *target = *time;
  }
  return out;
}

struct bars_page {
  std::vector<bar> bars;
  bool truncated = false;
};

// The oldest `limit` bars of all providers, by start and provider. Bars of the same start stay together, so that
// whoever asks again from the next start misses none: a page may be shorter than the limit, or longer if it has one
// start only.
expected<bars_page> read_page(const bus& log, bar_query query, std::uint64_t limit) {
  std::vector<std::string> providers;
  if (!query.provider.empty()) {
    providers.push_back(query.provider);
  } else {
    auto listed = scan_series(log, query.interval, query.symbol,
                              [&](const bar_series& x) { return providers.push_back(x.provider), true; });
    if (!listed) return tl::unexpected{listed.error()};
  }
  bars_page out;
  for (auto& provider : providers) {
    query.provider = provider;
    auto room = limit + 1; // one more tells whether there is more
    auto scanned = scan_bars(log, query, [&](const bar& x) { return out.bars.push_back(x), --room != 0; });
    if (!scanned) return tl::unexpected{scanned.error()};
  }
  std::stable_sort(out.bars.begin(), out.bars.end(), [](auto& a, auto& b) { return a.start < b.start; });
  if (out.bars.size() <= limit) return out;
  auto end = static_cast<std::ptrdiff_t>(limit);
  auto same_start = [&](std::ptrdiff_t i) { return out.bars[i].start == out.bars[i - 1].start; };
  while (end > 0 && same_start(end)) --end;
  if (end == 0)
    for (end = 1; end < std::ssize(out.bars) && same_start(end);) ++end;
  out.truncated = end < std::ssize(out.bars);
  out.bars.resize(static_cast<std::size_t>(end));
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
  auto page = read_page(*node.log, *query, limit);
  if (!page) return problem(500, page.error().code, page.error().message);
  std::string body = "{\"bars\":[";
  for (auto& x : page->bars) {
    if (&x != &page->bars.front()) body += ",\n";
    append_bar_json(body, x, "");
  }
  body += fmt::format("],\"rows\":{},\"truncated\":{}}}\n", page->bars.size(), page->truncated);
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
