// What the HTTP paths answer from the stores: bars, feature vectors and signals, a page at a time.
#include "actors/rest.hpp"
#include "messages/codec/json.hpp"
#include "messages/value/excerpt.hpp"
#include "runtime/store/bar_store.hpp"
#include "runtime/store/feature_store.hpp"
#include "runtime/store/signal_store.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>

namespace finstream {

namespace {

constexpr std::uint64_t default_rows = 1000;

// What a path gives out: everything in which bars, feature vectors and signals differ here.
template <class Row, class Query> struct row_kind {
  using row = Row;
  using query = Query;
  const char* path;
  const char* name;    // of the list in the answer
  const char* example; // of a query
  std::vector<std::string_view> parameters;
  timestamp Row::*time; // by which pages are cut
  expected<void> (*scan)(const bus&, const Query&, const std::function<bool(const Row&)>&);
  void (*write)(std::string&, const Row&, std::string_view position);
};

const row_kind<bar, bar_query> bar_rows{"/v1/bars",
                                        "bars",
                                        "/v1/bars?symbol=SPY&interval=1s",
                                        {"symbol", "interval", "provider", "from", "to", "limit"},
                                        &bar::start,
                                        scan_bars,
                                        append_bar_json};
const row_kind<feature_vector, feature_query> feature_rows{"/v1/features",
                                                           "features",
                                                           "/v1/features?symbol=SPY",
                                                           {"symbol", "interval", "provider", "from", "to", "limit"},
                                                           &feature_vector::start,
                                                           scan_features,
                                                           append_features_json};
const row_kind<signal, signal_query> signal_rows{
  "/v1/signals", "signals",    "/v1/signals?symbol=SPY", {"symbol", "provider", "name", "from", "to", "limit"},
  &signal::ts,   scan_signals, append_signal_json};

std::string value_of(const http_request& request, const char* key) {
  auto at = request.query.find(key);
  return at == request.query.end() ? std::string{} : at->second;
}

std::string in_words(const std::vector<std::string_view>& names) {
  std::string out;
  for (auto& name : names) out += (&name == &names.front() ? "" : &name == &names.back() ? " and " : ", "), out += name;
  return out;
}

template <class Kind> expected<typename Kind::query> read_query(const Kind& kind, const http_request& request) {
  for (auto& [key, text] : request.query)
    if (std::find(kind.parameters.begin(), kind.parameters.end(), key) == kind.parameters.end())
      return fail(errc::invalid_argument,
                  "there is no parameter \"" + excerpt(key) + "\": " + in_words(kind.parameters));
  typename Kind::query out;
  out.symbol = value_of(request, "symbol");
  if (out.symbol.empty()) return fail(errc::invalid_argument, std::string{"which symbol? Say "} + kind.example);
  out.provider = value_of(request, "provider");
  if constexpr (requires { out.name; }) out.name = value_of(request, "name");
  if constexpr (requires { out.interval; }) {
    // Features rest on bars of one interval, which the config names; of bars there are several.
    auto text = value_of(request, "interval");
    if (text.empty() && std::is_same_v<decltype(out), bar_query>) text = "1s";
    auto interval = text.empty() ? expected<nanoseconds>{0} : parse_span(text);
    if (!interval) return fail(errc::invalid_argument, "interval: " + interval.error().message);
    out.interval = *interval;
  }
  for (auto [key, target] : {std::pair{"from", &out.from}, std::pair{"to", &out.to}}) {
    auto text = value_of(request, key);
    if (text.empty()) continue;
    auto time = parse_timestamp_or_day(text);
    if (!time) {
      auto lost_plus = text.find(' ') != std::string::npos ? " (a + in a URL is a space: write %2B)" : "";
      return fail(errc::invalid_argument, std::string{key} + ": " + time.error().message + lost_plus);
    }
    *target = *time;
  }
  return out;
}

expected<std::uint64_t> read_limit(const http_request& request, std::uint64_t most) {
  auto limit = std::min(default_rows, most);
  auto at = request.query.find("limit");
  if (at == request.query.end()) return limit;
  auto& text = at->second;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc{} || end != text.data() + text.size() || limit == 0 || limit > most)
    return fail(errc::invalid_argument, fmt::format("limit: 1 to {} rows", most));
  return limit;
}

template <class Row> struct page {
  std::vector<Row> rows;
  std::optional<timestamp> next; // where the page that follows begins, if one does
};

// The oldest `limit` rows of all series, by time and then as the store has them. Rows of the same time stay together,
// so that whoever asks again from the next time misses none: a page may be shorter than the limit, or longer if it has
// one time only.
template <class Kind>
expected<page<typename Kind::row>> read_page(const bus& log, const Kind& kind, const typename Kind::query& query,
                                             std::uint64_t limit) {
  auto series = each_series(log, query);
  if (!series) return tl::unexpected{series.error()};
  page<typename Kind::row> out;
  auto& rows = out.rows;
  for (auto& one : *series) {
    // One more than the limit tells whether there is more; and then all of that one's time.
    auto first = rows.size();
    auto scanned = kind.scan(log, one, [&](const auto& x) {
      if (rows.size() - first > limit && x.*kind.time != rows.back().*kind.time) return false;
      return rows.push_back(x), true;
    });
    if (!scanned) return tl::unexpected{scanned.error()};
  }
  std::stable_sort(rows.begin(), rows.end(), [&](auto& a, auto& b) { return a.*kind.time < b.*kind.time; });
  if (rows.size() <= limit) return out;
  auto end = static_cast<std::size_t>(limit);
  auto same_time = [&](std::size_t i) { return rows[i].*kind.time == rows[i - 1].*kind.time; };
  while (end > 0 && same_time(end)) --end;
  if (end == 0)
    for (end = 1; end < rows.size() && same_time(end);) ++end;
  if (end < rows.size()) out.next = rows[end].*kind.time;
  rows.resize(end);
  return out;
}

template <class Kind>
http_response answer_rows(const node_context& node, const Kind& kind, const http_request& request) {
  auto query = read_query(kind, request);
  if (!query) return problem(400, query.error().code, query.error().message);
  auto limit = read_limit(request, node.config->gateway.max_rows);
  if (!limit) return problem(400, limit.error().code, limit.error().message);
  auto page = read_page(*node.log, kind, *query, *limit);
  if (!page) return problem(500, page.error().code, page.error().message);
  auto body = fmt::format("{{\"{}\":[", kind.name);
  for (auto& x : page->rows) {
    if (&x != &page->rows.front()) body += ",\n";
    kind.write(body, x, "");
  }
  body += fmt::format("],\"rows\":{},\"truncated\":{}", page->rows.size(), page->next.has_value());
  if (page->next) body += fmt::format(",\"next_from\":\"{}\"", to_string(*page->next));
  return {200, "application/json", body + "}\n"};
}

} // namespace

http_response answer_bars(const node_context& node, const http_request& request) {
  return answer_rows(node, bar_rows, request);
}

http_response answer_features(const node_context& node, const http_request& request) {
  return answer_rows(node, feature_rows, request);
}

http_response answer_signals(const node_context& node, const http_request& request) {
  return answer_rows(node, signal_rows, request);
}

http_response answer_signal(const node_context& node, const std::string& signal_id) {
  auto found = find_signal(*node.log, signal_id);
  if (!found) return problem(500, found.error().code, found.error().message);
  if (!*found)
    return problem(404, errc::not_found,
                   "there is no signal \"" + excerpt(signal_id) + "\"; /v1/signals?symbol=SPY lists those of a symbol");
  std::string body;
  append_signal_json(body, **found, "");
  return {200, "application/json", body + "\n"};
}

} // namespace finstream
