// What /v1/lineage answers.
#include "actors/lineage_json.hpp"
#include "actors/rest.hpp"
#include "messages/value/excerpt.hpp"

#include <algorithm>
#include <charconv>

namespace finstream {

namespace {

constexpr std::string_view signal_prefix = "signal/";

// Other requests wait while one is answered: less is looked at than the command line would.
lineage_limits limits_over_http() {
  lineage_limits out;
  out.read_bytes = 32u << 20;
  out.vectors_looked_at = 5000;
  return out;
}

int status_of(errc code) {
  switch (code) {
  case errc::invalid_argument: return 400;
  case errc::not_found: return 404;
  case errc::trimmed: return 410;
  default: return 500;
  }
}

// All of these parameters and no others.
expected<std::vector<std::string>> read_all(const http_request& request, const std::vector<std::string>& names,
                                            const char* example) {
  std::vector<std::string> out;
  for (auto& name : names) {
    auto at = request.query.find(name);
    if (at == request.query.end() || at->second.empty())
      return fail(errc::invalid_argument, "which " + name + "? Say " + example);
    out.push_back(at->second);
  }
  for (auto& [key, text] : request.query)
    if (std::find(names.begin(), names.end(), key) == names.end())
      return fail(errc::invalid_argument, "there is no parameter \"" + excerpt(key) + "\". Say " + example);
  return out;
}

expected<bar_name> read_bar_name(const http_request& request) {
  auto values = read_all(request, {"provider", "symbol", "interval", "start"},
                         "/v1/lineage/bar?provider=nyse&symbol=SPY&interval=1s&start=2026-11-21T13:00:00Z");
  if (!values) return tl::unexpected{values.error()};
  auto interval = parse_span((*values)[2]);
  if (!interval) return fail(errc::invalid_argument, "interval: " + interval.error().message);
  auto start = parse_timestamp_or_day((*values)[3]);
  if (!start) return fail(errc::invalid_argument, "start: " + start.error().message);
  return bar_name{(*values)[0], (*values)[1], *interval, *start};
}

template <class Number> bool read_number(const std::string& text, Number& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

template <class Lineage> http_response written(const node_context& node, const expected<Lineage>& found) {
  if (!found) return problem(status_of(found.error().code), found.error().code, found.error().message);
  std::string body;
  append_lineage_json(body, *found, node.log->recovery().epoch);
  return {200, "application/json", body + "\n"};
}

} // namespace

http_response answer_lineage(const node_context& node, const http_request& request, const std::string& of) {
  auto partitions = static_cast<std::uint32_t>(node.config->partitions);
  auto limits = limits_over_http();
  if (of.starts_with(signal_prefix))
    return written(node, lineage_of_signal(*node.log, partitions, limits, of.substr(signal_prefix.size())));
  if (of == "bar") {
    auto name = read_bar_name(request);
    return written(node,
                   name.and_then([&](const bar_name& x) { return lineage_of_bar(*node.log, partitions, limits, x); }));
  }
  if (of == "event") {
    auto values = read_all(request, {"partition", "offset"}, "/v1/lineage/event?partition=0&offset=4711");
    if (!values) return problem(400, values.error().code, values.error().message);
    std::uint16_t partition = 0;
    std::uint64_t offset = 0;
    if (!read_number((*values)[0], partition) || !read_number((*values)[1], offset))
      return problem(400, errc::invalid_argument,
                     "partition and offset are numbers. Say /v1/lineage/event?partition=0&offset=4711");
    return written(node, lineage_of_event(*node.log, partitions, limits, partition, offset));
  }
  return problem(404, errc::not_found,
                 "there are /v1/lineage/signal/<signal_id>, /v1/lineage/bar?provider&symbol&interval&start and "
                 "/v1/lineage/event?partition&offset");
}

} // namespace finstream
