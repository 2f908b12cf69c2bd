// How a connection ends, from either side, and what outlives the server.
#define CAF_SUITE server_closing
#include "runtime/server/server.hpp"
#include "tests/runtime/server_client.hpp"
#include "tests/support/suite.hpp"

#include <thread>

using namespace finstream;
using namespace finstream::test;

namespace {

bool wait_until_empty(const server& x) {
  return eventually([&] { return x.statistics().connections == 0; });
}

} // namespace

CAF_TEST(a client that closes is answered with its own code) {
  owner people;
  auto server = must_start({}, people.events());
  raw_client client{server->port()};
  client.upgrade();
  client.send(masked_frame(frame_kind::close, "\x03\xE8"
                                              "bye"));
  auto answer = client.read_frame();
  CAF_REQUIRE(answer.has_value());
  CAF_CHECK(answer->kind == frame_kind::close);
  CAF_CHECK_EQUAL(answer->payload, "\x03\xE8");
  CAF_CHECK(client.read_to_end() == "");
  CAF_CHECK_EQUAL(people.first_closing(), "1000 bye");
  CAF_CHECK(wait_until_empty(*server));
}

CAF_TEST(a close without a code is 1005 and one with an illegal code is 4520) {
  owner people;
  auto server = must_start({}, people.events());
  raw_client client{server->port()};
  client.upgrade();
  client.send(masked_frame(frame_kind::close, ""));
  CAF_CHECK_EQUAL(client.read_close(), "1005 ");
  CAF_CHECK_EQUAL(people.first_closing(), "1005 ");
  raw_client other{server->port()};
  other.upgrade();
  other.send(masked_frame(frame_kind::close, "\x03\xED"));
  CAF_CHECK(other.read_close().starts_with("4520 protocol_error"));
}

CAF_TEST(a client that vanishes is 1006) {
  owner people;
  auto server = must_start({}, people.events());
  raw_client polite{server->port()}, rude{server->port()};
  polite.upgrade();
  rude.upgrade();
  CAF_REQUIRE(people.wait_for_connection(1) != nullptr);
  polite.leave();
  rude.reset();
  CAF_REQUIRE(people.wait_for_closings(2));
  auto closings = people.closings();
  CAF_CHECK_EQUAL(closings[0].code, 1006u);
  CAF_CHECK_EQUAL(closings[1].code, 1006u);
  CAF_CHECK(wait_until_empty(*server));
}

CAF_TEST(what was sent before a close goes out and what comes after it does not ) {
  owner people;
  auto server = must_start({}, people.events());
  raw_client client{server->port()};
  client.upgrade();
  auto connection = people.wait_for_connection(0);
  connection->send(make_block("1"));
  connection->close(close_code::killed_by_admin, "because");
  connection->send(make_block("2"));
  auto frame = client.read_frame();
  CAF_REQUIRE(frame.has_value());
  CAF_CHECK_EQUAL(frame->payload, "[1]");
  CAF_CHECK_EQUAL(client.read_close(), "4530 because");
  CAF_CHECK_EQUAL(people.first_closing(), "4530 because");
}

CAF_TEST(a client that does not answer pings is closed with 4012 and one that does is not ) {
  owner people;
  server_options options;
  options.ping_interval = 20 * millisecond;
  options.pong_deadline = 60 * second; // the first pings are answered, however slow this machine
  auto server = must_start(options, people.events());
  raw_client client{server->port()};
  client.upgrade();
  for (int i = 0; i < 3; ++i) {
    auto ping = client.read_frame();
    CAF_REQUIRE(ping.has_value());
    CAF_CHECK(ping->kind == frame_kind::ping);
    client.send(masked_frame(frame_kind::pong, ping->payload));
  }
  CAF_CHECK(people.closings().empty());
  options.pong_deadline = 20 * millisecond;
  owner strict;
  auto second = must_start(options, strict.events());
  raw_client silent{second->port()};
  silent.upgrade();
  CAF_CHECK_EQUAL(silent.read_close(), "4012 no_pong: none in 20ms");
  CAF_CHECK_EQUAL(strict.first_closing(), "4012 no_pong: none in 20ms");
}

CAF_TEST(a peer that does not finish the close handshake is reset at the deadline) {
  owner people;
  server_options options;
  options.close_deadline = 30 * millisecond;
  auto server = must_start(options, people.events());
  raw_client client{server->port()};
  client.upgrade();
  people.wait_for_connection(0)->close(close_code::normal, "");
  CAF_CHECK(wait_until_empty(*server)); // the client has neither read nor answered
}

CAF_TEST(stop says 4001 to all and returns when they are gone) {
  owner people;
  auto server = must_start({}, people.events());
  std::deque<raw_client> clients;
  for (std::size_t i = 0; i < 10; ++i) {
    clients.emplace_back(server->port()).upgrade();
    CAF_REQUIRE(people.wait_for_connection(i) != nullptr);
  }
  std::thread stopper{[&] { server->stop(60 * second); }};
  for (auto& client : clients) CAF_CHECK_EQUAL(client.read_close(), "4001 shutdown: the server stops");
  stopper.join();
  CAF_CHECK_EQUAL(server->statistics().connections, 0u);
  CAF_CHECK_EQUAL(people.closings().size(), 10u);
  CAF_CHECK(!raw_client{server->port()}.connected());
  server->stop(second); // again: nothing
}

CAF_TEST(stop does not wait beyond its deadline for one who does not answer) {
  owner people;
  server_options options;
  options.close_deadline = 3600 * second;
  auto server = must_start(options, people.events());
  raw_client client{server->port()};
  client.upgrade();
  CAF_REQUIRE(people.wait_for_connection(0) != nullptr);
  server->stop(10 * millisecond);
  CAF_CHECK_EQUAL(people.first_closing(), "4001 shutdown: the server stops");
  server.reset();
  CAF_CHECK_EQUAL(client.read_close(), "4001 shutdown: the server stops");
}

CAF_TEST(connections and their users may outlive the server) {
  owner people;
  auto server = must_start({}, people.events());
  raw_client client{server->port()}, unfinished{server->port()};
  client.upgrade();
  unfinished.send("GET / HT");
  auto connection = people.wait_for_connection(0);
  connection->send(make_block("1"));
  server.reset();
  CAF_CHECK_EQUAL(people.closings().size(), 1u);
  connection->send(make_block("2"));
  connection->close(close_code::normal, "");
  CAF_CHECK(connection->peer().starts_with("127.0.0.1:"));
  CAF_CHECK_EQUAL(connection->statistics().queued_bytes, 0u);
  auto frame = client.read_frame();
  CAF_REQUIRE(frame.has_value());
  CAF_CHECK_EQUAL(frame->payload, "[1]");
  CAF_CHECK_EQUAL(client.read_close(), "4001 shutdown: the server stops");
}

CAF_TEST(a server that is destroyed while many send is quiet) {
  for (int round = 0; round < 20; ++round) {
    owner people;
    auto server = must_start({}, people.events());
    raw_client client{server->port()};
    client.upgrade();
    auto connection = people.wait_for_connection(0);
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) connection->send(make_block("1"));
        connection->close(close_code::normal, "");
      });
    server.reset();
    for (auto& x : threads) x.join();
    CAF_CHECK_EQUAL(people.closings().size(), 1u);
  }
}
