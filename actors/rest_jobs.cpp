// /v1/jobs: what ran when, the newest first.
#include "actors/rest.hpp"
#include "messages/codec/json.hpp"
#include "messages/value/excerpt.hpp"
#include "runtime/store/job_store.hpp"

#include <charconv>
#include <deque>
#include <fmt/core.h>

namespace finstream {

namespace {
constexpr std::size_t default_rows = 100;
} // namespace

http_response answer_jobs(const node_context& node, const http_request& request) {
  std::size_t limit = default_rows;
  for (auto& [key, text] : request.query) {
    if (key != "limit")
      return problem(400, errc::invalid_argument, "there is no parameter \"" + excerpt(key) + "\": limit");
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc{} || end != text.data() + text.size() || limit == 0 || limit > most_job_runs)
      return problem(400, errc::invalid_argument, fmt::format("limit: 1 to {} rows", most_job_runs));
  }
  std::deque<job_run> newest;
  auto read = scan_jobs(*node.log, [&](const job_run& x) {
    newest.push_front(x);
    if (newest.size() > limit) newest.pop_back();
    return true;
  });
  if (!read) return problem(500, read.error().code, read.error().message);
  std::string body = R"({"jobs":[)";
  for (auto& x : newest) {
    if (&x != &newest.front()) body += ",\n";
    append_job_run_json(body, x);
  }
  return {200, "application/json", body + fmt::format("],\"rows\":{}}}\n", newest.size())};
}

} // namespace finstream
