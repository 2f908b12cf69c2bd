#include "actors/gateway.hpp"

#include "actors/backfill_lane.hpp"
#include "actors/rest.hpp"
#include "actors/session.hpp"
#include "messages/codec/json.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/core.h>

namespace finstream {

namespace {
constexpr auto status_deadline = std::chrono::seconds{1};     // for one actor to say how it is
constexpr auto lane_deadline = std::chrono::seconds{5};       // for the backfill lane, which reads the disk
constexpr nanoseconds goodbye_deadline = 2 * second;          // for clients to take their close frame
constexpr std::string_view signal_path = "/v1/signals/";      // and the signal's id
constexpr std::string_view letter_path = "/v1/dead-letters/"; // and the letter's id
constexpr std::string_view lineage_path = "/v1/lineage/";     // and of what
} // namespace

std::uint64_t request_desk::put(http_request request, respond answer) {
  std::lock_guard lock{mutex_};
  waiting_.emplace(next_, std::pair{std::move(request), std::move(answer)});
  return next_++;
}

bool request_desk::take(std::uint64_t number, http_request& request, respond& answer) {
  std::lock_guard lock{mutex_};
  auto at = waiting_.find(number);
  if (at == waiting_.end()) return false;
  std::tie(request, answer) = std::move(at->second);
  waiting_.erase(at);
  return true;
}

void gateway_state::prepare(node_context* context, std::shared_ptr<client_links> links,
                            std::shared_ptr<std::atomic<int>> port) {
  context_ = context;
  links_ = std::move(links);
  port_ = std::move(port);
}

// The hub forgets the connections.
gateway_state::~gateway_state() {
  for (auto& [id, session] : sessions_) {
    forget(id, session);
    caf::anon_send(session, verb::stop_v);
  }
  if (links_) links_->set_socket(nullptr);
}

gateway_state::interface::behavior_type gateway_state::behavior() {
  requests_ = &context_->metrics->http_requests();
  self_->set_down_handler([this](const caf::down_msg& down) { on_session_down(down); });
  listen();
  return {
    [this](verb::ask, std::uint64_t number) { on_ask(number); },
    [this](verb::opened, std::uint64_t connection) { on_opened(connection); },
    [this](verb::said, std::uint64_t connection, const std::string& text) { on_said(connection, text); },
    [this](verb::closed, std::uint64_t connection, std::uint16_t code, const std::string& reason) {
      on_closed(connection, code, reason);
    },
    [this](verb::stop) { on_stop(); },
    [this](verb::status) { return status(); },
  };
}

// What the server's thread finds, it tells by message. A port that is taken is a crash: the supervisor says it and
// tries again.
void gateway_state::listen() {
  auto& config = context_->config->gateway;
  server_options options;
  options.address = config.address;
  options.port = static_cast<std::uint16_t>(port_->load());
  options.first_connection = links_->first_free_number();
  options.max_connections = config.max_connections;
  options.max_queue_bytes = config.max_queue_bytes;
  options.max_body_bytes = std::max(options.max_body_bytes, context_->config->backfill.max_post_bytes);
  options.max_queue_age = config.max_queue_age_ms * millisecond;
  options.request_deadline = config.request_deadline_ms * millisecond;
  auto me = caf::actor_cast<caf::actor>(self_);
  server_events events;
  events.on_request = [me, desk = desk_](http_request request, respond answer) {
    caf::anon_send(me, verb::ask_v, desk->put(std::move(request), std::move(answer)));
  };
  events.on_open = [me, links = links_](connection_ptr who) {
    auto id = who->id();
    links->open(std::move(who));
    caf::anon_send(me, verb::opened_v, id);
  };
  events.on_text = [me](const connection_ptr& who, std::string text) {
    caf::anon_send(me, verb::said_v, who->id(), std::move(text));
  };
  events.on_slow_warning = [time = context_->time, limit = config.max_queue_bytes](
                             const connection_ptr&, std::uint64_t queued, nanoseconds age) {
    return std::make_shared<const block>(block{
      fmt::format(R"({{"type":"slow_warning","queued":{},"limit":{},"age_ms":{}}})", queued, limit, age / millisecond),
      1, time->monotonic()});
  };
  events.on_room = [where = context_->where] {
    if (auto hub = where->find_as<hub_actor>("/hub")) caf::anon_send(hub, verb::has_room_v);
  };
  events.on_closed = [me, links = links_](const connection_ptr& who, std::uint16_t code, std::string reason) {
    links->close(who->id());
    caf::anon_send(me, verb::closed_v, who->id(), code, std::move(reason));
  };
  auto started = start_server(options, std::move(events));
  if (!started) throw std::runtime_error(started.error().message);
  port_->store((*started)->port());
  links_->set_socket(std::move(*started));
  log::info("/gateway",
            "http://{}:{} is open: /healthz /readyz /metrics /v1/bars /v1/features /v1/signals /v1/tree, WebSocket "
            "/v1/stream",
            config.address, port_->load());
}

void gateway_state::on_ask(std::uint64_t number) {
  http_request request;
  respond answer;
  if (!desk_->take(number, request, answer)) return;
  requests_->add();
  auto& path = request.path;
  if (path == "/v1/admin/crash" && context_->config->gateway.crash_hook) return crash(request, answer);
  if (path == "/v1/backfill" && request.method == "GET") return answer_lane_status(std::move(answer));
  if (path == "/v1/backfill") return answer_backfill(*context_, std::move(request), std::move(answer));
  if (request.method != "GET" && request.method != "HEAD")
    return answer(problem(405, errc::invalid_argument, "only GET is answered here"));
  if (path == "/healthz") return answer(answer_health(*context_));
  if (path == "/readyz") return answer(answer_readiness(*context_));
  if (path == "/metrics") return answer(answer_metrics(*context_));
  if (path == "/v1/bars") return answer(answer_bars(*context_, request));
  if (path == "/v1/tree") return answer_tree(std::move(answer));
  if (path == "/v1/features") return answer(answer_features(*context_, request));
  if (path == "/v1/jobs") return answer(answer_jobs(*context_, request));
  if (path == "/v1/signals") return answer(answer_signals(*context_, request));
  if (path.starts_with(signal_path)) return answer(answer_signal(*context_, path.substr(signal_path.size())));
  if (path == "/v1/dead-letters") return answer(answer_dead_letters(*context_, request));
  if (path.starts_with(letter_path)) return answer(answer_dead_letter(*context_, path.substr(letter_path.size())));
  if (path.starts_with(lineage_path))
    return answer(answer_lineage(*context_, request, path.substr(lineage_path.size())));
  answer(problem(404, errc::not_found,
                 "there are /healthz, /readyz, /metrics, /v1/bars, /v1/features, /v1/signals, /v1/lineage, /v1/jobs, "
                 "/v1/dead-letters, /v1/backfill and /v1/tree, and the WebSocket /v1/stream"));
}

// Asks every actor how it is; who does not answer in time is shown with its gauge alone.
void gateway_state::answer_tree(respond answer) {
  struct gathering {
    std::map<std::string, std::string> states; // by path
    std::vector<std::shared_ptr<actor_gauge>> gauges;
    std::size_t missing = 0;
    respond answer;
  };
  auto all = std::make_shared<gathering>();
  all->gauges = context_->where->gauges();
  all->answer = std::move(answer);
  auto finish_one = [this, all] {
    if (--all->missing != 0) return;
    auto now = context_->time->monotonic();
    std::string body = "{\"actors\":[";
    for (auto& gauge : all->gauges) {
      if (&gauge != &all->gauges.front()) body += ",\n";
      body += tree_line(*gauge, all->states[gauge->path], now);
    }
    all->answer({200, "application/json", body + "]}\n"});
  };
  all->missing = all->gauges.size() + 1; // and this function's own end
  for (auto& gauge : all->gauges) {
    auto who = context_->where->find_as<observable>(gauge->path);
    if (!who || who == self_) {
      if (who) all->states[gauge->path] = status().state;
      finish_one();
      continue;
    }
    self_->request(who, status_deadline, verb::status_v)
      .then([=](const status_report& report) { all->states[report.path] = report.state, finish_one(); },
            [=](const caf::error&) { finish_one(); });
  }
  finish_one();
}

void gateway_state::answer_lane_status(respond answer) {
  auto lane = context_->where->find_as<backfill_actor>(backfill_path);
  if (!lane) return answer(problem(503, errc::stopped, "the backfill lane is being started"));
  self_->request(lane, lane_deadline, verb::status_v)
    .then(
      [=](const status_report& report) {
        answer({200, "application/json", report.state + "\n"});
      },
      [=](const caf::error&) { answer(problem(503, errc::timed_out, "the backfill lane is busy")); });
}

void gateway_state::crash(const http_request& request, const respond& answer) {
  auto at = request.query.find("actor");
  if (request.method != "POST" || at == request.query.end())
    return answer(problem(400, errc::invalid_argument, "POST /v1/admin/crash?actor=/partitions/0/window"));
  if (!context_->where->ask_crash(at->second))
    return answer(problem(404, errc::not_found, "no actor at " + at->second));
  answer({202, "application/json", "{\"status\":\"asked\"}\n"});
}

// ---- sessions

void gateway_state::on_opened(std::uint64_t connection) {
  auto path = "/sessions/" + std::to_string(connection);
  sessions_[connection] =
    spawn_metered<session_state>(self_->system(), *context_->where, path,
                                 [=, this](session_state& state) { state.prepare(context_, links_, connection); });
  self_->monitor(sessions_[connection]);
}

// A session that crashed cannot answer its client any more, who is sent away to come back.
void gateway_state::on_session_down(const caf::down_msg& down) {
  auto at =
    std::find_if(sessions_.begin(), sessions_.end(), [&](auto& x) { return x.second.address() == down.source; });
  if (at == sessions_.end()) return; // closed, as is usual
  auto id = at->first;
  log::error("/sessions/" + std::to_string(id), "crashed: {}", self_->system().render(down.reason));
  forget(id, at->second);
  sessions_.erase(at);
  if (auto who = links_->find(id)) who->close(close_code::shutdown, "its session has crashed: connect again");
}

void gateway_state::forget(std::uint64_t connection, const session_actor& session) {
  context_->where->leave("/sessions/" + std::to_string(connection), session.address());
  if (auto hub = context_->where->find_as<hub_actor>("/hub"))
    caf::anon_send(hub, subscription_change{connection, false, true, {}});
}

void gateway_state::on_said(std::uint64_t connection, std::string text) {
  if (auto at = sessions_.find(connection); at != sessions_.end())
    self_->send(at->second, verb::said_v, std::move(text));
}

void gateway_state::on_closed(std::uint64_t connection, std::uint16_t code, std::string reason) {
  auto at = sessions_.find(connection);
  if (at == sessions_.end()) return;
  log::debug("/gateway", "client {}: {} {}", connection, code, reason);
  if (code == static_cast<std::uint16_t>(close_code::slow_client))
    if (auto told = slow_clients_told_.add(1, context_->time->monotonic()))
      log::warning("/gateway", "{} clients were too slow and are closed, the last: {} {}", *told, connection, reason);
  context_->where->leave("/sessions/" + std::to_string(connection), at->second.address());
  self_->send(at->second, verb::closed_v, code, std::move(reason));
  sessions_.erase(at);
}

void gateway_state::on_stop() {
  if (auto socket = links_->socket()) socket->stop(goodbye_deadline);
  self_->quit();
}

status_report gateway_state::status() const {
  auto socket = links_->socket();
  auto s = socket ? socket->statistics() : server_statistics{};
  return {
    "/gateway",
    fmt::format(
      R"({{"port":{},"connections":{},"accepted":{},"refused":{},"sent_records":{},"sent_bytes":{},"writes":{},"slow_closed":{}}})",
      port_->load(), s.connections, s.accepted, s.refused, s.sent_records, s.sent_bytes, s.writes, s.slow_closed)};
}

} // namespace finstream
