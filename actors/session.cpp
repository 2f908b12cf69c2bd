#include "actors/session.hpp"

#include "messages/codec/command_json.hpp"
#include "messages/codec/json.hpp"
#include "messages/command/wire_protocol.hpp"
#include "messages/value/excerpt.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

namespace finstream {

namespace {
constexpr auto hub_deadline = std::chrono::seconds{5};

std::optional<std::int64_t> id_of(const client_command& x) { return x.has_id ? std::optional{x.id} : std::nullopt; }
} // namespace

void session_state::prepare(node_context* context, std::shared_ptr<client_links> links, std::uint64_t connection) {
  context_ = context;
  links_ = std::move(links);
  connection_ = connection;
}

session_state::interface::behavior_type session_state::behavior() {
  greet();
  return {
    [this](verb::said, const std::string& text) { on_said(text); },
    [this](verb::closed, std::uint16_t, const std::string&) { on_closed(); },
    [this](verb::stop) { self_->quit(); },
    [this](verb::status) -> status_report {
      return {"/sessions/" + std::to_string(connection_), "{}"};
    },
  };
}

void session_state::greet() {
  auto& config = *context_->config;
  std::string text = R"({"type":"hello","node":)";
  append_json_string(text, config.node_name);
  text += fmt::format(R"(,"version":"{}","protocol":"finstream.v1.json","session":"{}","epoch":{},)"
                      R"("limits":{{"subscriptions":{},"queue_bytes":{},"queue_age_ms":{}}}}})",
                      context_->version, connection_, context_->log->recovery().epoch, config.gateway.max_subscriptions,
                      config.gateway.max_queue_bytes, config.gateway.max_queue_age_ms);
  reply(std::move(text));
}

void session_state::on_said(const std::string& text) {
  std::optional<std::int64_t> id;
  auto command = parse_command(text, &id);
  if (command && command->action == "subscribe") return on_subscription(std::move(*command), true);
  if (command && command->action == "unsubscribe") return on_subscription(std::move(*command), false);
  if (command)
    on_question(*command);
  else
    refuse(id, command.error().code, command.error().message);
  handled();
}

void session_state::on_question(const client_command& command) {
  if (command.action == "hello") return greet();
  if (command.action == "ping") {
    std::string pong = R"({"type":"pong")";
    if (command.has_id) pong += ",\"id\":", append_json_integer(pong, command.id);
    pong += ",\"ts\":";
    append_json_timestamp(pong, context_->time->now());
    return reply(pong + "}");
  }
  refuse(id_of(command), errc::bad_command,
         "this node has no action \"" + excerpt(command.action) + "\"; there are " + wire_actions());
}

// Nothing else of this client is looked at until the hub has taken it over.
void session_state::on_subscription(client_command command, bool add) {
  auto reject = [this](const client_command& what, errc code, const std::string& message) {
    refuse(id_of(what), code, message);
    handled();
  };
  if (command.channels.empty())
    return reject(command, errc::bad_command, "which channels? Say \"channels\":[\"bars.1s.*\"]");
  auto wanted = channels_;
  for (auto& channel : command.channels) {
    auto pattern = find_channel(channel);
    if (!pattern) return reject(command, pattern.error().code, pattern.error().message);
    if (add)
      wanted.insert(*pattern);
    else
      wanted.erase(*pattern);
  }
  auto limit = context_->config->gateway.max_subscriptions;
  if (add && wanted.size() > limit)
    return reject(command, errc::overloaded, fmt::format("a connection may have {} subscriptions", limit));
  auto hub = context_->where->find_as<hub_actor>("/hub");
  if (!hub) return reject(command, errc::overloaded, "the node is starting: try again");
  self_->request(hub, hub_deadline, subscription_change{connection_, add, false, command})
    .await(
      [=, this] {
        channels_ = wanted;
        handled();
      },
      [=](const caf::error&) { reject(command, errc::overloaded, "the node could not take it over: try again"); });
}

expected<channel_pattern> session_state::find_channel(const std::string& text) const {
  auto pattern = parse_channel(text);
  if (!pattern || pattern->what != channel_pattern::kind::bars || pattern->interval == "*") return pattern;
  std::string known;
  for (auto interval : context_->config->windows.intervals) {
    if (span_to_string(interval) == pattern->interval) return pattern;
    known += (known.empty() ? "" : ", ") + span_to_string(interval);
  }
  return fail(errc::bad_command, "there are no bars of " + pattern->interval + " on this node, only of " + known);
}

// The server may read on.
void session_state::handled() {
  if (auto from = links_->find(connection_)) from->handled();
}

void session_state::refuse(std::optional<std::int64_t> id, errc code, const std::string& message) {
  std::string text = R"({"type":"error")";
  if (id) text += ",\"id\":", append_json_integer(text, *id);
  text += fmt::format(R"(,"code":{},"name":"{}","temporary":{},"message":)", static_cast<int>(code), to_string(code),
                      is_temporary(code));
  append_json_string(text, message);
  reply(text + "}");
}

void session_state::reply(std::string object) {
  if (auto to = links_->find(connection_))
    to->send(std::make_shared<const block>(block{std::move(object), 1, context_->time->monotonic()}));
}

void session_state::on_closed() {
  if (auto hub = context_->where->find_as<hub_actor>("/hub"))
    self_->send(hub, subscription_change{connection_, false, true, {}});
  self_->quit();
}

} // namespace finstream
