// Requests and answers over a real socket, and every refusal as problem+json.
#define CAF_SUITE server_http
#include "runtime/server/http_client.hpp"
#include "runtime/server/request_target.hpp"
#include "runtime/server/server.hpp"
#include "tests/runtime/server_client.hpp"
#include "tests/support/suite.hpp"

#include <future>
#include <thread>

using namespace finstream;
using namespace finstream::test;

namespace {

// Says back what it was asked.
void echo(http_request x, respond answer) {
  std::string text = x.method + " " + x.path;
  for (const auto& [key, value] : x.query) text += " " + key + "=" + value;
  answer({200, "text/plain", text + (x.body.empty() ? "" : " " + x.body)});
}

std::unique_ptr<server> echo_server(server_options options = {}) {
  server_events events;
  events.on_request = echo;
  return must_start(options, std::move(events));
}

std::string body_of(const std::string& response) { return response.substr(response.find("\r\n\r\n") + 4); }
bool is_problem(const std::string& response, std::string_view status, std::string_view name) {
  return response.starts_with("HTTP/1.1 " + std::string{status}) &&
         response.find("application/problem+json") != std::string::npos &&
         response.find("\"name\":\"" + std::string{name} + "\"") != std::string::npos;
}

} // namespace

CAF_TEST(a target is taken apart and decoded) {
  auto target = parse_request_target("/v1/b%61rs?symbol=BTC%2FUSDT&note=a+b&&empty&x=1&x=2#fragment");
  CAF_REQUIRE(target.has_value());
  CAF_CHECK_EQUAL(target->path, "/v1/bars");
  CAF_CHECK_EQUAL(target->query["symbol"], "BTC/USDT");
  CAF_CHECK_EQUAL(target->query["note"], "a b");
  CAF_CHECK_EQUAL(target->query["empty"], "");
  CAF_CHECK_EQUAL(target->query["x"], "2");
  CAF_CHECK_EQUAL(target->query.size(), 4u);
  for (auto bad : {"", "*", "x", "/%", "/%4", "/%zz", "/a%00b", "/a%0d%0ab", "/?a=%", "http://host/"})
    CAF_CHECK(!parse_request_target(bad).has_value());
}

CAF_TEST(requests follow one another on one connection) {
  auto server = echo_server();
  raw_client client{server->port()};
  client.send("GET /v1/bars?symbol=BTC%2FUSDT&limit=3 HTTP/1.1\r\nHost: x\r\n\r\n");
  CAF_CHECK_EQUAL(body_of(client.read_response()), "GET /v1/bars limit=3 symbol=BTC/USDT");
  client.send("POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
  CAF_CHECK_EQUAL(body_of(client.read_response()), "POST /v1/x body");
  client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CAF_CHECK_EQUAL(body_of(client.read_response()), "GET /a");
  CAF_CHECK_EQUAL(body_of(client.read_response()), "GET /b");
  CAF_CHECK(client.read_to_end() == "");
}

CAF_TEST(HEAD has the length of the body but not the body) {
  auto server = echo_server();
  raw_client client{server->port()};
  client.send("HEAD /v1/bars HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  auto response = client.read_to_end().value_or("");
  CAF_CHECK(response.starts_with("HTTP/1.1 200"));
  CAF_CHECK(response.find("Content-Length: 12\r\n") != std::string::npos);
  CAF_CHECK_EQUAL(body_of(response), "");
}

CAF_TEST(an answer may come from any thread) {
  std::vector<std::thread> threads;
  server_events events;
  events.on_request = [&](http_request x, respond answer) {
    threads.emplace_back([x = std::move(x), answer = std::move(answer)] {
      echo(x, answer);
      echo(x, answer); // the second says nothing
    });
  };
  auto server = must_start({}, std::move(events));
  raw_client client{server->port()};
  for (int i = 0; i < 20; ++i) {
    auto path = "/" + std::to_string(i);
    client.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
    CAF_CHECK_EQUAL(body_of(client.read_response()), "GET " + path);
  }
  server.reset();
  for (auto& x : threads) x.join();
}

CAF_TEST(a request that is not answered within its deadline gets 503) {
  std::promise<respond> forgotten;
  server_options options;
  options.request_deadline = 50 * millisecond;
  server_events events;
  events.on_request = [&](http_request x, respond answer) {
    x.path == "/slow" ? forgotten.set_value(std::move(answer)) : echo(x, answer);
  };
  auto server = must_start(options, std::move(events));
  raw_client client{server->port()};
  client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  CAF_CHECK(is_problem(client.read_response(), "503", "timed_out"));
  auto late = forgotten.get_future().get();
  late({200, "text/plain", "too late"});
  client.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  CAF_CHECK_EQUAL(body_of(client.read_response()), "GET /next");
  server.reset();
  late({200, "text/plain", "much too late"});
}

CAF_TEST(what is no request is refused and the connection ends) {
  auto server = echo_server();
  struct row {
    std::string bytes;
    std::string_view status;
    std::string_view name;
  };
  std::string long_body(64 * 1024 + 1, 'x');
  std::vector<row> rows{
    {"garbage\r\n\r\n", "400", "bad_command"},
    {"GET / HTTP/7.3\r\n\r\n", "400", "bad_command"},
    {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "400", "bad_command"},
    {"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400", "bad_command"},
    {"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", "405", "bad_command"},
    {"GET / HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n", "431", "bad_command"},
    {"POST / HTTP/1.1\r\nContent-Length: " + std::to_string(long_body.size()) + "\r\n\r\n" + long_body, "413",
     "bad_command"},
    {"GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n", "426", "bad_command"},
  };
  for (const auto& x : rows) {
    raw_client client{server->port()};
    client.send(x.bytes);
    auto response = client.read_to_end();
    CAF_REQUIRE(response.has_value());
    CAF_CHECK_EQUAL(response->substr(0, 12), "HTTP/1.1 " + std::string{x.status});
    CAF_CHECK(is_problem(*response, x.status, x.name));
  }
}

CAF_TEST(a request that drips in is cut off and a silent connection is closed without a word) {
  server_options options;
  options.request_deadline = 50 * millisecond;
  auto server = echo_server(options);
  raw_client silent{server->port()};
  raw_client dripping{server->port()};
  dripping.send("GET / HT");
  CAF_CHECK(is_problem(dripping.read_to_end().value_or(""), "408", "timed_out"));
  CAF_CHECK(silent.read_to_end() == "");
}

CAF_TEST(a callback that throws is answered with 500 and harms nobody) {
  server_events events;
  events.on_request = [](http_request x, respond answer) {
    if (x.path == "/throw") throw std::runtime_error("no good");
    echo(x, answer);
  };
  auto server = must_start({}, std::move(events));
  raw_client client{server->port()};
  client.send("GET /throw HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  CAF_CHECK(client.read_response().starts_with("HTTP/1.1 500"));
  CAF_CHECK_EQUAL(body_of(client.read_response()), "GET /next");
}

CAF_TEST(a large answer to a client that reads it late arrives whole) {
  server_events events;
  events.on_request = [](http_request, respond answer) { answer({200, "text/plain", std::string(20 << 20, 'x')}); };
  auto server = must_start({}, std::move(events));
  raw_client client{server->port()};
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CAF_CHECK_EQUAL(body_of(client.read_response()).size(), static_cast<std::size_t>(20 << 20));
}

CAF_TEST(an address that cannot be had is an error that names it) {
  auto server = echo_server();
  server_options options;
  options.port = server->port();
  auto second = start_server(options, {});
  CAF_REQUIRE(!second.has_value());
  CAF_CHECK(second.error().code == errc::io_failure);
  CAF_CHECK(second.error().message.find(std::to_string(options.port)) != std::string::npos);
  options.address = "no such address";
  CAF_CHECK(!start_server(options, {}).has_value());
}

CAF_TEST(the client of the command line asks and is answered or told why not ) {
  auto server = echo_server();
  auto answer = ask_http({"127.0.0.1", server->port(), "POST", "/v1/backfill?feed=a%20b", "lines\n"});
  CAF_REQUIRE(answer.has_value());
  CAF_CHECK_EQUAL(answer->status, 200);
  CAF_CHECK_EQUAL(answer->body, "POST /v1/backfill feed=a b lines\n");
  auto port = server->port();
  server.reset();
  auto nobody = ask_http({"127.0.0.1", port, "GET", "/", ""});
  CAF_REQUIRE(!nobody.has_value());
  CAF_CHECK(nobody.error().code == errc::io_failure);
}

CAF_TEST(the client of the command line does not wait for ever) {
  server_events events;
  std::vector<respond> kept;
  events.on_request = [&](http_request, respond answer) { kept.push_back(std::move(answer)); };
  auto server = must_start({}, std::move(events));
  auto late = ask_http({"127.0.0.1", server->port(), "GET", "/", "", "", 200 * millisecond});
  CAF_REQUIRE(!late.has_value());
  CAF_CHECK(late.error().code == errc::timed_out);
}
