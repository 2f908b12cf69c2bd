#define CAF_SUITE gateway

#include "actors/gateway.hpp"
#include "actors/supervisor.hpp"
#include "runtime/server/stream_client.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace finstream;
using namespace finstream::test;

namespace {

// A whole node but for its feeds, on a free port.
struct gateway_world : world {
  gateway_world() : world{pace::threads} { config.gateway.port = 0; }
  ~gateway_world() { end_all(); }

  void start() {
    start_appender();
    start_window();
    supervisor_plan plan;
    plan.max_restarts = 1000;
    plan.children.push_back(
      {{"hub", restart_kind::permanent, second}, [this](caf::actor_system& s, const std::string& path) {
         return caf::actor_cast<caf::actor>(
           spawn_metered<hub_state>(s, where, path, [this](hub_state& state) { state.prepare(&context, links); }));
       }});
    plan.children.push_back(
      {{"gateway", restart_kind::permanent, 5 * second}, [this](caf::actor_system& s, const std::string& path) {
         return caf::actor_cast<caf::actor>(spawn_metered<gateway_state>(
           s, where, path, [this](gateway_state& state) { state.prepare(&context, links, port); }));
       }});
    spawn_supervisor(system(), &context, "/", plan);
    ensure(until([&] { return links->socket() && figures.partitions_caught_up == 1; }), "the gateway comes up");
  }
  // The whole answer, head and body; empty if there was none.
  std::string ask(const std::string& target, const std::string& method = "GET") {
    auto socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port->load()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval limit{60, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    std::string out;
    auto request = method + " " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
        ::send(socket, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
      char buffer[4096];
      for (ssize_t n = 0; (n = ::recv(socket, buffer, sizeof buffer, 0)) > 0;)
        out.append(buffer, static_cast<std::size_t>(n));
    }
    ::close(socket);
    return out;
  }
  int status_of(const std::string& target, const std::string& method = "GET") {
    auto answer = ask(target, method);
    return answer.size() < 12 ? 0 : std::atoi(answer.c_str() + 9);
  }
  void append(std::int64_t seq) {
    caf::anon_send(find<appender_actor>("/partitions/0/appender"), verb::append_v,
                   part_of({trade(at("09:30:00"), "10", "1", seq)}), static_cast<std::uint64_t>(seq),
                   listen().as<append_listener>());
  }

  std::shared_ptr<std::atomic<int>> port = std::make_shared<std::atomic<int>>(0);
};

// A client in a thread of its own that keeps all it gets until it is told to go or is sent away.
class stream {
public:
  stream(gateway_world& of, const std::string& first_command)
    : world_{of}, thread_{[this, &of, first_command] {
        auto ended = follow_stream("127.0.0.1", static_cast<std::uint16_t>(of.port->load()), "/v1/stream",
                                   first_command, [this](std::string_view text) {
                                     std::lock_guard guard{mutex_};
                                     all_ += text;
                                     return true;
                                   });
        std::lock_guard guard{mutex_};
        ended_ = true;
        if (!ended) why_ = ended.error().message; // with the close code
      }} {}
  ~stream() {
    if (auto socket = world_.links->socket(); socket && !ended()) socket->stop(second);
    thread_.join();
  }

  std::string text() const {
    std::lock_guard guard{mutex_};
    return all_;
  }
  bool got(const std::string& what) const { return text().find(what) != std::string::npos; }
  bool ended() const {
    std::lock_guard guard{mutex_};
    return ended_;
  }
  std::string why() const {
    std::lock_guard guard{mutex_};
    return why_;
  }

private:
  gateway_world& world_;
  mutable std::mutex mutex_;
  std::string all_, why_;
  bool ended_ = false;
  std::thread thread_;
};

bool has(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

} // namespace

CAF_TEST(each path is answered) {
  gateway_world w;
  w.start();
  CAF_CHECK(has(w.ask("/healthz"), R"({"status":"ok"})"));
  CAF_CHECK(has(w.ask("/readyz"), R"({"status":"ready"})"));
  auto metrics = w.ask("/metrics");
  CAF_CHECK(has(metrics, "text/plain; version=0.0.4") && has(metrics, "# TYPE finstream_http_requests_total counter"));
  CAF_CHECK(has(w.ask("/v1/bars?symbol=SPY&interval=1s"), R"({"bars":[],"rows":0,"truncated":false})"));
  CAF_CHECK_EQUAL(w.status_of("/healthz", "HEAD"), 200);
}

CAF_TEST(what is not there or makes no sense is a problem with a name) {
  gateway_world w;
  w.start();
  CAF_CHECK_EQUAL(w.status_of("/nothing"), 404);
  CAF_CHECK_EQUAL(w.status_of("/healthz", "POST"), 405);
  CAF_CHECK_EQUAL(w.status_of("/v1/bars", "DELETE"), 405);
  auto answer = w.ask("/v1/bars?symbol=SPY&interval=never");
  CAF_CHECK(has(answer, " 400 ") && has(answer, "application/problem+json") && has(answer, "invalid_argument"));
  w.figures.draining = true;
  CAF_CHECK_EQUAL(w.status_of("/readyz"), 503);
}

CAF_TEST(the tree shows every actor with its own words) {
  gateway_world w;
  w.start();
  auto silent = w.listen("/silent"); // does not know the question
  auto tree = w.ask("/v1/tree");
  CAF_CHECK_EQUAL(tree.find("HTTP/1.1 200"), 0u);
  for (auto path : {"/", "/gateway", "/hub", "/partitions/0/appender", "/partitions/0/window"})
    CAF_CHECK(has(tree, "{\"path\":\"" + std::string{path} + "\""));
  CAF_CHECK(has(tree, "\"next\":"));
  auto silent_line = tree.substr(tree.find("\"/silent\""));
  CAF_CHECK(has(silent_line.substr(0, silent_line.find('\n')), "\"state\":null"));
}

CAF_TEST(the crash hook is off unless the config turns it on) {
  {
    gateway_world w;
    w.start();
    CAF_CHECK_EQUAL(w.status_of("/v1/admin/crash?actor=/hub", "POST"), 405);
    CAF_CHECK_EQUAL(w.status_of("/v1/admin/crash?actor=/hub"), 404);
  }
  gateway_world w;
  w.config.gateway.crash_hook = true;
  w.start();
  auto hub = w.find<hub_actor>("/hub").address();
  CAF_CHECK_EQUAL(w.status_of("/v1/admin/crash?actor=/nobody", "POST"), 404);
  CAF_CHECK_EQUAL(w.status_of("/v1/admin/crash", "POST"), 400);
  CAF_CHECK_EQUAL(w.status_of("/v1/admin/crash?actor=/hub"), 400);
  CAF_CHECK_EQUAL(w.status_of("/v1/admin/crash?actor=/hub", "POST"), 202);
  CAF_CHECK(w.until([&] {
    auto now = w.find<hub_actor>("/hub");
    return now && now.address() != hub;
  }));
}

CAF_TEST(a client gets hello and its subscription and then the data) {
  gateway_world w;
  w.start();
  stream client{w, R"({"action":"subscribe","id":4,"channels":["ticks.*"]})"};
  CAF_CHECK(w.until([&] { return client.got(R"("type":"subscribed","id":4)"); }));
  CAF_CHECK_EQUAL(client.text().find(R"([{"type":"hello")"), 0u);
  w.append(1);
  CAF_CHECK(w.until([&] { return client.got(R"("type":"tick")"); }));
  CAF_CHECK_EQUAL(w.where.gauges().back()->path, "/sessions/1");
  w.tell(w.find<gateway_actor>("/gateway"), verb::stop_v);
  CAF_CHECK(w.until([&] { return client.ended(); }));
  CAF_CHECK(has(client.why(), "4001"));
}

CAF_TEST(a gateway that crashes comes back on its port and its old connections are forgotten) {
  gateway_world w;
  w.start();
  auto port = w.port->load();
  {
    stream client{w, R"({"action":"subscribe","channels":["ticks.*","status"]})"};
    CAF_CHECK(w.until([&] { return client.got(R"("type":"subscribed")"); }));
    auto gateway = w.find<gateway_actor>("/gateway").address();
    CAF_CHECK(w.where.ask_crash("/gateway"));
    CAF_CHECK(w.until([&] { return client.ended(); }));
    CAF_CHECK(w.until([&] {
      auto now = w.find<gateway_actor>("/gateway");
      return now && now.address() != gateway && w.links->socket();
    }));
  }
  CAF_CHECK_EQUAL(w.port->load(), port);
  CAF_CHECK_EQUAL(w.status_of("/healthz"), 200);
  CAF_CHECK(w.until([&] { return w.links->count() == 0 && !w.where.find("/sessions/1"); }));
  // Its number is 1 again, and it has not asked for ticks.
  stream next{w, R"({"action":"subscribe","channels":["bars.60s.NONE"]})"};
  CAF_CHECK(w.until([&] { return next.got(R"("channels":["bars.60s.NONE"])"); }));
  w.tell(w.find<hub_actor>("/hub"), sys_event{sys_kind::node, at("09:30:00"), "/x", "y"});
  w.append(1);
  CAF_CHECK(w.until([&] { return w.figures.events == 1; }));
  w.tell(w.find<gateway_actor>("/gateway"), verb::stop_v);
  CAF_CHECK(w.until([&] { return next.ended(); }));
  CAF_CHECK(!next.got(R"("type":"tick")"));
  CAF_CHECK(!next.got("\"/x\""));
}

CAF_TEST(a hub that crashes goes on for those who were there) {
  gateway_world w;
  w.start();
  stream client{w, R"({"action":"subscribe","channels":["ticks.*"]})"};
  CAF_CHECK(w.until([&] { return client.got(R"("type":"subscribed")"); }));
  w.append(1);
  CAF_CHECK(w.until([&] { return client.got("\"seq\":1,"); }));
  CAF_CHECK(w.where.ask_crash("/hub"));
  w.append(2);
  CAF_CHECK(w.until([&] { return client.got("\"seq\":2,"); }));
  w.tell(w.find<gateway_actor>("/gateway"), verb::stop_v);
  CAF_CHECK(w.until([&] { return client.ended(); }));
}

CAF_TEST(a session that crashes sends its client away to come back) {
  gateway_world w;
  w.start();
  stream client{w, R"({"action":"subscribe","channels":["ticks.*"]})"};
  CAF_CHECK(w.until([&] { return client.got(R"("type":"subscribed")"); }));
  CAF_CHECK(w.where.ask_crash("/sessions/1"));
  CAF_CHECK(w.until([&] { return client.ended(); }));
  CAF_CHECK(w.until([&] { return w.links->count() == 0 && !w.where.find("/sessions/1"); }));
}
