// WebSockets over a real socket: the handshake, what is sent, what is received.
#define CAF_SUITE server_websocket
#include "runtime/server/server.hpp"
#include "tests/runtime/server_client.hpp"
#include "tests/support/suite.hpp"

#include <thread>

using namespace finstream;
using namespace finstream::test;

namespace {

struct world {
  explicit world(server_options options = {}) : server{must_start(options, people.events())} {}

  raw_client& connect(int receive_buffer_bytes = 0) {
    auto& client = clients.emplace_back(server->port(), receive_buffer_bytes);
    client.upgrade();
    people.wait_for_connection(clients.size() - 1);
    return client;
  }
  owner people;
  std::deque<raw_client> clients;
  std::unique_ptr<finstream::server> server;
};

// The objects of as many frames as it takes to have `count` of them.
std::vector<std::string> read_numbers(raw_client& client, std::size_t count) {
  std::vector<std::string> result;
  while (result.size() < count) {
    auto frame = client.read_frame();
    if (!frame || frame->kind != frame_kind::text || !frame->payload.starts_with("[") || !frame->payload.ends_with("]"))
      return {"not an array"};
    std::string_view rest{frame->payload.data() + 1, frame->payload.size() - 2};
    for (;;) {
      auto comma = rest.find(',');
      result.emplace_back(rest.substr(0, comma));
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return result;
}

std::vector<std::string> numbers_to(std::size_t count) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(std::to_string(i));
  return result;
}

} // namespace

CAF_TEST(the subprotocol is agreed on if it was offered) {
  world w;
  constexpr std::string_view ours = "Sec-WebSocket-Protocol: finstream.v1.json\r\n";
  raw_client one{w.server->port()}, two{w.server->port()}, three{w.server->port()};
  auto first = one.upgrade("Sec-WebSocket-Protocol: other, finstream.v1.json\r\n");
  CAF_CHECK(first.starts_with("HTTP/1.1 101"));
  CAF_CHECK(first.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != std::string::npos); // the answer in RFC 6455 1.3
  CAF_CHECK(first.find(ours) != std::string::npos);
  for (auto second : {two.upgrade(), three.upgrade("Sec-WebSocket-Protocol: other\r\n")}) {
    CAF_CHECK(second.starts_with("HTTP/1.1 101"));
    CAF_CHECK(second.find("Sec-WebSocket-Protocol") == std::string::npos);
  }
}

CAF_TEST(a handshake that is wrong is refused) {
  world w;
  constexpr std::string_view start =
    "GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  for (std::string_view rest :
       {"Sec-WebSocket-Version: 13\r\n\r\n", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n"}) {
    raw_client client{w.server->port()};
    client.send(std::string{start} + std::string{rest});
    auto response = client.read_to_end().value_or("");
    CAF_CHECK(response.starts_with("HTTP/1.1 4"));
  }
  CAF_CHECK_EQUAL(w.server->statistics().accepted, 0u);
}

CAF_TEST(texts are heard whole and in order) {
  world w;
  raw_client client{w.server->port()};
  // The first is right behind the handshake, before the answer to it is seen.
  client.upgrade("", masked_frame(frame_kind::text, "early"));
  client.send_text("second");
  client.send(masked_frame(frame_kind::text, "in two ", false));
  client.send(masked_frame(frame_kind::continuation, "parts", true));
  client.send_text(std::string(64 * 1024, 'x'));
  CAF_REQUIRE(w.people.wait_for_texts(4));
  auto texts = w.people.texts();
  CAF_CHECK_EQUAL(texts[0], "early");
  CAF_CHECK_EQUAL(texts[1], "second");
  CAF_CHECK_EQUAL(texts[2], "in two parts");
  CAF_CHECK_EQUAL(texts[3].size(), 64u * 1024);
}

CAF_TEST(a ping is answered with its own payload) {
  world w;
  auto& client = w.connect();
  client.send(masked_frame(frame_kind::ping, "are you there"));
  auto answer = client.read_frame();
  CAF_REQUIRE(answer.has_value());
  CAF_CHECK(answer->kind == frame_kind::pong);
  CAF_CHECK_EQUAL(answer->payload, "are you there");
}

CAF_TEST(what is handed over together goes out in one frame) {
  world w;
  auto& client = w.connect();
  auto to = w.people.everyone();
  w.server->deliver({{make_block("{\"a\":1}"), to}, {make_block("{\"b\":2},{\"c\":3}"), to}});
  auto frame = client.read_frame();
  CAF_REQUIRE(frame.has_value());
  CAF_CHECK_EQUAL(frame->payload, "[{\"a\":1},{\"b\":2},{\"c\":3}]");
  CAF_CHECK(eventually([&] { return w.server->statistics().sent_records == 2; })); // as its blocks said
  CAF_CHECK_EQUAL(w.server->statistics().writes, 1u);
}

CAF_TEST(everyone gets everything in order at any burst size) {
  world w;
  for (int i = 0; i < 20; ++i) w.connect();
  auto to = w.people.everyone();
  for (std::size_t burst : {1, 2, 31, 32, 33, 1000, 5000}) {
    for (std::size_t i = 0; i < burst; ++i) w.server->deliver(make_block(std::to_string(i)), to);
    for (auto& client : w.clients) CAF_REQUIRE(read_numbers(client, burst) == numbers_to(burst));
  }
}

CAF_TEST(order holds across lists and single sends) {
  world w;
  for (int i = 0; i < 3; ++i) w.connect();
  auto everyone = w.people.everyone();
  auto first_two = std::make_shared<const std::vector<connection_ptr>>(
    std::vector{w.people.connections()[0], w.people.connections()[1]});
  std::size_t count = 0;
  for (int round = 0; round < 500; ++round) {
    w.server->deliver(make_block(std::to_string(count++)), everyone);
    w.server->deliver(make_block(std::to_string(count++)), first_two);
    w.people.connections()[0]->send(make_block(std::to_string(count++)));
  }
  CAF_CHECK(read_numbers(w.clients[0], count) == numbers_to(count));
  auto is_in_order = [](const std::vector<std::string>& x) {
    return std::is_sorted(x.begin(), x.end(), [](const auto& a, const auto& b) { return std::stoi(a) < std::stoi(b); });
  };
  CAF_CHECK(is_in_order(read_numbers(w.clients[1], 1000)));
  CAF_CHECK(is_in_order(read_numbers(w.clients[2], 500)));
}

CAF_TEST(many threads may send at once) {
  world w;
  for (int i = 0; i < 4; ++i) w.connect();
  auto to = w.people.everyone();
  constexpr std::size_t each = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < each; ++i) {
        w.server->deliver(make_block("1"), to);
        w.people.connections()[0]->statistics();
        w.server->statistics();
      }
    });
  for (auto& client : w.clients) CAF_CHECK_EQUAL(read_numbers(client, 4 * each).size(), 4 * each);
  for (auto& x : threads) x.join();
  CAF_CHECK(eventually([&] { return w.people.connections()[0]->statistics().sent_records == 4 * each; }));
  CAF_CHECK(eventually([&] { return w.people.connections()[0]->statistics().queued_bytes == 0; }));
}

CAF_TEST(more than a socket holds arrives whole at a client that reads late) {
  server_options options;
  options.max_queue_bytes = 256 << 20;
  options.max_queue_age = 3600 * second;
  world w{options};
  auto& client = w.connect(4096);
  std::string big(100'000, '7');
  constexpr std::size_t count = 300;
  for (std::size_t i = 0; i < count; ++i) w.people.connections()[0]->send(make_block(big));
  // A ping while frames are under way is answered between two of them.
  client.send(masked_frame(frame_kind::ping, "hello"));
  std::size_t texts = 0, pongs = 0;
  while (texts < count * (big.size() + 1) || pongs == 0) {
    auto frame = client.read_frame();
    CAF_REQUIRE(frame.has_value());
    if (frame->kind == frame_kind::pong) ++pongs;
    if (frame->kind != frame_kind::text) continue;
    CAF_REQUIRE(frame->payload.find_first_not_of("7,[]") == std::string::npos);
    texts += frame->payload.size() - 1;
  }
  CAF_CHECK_EQUAL(texts, count * (big.size() + 1));
  CAF_CHECK_EQUAL(pongs, 1u);
}

CAF_TEST(over the limit a newcomer gets 503 and nobody else notices) {
  server_options options;
  options.max_connections = 2;
  world w{options};
  w.connect();
  w.connect();
  raw_client third{w.server->port()};
  CAF_CHECK(third.upgrade().starts_with("HTTP/1.1 503"));
  CAF_CHECK_EQUAL(w.server->statistics().refused, 1u);
  w.server->deliver(make_block("0"), w.people.everyone());
  for (auto& client : w.clients) CAF_CHECK(read_numbers(client, 1) == numbers_to(1));
}

CAF_TEST(a peer has a name and empty blocks are nothing) {
  world w;
  auto& client = w.connect();
  CAF_CHECK(w.people.connections()[0]->peer().starts_with("127.0.0.1:"));
  w.people.connections()[0]->send(nullptr);
  w.people.connections()[0]->send(make_block(""));
  w.server->deliver(nullptr, w.people.everyone());
  w.server->deliver(make_block("1"), nullptr);
  w.people.connections()[0]->send(make_block("0"));
  CAF_CHECK(read_numbers(client, 1) == numbers_to(1));
}
