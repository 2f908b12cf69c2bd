// GATEWAY: HTTP and WebSocket for clients. It owns the server's socket, answers requests, and gives each WebSocket a
// session.
#pragma once

#include "actors/context.hpp"
#include "actors/hub.hpp"
#include "actors/logic/seldom_told.hpp"
#include "messages/protocols.hpp"
#include "runtime/server/server.hpp"

#include <map>
#include <memory>
#include <mutex>

namespace finstream {

// Requests under way, handed from the server's thread to the gateway by number.
class request_desk {
public:
  std::uint64_t put(http_request request, respond answer);
  bool take(std::uint64_t number, http_request& request, respond& answer);

private:
  std::mutex mutex_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, std::pair<http_request, respond>> waiting_;
};

struct gateway_state {
  using interface = gateway_actor;
  static constexpr const char* name = "gateway";

  explicit gateway_state(actor_of<gateway_state>* self) : self_{self} {}
  ~gateway_state();
  void prepare(node_context* context, std::shared_ptr<client_links> links, std::shared_ptr<std::atomic<int>> port);
  interface::behavior_type behavior();

private:
  void listen();
  void on_ask(std::uint64_t number);
  void answer_tree(respond answer);
  void answer_lane_status(respond answer);
  void crash(const http_request& request, const respond& answer);
  void on_opened(std::uint64_t connection);
  void on_said(std::uint64_t connection, std::string text);
  void on_closed(std::uint64_t connection, std::uint16_t code, std::string reason);
  void on_session_down(const caf::down_msg& down);
  void forget(std::uint64_t connection, const session_actor& session);
  void on_stop();
  status_report status() const;

  actor_of<gateway_state>* self_;
  node_context* context_ = nullptr;
  std::shared_ptr<client_links> links_;
  std::shared_ptr<std::atomic<int>> port_; // in use: the same again after a crash
  std::shared_ptr<request_desk> desk_ = std::make_shared<request_desk>();
  std::map<std::uint64_t, session_actor> sessions_;
  seldom_told slow_clients_told_;
  metrics::counter* requests_ = nullptr;
};

} // namespace finstream
