#include "cli/lane_client.hpp"

#include "runtime/clock/clock.hpp"
#include "runtime/server/http_client.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fmt/core.h>

namespace finstream {

namespace {

constexpr nanoseconds patience = 300 * second;      // with a node that has no room: live data goes first
constexpr nanoseconds heal_patience = 600 * second; // without any progress
constexpr nanoseconds poll_interval = 200 * millisecond;
constexpr nanoseconds progress_interval = 2 * second;
constexpr const char* again = "; run this again when the node is there: what it has is not taken twice";

std::string percent_encoded(const std::string& text) {
  std::string out;
  for (auto c : text) {
    auto plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

healed_counts counts_of(const nlohmann::json& x) {
  return {x.value("bars_new", std::uint64_t{0}), x.value("bars_revised", std::uint64_t{0}),
          x.value("features", std::uint64_t{0}), x.value("signals", std::uint64_t{0})};
}

failure refusal(const nlohmann::json& problem) {
  auto detail = problem.is_object() ? problem.value("detail", "") : "";
  auto temporary = problem.is_object() && problem.value("temporary", false);
  return {temporary ? errc::overloaded : errc::invalid_argument, "the node says: " + detail};
}

} // namespace

void add_lane_options(CLI::App& verb, lane_options& o) {
  add_config_option(verb, o.config);
  verb.add_option("--node", o.node, "HOST:PORT of the node; without it, the config's gateway")->type_name("HOST:PORT");
  verb.add_flag("--dry-run", o.dry_run, "Say what would change, and write nothing");
}

expected<lane_client> lane_client::connect(const lane_options& o) {
  auto config = settings_from(o.config);
  if (!config) return tl::unexpected{config.error()};
  lane_client out;
  out.dry_run_ = o.dry_run;
  out.most_bytes_ = config->backfill.max_post_bytes;
  out.host_ = config->gateway.address == "0.0.0.0" ? "127.0.0.1" : config->gateway.address;
  out.port_ = static_cast<std::uint16_t>(config->gateway.port);
  if (!o.node.empty()) {
    auto url = o.node.starts_with("http://") ? o.node.substr(7) : o.node;
    auto colon = url.rfind(':');
    auto port = colon == std::string::npos ? 0 : std::atoi(url.c_str() + colon + 1);
    if (port <= 0 || port > 65535) return fail(errc::invalid_argument, "--node: say HOST:PORT, such as 127.0.0.1:8080");
    out.host_ = url.substr(0, colon), out.port_ = static_cast<std::uint16_t>(port);
  }
  auto state = out.ask_state();
  if (!state) return tl::unexpected{state.error()};
  out.before_ = state->healed;
  return out;
}

expected<lane_client::state> lane_client::ask_state() const {
  auto answer = ask_http({host_, port_, "GET", "/v1/backfill", ""});
  if (!answer) return fail(answer.error().code, answer.error().message + again);
  auto said = nlohmann::json::parse(answer->body, nullptr, false);
  if (answer->status != 200) return tl::unexpected{refusal(said)};
  if (!said.is_object()) return fail(errc::io_failure, "the node's answer cannot be read");
  return state{said.value("healing", false), said.value("owed_windows", std::uint64_t{0}), counts_of(said)};
}

expected<void> lane_client::post(const std::string& feed, std::string_view lines) {
  while (!lines.empty()) {
    auto piece = lines.substr(0, most_bytes_);
    if (piece.size() < lines.size()) {
      auto end = piece.rfind('\n');
      if (end == std::string_view::npos)
        return fail(errc::line_too_long, fmt::format("a line is over {} bytes", most_bytes_));
      piece = piece.substr(0, end + 1);
    }
    if (auto taken = post_piece(feed, piece); !taken) return taken;
    lines.remove_prefix(piece.size());
  }
  return {};
}

expected<void> lane_client::post_piece(const std::string& feed, std::string_view lines) {
  http_question question{host_, port_, "POST", "/v1/backfill?feed=" + percent_encoded(feed), std::string{lines}};
  question.content_type = "application/x-ndjson";
  if (is_retry_) question.target += "&retry=true";
  if (dry_run_) question.target += "&dry_run=true";
  auto give_up_at = system_clock().monotonic() + patience;
  for (;;) {
    auto answer = ask_http(question);
    if (!answer) return fail(answer.error().code, answer.error().message + again);
    auto said = nlohmann::json::parse(answer->body, nullptr, false);
    auto wait = (said.is_object() ? said.value("wait_ms", std::int64_t{200}) : 200) * millisecond;
    if (answer->status != 200) {
      auto why = refusal(said);
      if (!is_temporary(why.code) || system_clock().monotonic() > give_up_at) return tl::unexpected{why};
      show_progress();
      pause(std::max(wait, 10 * millisecond));
      continue;
    }
    if (!said.is_object()) return fail(errc::io_failure, "the node's answer cannot be read");
    auto number = [&](const char* name) { return said.value(name, std::uint64_t{0}); };
    auto taken = number("taken"), duplicates = number("duplicates"), letters = number("dead_letters");
    auto trimmed = said["trimmed"].value("events", std::uint64_t{0});
    if (trimmed != 0) {
      auto from = parse_timestamp(said["trimmed"].value("from", "")),
           to = parse_timestamp(said["trimmed"].value("to", ""));
      if (from && (totals_.trimmed == 0 || *from < totals_.trimmed_from)) totals_.trimmed_from = *from;
      if (to && (totals_.trimmed == 0 || *to > totals_.trimmed_to)) totals_.trimmed_to = *to;
    }
    if (totals_.dead_letters == 0)
      for (auto& why : said["dead_letter_reasons"])
        fmt::print(stderr, "finstream: a line cannot be used: {}\n", why.get<std::string>());
    totals_.sent += taken + duplicates + letters + trimmed;
    totals_.taken += taken, totals_.duplicates += duplicates, totals_.dead_letters += letters;
    totals_.trimmed += trimmed;
    totals_.healed += counts_of(said["would_heal"]);
    show_progress();
    if (wait > 0) pause(wait);
    return {};
  }
}

expected<void> lane_client::finish() {
  if (dry_run_) return {};
  auto changed_at = system_clock().monotonic();
  std::optional<state> last;
  for (;;) {
    auto now = ask_state();
    if (!now) {
      if (now.error().code != errc::overloaded || system_clock().monotonic() - changed_at > patience)
        return tl::unexpected{now.error()};
      pause(poll_interval);
      continue;
    }
    totals_.owed_windows = now->owed_windows;
    auto& x = now->healed;
    totals_.healed = {x.bars_new - before_.bars_new, x.bars_revised - before_.bars_revised,
                      x.features - before_.features, x.signals - before_.signals};
    if (!now->healing) return {};
    if (!last || last->owed_windows != now->owed_windows || !(last->healed == now->healed))
      changed_at = system_clock().monotonic();
    if (system_clock().monotonic() - changed_at > heal_patience)
      return fail(errc::timed_out, "the node does not go on healing");
    last = *now;
    show_progress();
    pause(poll_interval);
  }
}

void lane_client::show_progress() {
  auto now = system_clock().monotonic();
  if (now - told_at_ < progress_interval) return;
  if (told_at_ != 0)
    fmt::print(stderr, "finstream: {} events sent, {} taken, {} windows are to be healed\n", totals_.sent,
               totals_.taken, totals_.owed_windows);
  told_at_ = now;
}

std::string lane_client::summary() const {
  auto& x = totals_;
  auto out = fmt::format("{} events sent: {} {}, {} duplicates, {} dead letters", x.sent, x.taken,
                         dry_run_ ? "would be taken" : "taken", x.duplicates, x.dead_letters);
  if (x.trimmed != 0)
    out += fmt::format(", {} refused (of {} to {}: the other events of these bars are no longer in the log)", x.trimmed,
                       to_string(x.trimmed_from), to_string(x.trimmed_to));
  out += fmt::format("; {} bars {}new, {} revised, {} feature vectors, {} signals", x.healed.bars_new,
                     dry_run_ ? "would be " : "", x.healed.bars_revised, x.healed.features, x.healed.signals);
  if (x.owed_windows != 0) out += fmt::format("; {} windows are healed when live data has passed them", x.owed_windows);
  return out;
}

} // namespace finstream
