// SESSION: one client's WebSocket. It greets, reads commands one after the other, refuses what makes no sense, and
// passes subscriptions on to the hub, which answers them in order with the data. Data never passes through here.
#pragma once

#include "actors/context.hpp"
#include "actors/hub.hpp"
#include "messages/protocols.hpp"

#include <memory>
#include <set>

namespace finstream {

struct session_state {
  using interface = session_actor;
  static constexpr const char* name = "session";

  explicit session_state(actor_of<session_state>* self) : self_{self} {}
  void prepare(node_context* context, std::shared_ptr<client_links> links, std::uint64_t connection);
  interface::behavior_type behavior();

private:
  void greet();
  void on_said(const std::string& text);
  void on_question(const client_command& command);
  void on_subscription(client_command command, bool add);
  expected<channel_pattern> find_channel(const std::string& text) const;
  void handled();
  void refuse(std::optional<std::int64_t> id, errc code, const std::string& message);
  void reply(std::string object);
  void on_closed();

  actor_of<session_state>* self_;
  node_context* context_ = nullptr;
  std::shared_ptr<client_links> links_;
  std::uint64_t connection_ = 0;
  std::set<channel_pattern> channels_; // as the hub has them
};

} // namespace finstream
