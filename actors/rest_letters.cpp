// What /v1/dead-letters answers.
#include "actors/rest.hpp"
#include "messages/value/excerpt.hpp"
#include "runtime/store/letter_store.hpp"

#include <charconv>
#include <fmt/core.h>

namespace finstream {

namespace {

constexpr std::uint64_t default_letters = 100, most_letters = 1000;
constexpr std::size_t most_bytes = 16u << 20; // other requests wait while one is answered
constexpr const char* parameters = "code, feed, stage, since, before and limit";

struct letters_asked_for {
  letter_query query;
  std::uint64_t limit = default_letters;
};

expected<void> take(letters_asked_for& out, const std::string& key, const std::string& text) {
  if (key == "feed") return out.query.feed = text, expected<void>{};
  if (key == "stage") return out.query.stage = text, expected<void>{};
  if (key == "code") return parse_code(text).map([&](errc x) { out.query.code = x; });
  if (key == "limit") {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.limit);
    if (error == std::errc{} && end == text.data() + text.size() && out.limit > 0 && out.limit <= most_letters)
      return {};
    return fail(errc::invalid_argument, fmt::format("limit: 1 to {} letters", most_letters));
  }
  if (key != "since" && key != "before")
    return fail(errc::invalid_argument, "there is no parameter \"" + excerpt(key) + "\": " + parameters);
  auto time = parse_timestamp_or_day(text);
  if (!time) return fail(errc::invalid_argument, key + ": " + time.error().message);
  if (key == "since")
    out.query.from = *time;
  else
    out.query.before = *time;
  return {};
}

} // namespace

http_response answer_dead_letters(const node_context& node, const http_request& request) {
  letters_asked_for asked;
  for (auto& [key, text] : request.query)
    if (auto taken = take(asked, key, text); !taken) return problem(400, taken.error().code, taken.error().message);
  auto found = find_newest_letters(*node.log, node.config->partitions, asked.query, asked.limit, most_bytes);
  if (!found) return problem(500, found.error().code, found.error().message);
  std::string body = "{\"letters\":[";
  for (auto& x : found->letters) {
    if (&x != &found->letters.front()) body += ",\n";
    append_letter_json(body, x);
  }
  return {200, "application/json",
          body + fmt::format("],\"rows\":{},\"complete\":{}}}\n", found->letters.size(), found->is_complete)};
}

http_response answer_dead_letter(const node_context& node, const std::string& id) {
  auto found = find_letter(*node.log, id);
  if (!found) {
    auto& why = found.error();
    auto status = why.code == errc::invalid_argument ? 400
                  : why.code == errc::not_found      ? 404
                  : why.code == errc::trimmed        ? 410
                                                     : 500;
    return problem(status, why.code, why.message);
  }
  std::string body;
  append_letter_json(body, *found);
  return {200, "application/json", body + "\n"};
}

} // namespace finstream
