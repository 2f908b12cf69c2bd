// /v1/backfill: lines of the past come in here, and are told what became of them.
#include "actors/rest.hpp"

#include "actors/backfill_lane.hpp"
#include "messages/codec/json.hpp"

#include <caf/send.hpp>
#include <fmt/core.h>

namespace finstream {

namespace {

constexpr const char* default_feed = "backfill"; // the provider of lines that name none
constexpr std::string_view lines_type = "application/x-ndjson";
constexpr const char* example =
  "say POST /v1/backfill?feed=NAME[&dry_run=true][&retry=true] with a feed's lines as the body";

// A problem, and when to try again.
http_response refusal(const backfill_answer& x) {
  auto out = problem(is_temporary(x.refused.code) ? 503 : 400, x.refused.code, x.refused.message);
  out.body.pop_back();
  out.body += fmt::format(R"(,"wait_ms":{}}})", x.wait_ms);
  return out;
}

} // namespace

http_response written(const backfill_answer& x) {
  if (x.refused.code != errc::none) return refusal(x);
  auto body = fmt::format(R"({{"taken":{},"duplicates":{},"dead_letters":{},"wait_ms":{})", x.taken, x.duplicates,
                          x.dead_letters, x.wait_ms);
  body += fmt::format(R"(,"would_heal":{{"bars_new":{},"bars_revised":{},"features":{},"signals":{}}})",
                      x.would_heal.bars_new, x.would_heal.bars_revised, x.would_heal.features, x.would_heal.signals);
  body += R"(,"dead_letter_reasons":[)";
  for (auto& why : x.dead_letter_why) {
    if (&why != &x.dead_letter_why.front()) body += ',';
    append_json_string(body, why);
  }
  body += fmt::format(R"(],"trimmed":{{"events":{})", x.trimmed);
  if (x.trimmed != 0)
    body += fmt::format(R"(,"from":"{}","to":"{}","detail":"the other events of these bars are no longer in the log")",
                        to_string(x.trimmed_from), to_string(x.trimmed_to));
  return {200, "application/json", body + "}}\n"};
}

void answer_backfill(const node_context& node, http_request request, respond answer) {
  auto post = std::make_shared<backfill_post>();
  post->feed = default_feed;
  for (auto& [name, value] : request.query) {
    if (name == "feed" && !value.empty())
      post->feed = value;
    else if ((name == "dry_run" || name == "retry") && (value == "true" || value == "false"))
      (name == "dry_run" ? post->dry_run : post->is_retry) = value == "true";
    else
      return answer(problem(400, errc::invalid_argument, example));
  }
  if (request.method != "POST") return answer(problem(405, errc::invalid_argument, fmt::format("{}, or GET", example)));
  // A page in someone's browser can post what it likes, but not under this name.
  if (request.content_type != lines_type)
    return answer(problem(415, errc::invalid_argument, fmt::format("the content type must be {}", lines_type)));
  if (request.body.size() > node.config->backfill.max_post_bytes)
    return answer(problem(413, errc::invalid_argument,
                          fmt::format("at most {} bytes at a time", node.config->backfill.max_post_bytes)));
  auto lane = node.where->find_as<backfill_actor>(backfill_path);
  if (!lane) return answer(problem(503, errc::stopped, "the backfill lane is being started"));
  post->lines = std::move(request.body);
  post->answer = [answer](const backfill_answer& x) { answer(written(x)); };
  caf::anon_send(lane, verb::append_v, backfill_post_ptr{std::move(post)});
}

} // namespace finstream
