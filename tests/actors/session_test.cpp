#define CAF_SUITE session

#include "actors/session.hpp"
#include "tests/support/fake_server.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

struct session_world : world {
  session_world() {
    config.gateway.max_subscriptions = 3;
    links->open(client);
    session = spawn_metered<session_state>(system(), where, "/sessions/7",
                                           [this](session_state& state) { state.prepare(&context, links, 7); });
    settle();
  }
  // The answer to a frame.
  std::string say(const std::string& text) {
    client->got.clear();
    tell(session, verb::said_v, text);
    return client->take();
  }

  std::shared_ptr<fake_connection> client = std::make_shared<fake_connection>(7);
  session_actor session;
};

bool has(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

} // namespace

CAF_TEST(a client is greeted with what it can rely on) {
  session_world w;
  auto hello = w.client->take();
  CAF_CHECK(has(hello, R"({"type":"hello","node":"finstream")"));
  CAF_CHECK(has(hello, R"("session":"7")"));
  CAF_CHECK(has(hello, R"("epoch":)" + std::to_string(w.log.recovery().epoch)));
  CAF_CHECK(has(hello, R"("limits":{"subscriptions":3,)"));
  CAF_CHECK(has(w.say(R"({"action":"hello"})"), R"("type":"hello")"));
}

CAF_TEST(a ping is answered with its id and the time) {
  session_world w;
  CAF_CHECK_EQUAL(w.say(R"({"action":"ping","id":5})"), R"({"type":"pong","id":5,"ts":"2026-01-05T09:30:00Z"})");
  CAF_CHECK_EQUAL(w.say(R"({"action":"ping"})"), R"({"type":"pong","ts":"2026-01-05T09:30:00Z"})");
}

CAF_TEST(what makes no sense is refused with a name and a sentence and the session lives) {
  session_world w;
  for (auto garbage : {"", "{", "[]", "null", "7", "\"ping\"", "{}", R"({"action":7})", R"({"action":"fly"})",
                       R"({"action":"subscribe","channels":"ticks.*"})", R"({"action":"subscribe","channels":[7]})",
                       R"({"action":"subscribe","channels":["tocks.*"]})", R"({"action":"ping","id":"x"})", "\xff\xfe",
                       "{\"action\":\"\xc3\x28\"}", R"({"action":"ping","id":99999999999999999999})"}) {
    auto answer = w.say(garbage);
    CAF_CHECK_EQUAL(answer.find(R"({"type":"error",)"), 0u);
    CAF_CHECK(has(answer, R"("code":22,"name":"bad_command","temporary":false,"message":")"));
  }
  CAF_CHECK(has(w.say(R"({"action":"subscribe","id":9,"channels":["nothing"]})"), R"("id":9)"));
  CAF_CHECK(has(w.say(R"({"action":"subscribe","id":8,"channels":[5]})"), R"("id":8)"));
  CAF_CHECK(has(w.say(R"({"action":"subscribe","id":7,"channels":[]})"), "which channels?"));
  CAF_CHECK(has(w.say(R"({"action":"unsubscribe"})"), "which channels?"));
  CAF_CHECK(has(w.say(R"({"action":"ping"})"), "pong"));
}

CAF_TEST(subscriptions are passed on to the hub which answers them) {
  session_world w;
  auto hub = w.listen("/hub");
  CAF_CHECK_EQUAL(w.say(R"({"action":"subscribe","id":1,"channels":["ticks.SPY","bars.1s.*"]})"), "");
  CAF_CHECK_EQUAL(w.say(R"({"action":"unsubscribe","channels":["ticks.SPY"]})"), "");
  auto changes = hub.now().changes;
  CAF_REQUIRE_EQUAL(changes.size(), 2u);
  CAF_CHECK(changes[0].connection == 7 && changes[0].add && !changes[0].gone && changes[0].command.id == 1);
  CAF_CHECK((changes[0].command.channels == std::vector<std::string>{"ticks.SPY", "bars.1s.*"}));
  CAF_CHECK(!changes[1].add);
}

CAF_TEST(a subscription while there is no hub is refused for the time being) {
  session_world w;
  CAF_CHECK(has(w.say(R"({"action":"subscribe","channels":["ticks.*"]})"), R"("name":"overloaded","temporary":true)"));
}

CAF_TEST(a connection has so many subscriptions and no more) {
  session_world w;
  auto hub = w.listen("/hub");
  w.say(R"({"action":"subscribe","channels":["ticks.A","ticks.B"]})");
  CAF_CHECK(has(w.say(R"({"action":"subscribe","id":2,"channels":["ticks.C","ticks.D"]})"),
                R"("id":2,"code":18,"name":"overloaded")"));
  CAF_CHECK_EQUAL(w.say(R"({"action":"subscribe","channels":["ticks.C"]})"), "");
  CAF_CHECK(has(w.say(R"({"action":"subscribe","channels":["ticks.D"]})"), "overloaded"));
  w.say(R"({"action":"unsubscribe","channels":["ticks.A"]})");
  CAF_CHECK_EQUAL(w.say(R"({"action":"subscribe","channels":["ticks.D"]})"), "");
  CAF_CHECK_EQUAL(hub.now().changes.size(), 4u);
}

CAF_TEST(giving up channels one never had makes no room for more) {
  session_world w;
  auto hub = w.listen("/hub");
  for (int i = 0; i < 10; ++i) {
    w.say(R"({"action":"unsubscribe","channels":["ticks.X","ticks.Y","ticks.Z"]})");
    auto n = std::to_string(i);
    w.say(R"({"action":"subscribe","channels":["ticks.A)" + n + R"(","ticks.B)" + n + R"(","ticks.C)" + n + R"("]})");
  }
  std::size_t added = 0;
  for (auto& change : hub.now().changes)
    if (change.add) added += change.command.channels.size();
  CAF_CHECK_EQUAL(added, 3u);
}

CAF_TEST(each frame is confirmed once it has been dealt with) {
  session_world w;
  w.say("{");
  w.say(R"({"action":"ping"})");
  w.say(R"({"action":"subscribe","channels":["ticks.A"]})"); // refused: there is no hub
  CAF_CHECK_EQUAL(w.client->heard, 3);
  auto hub = w.listen("/hub");
  w.say(R"({"action":"subscribe","channels":["ticks.A"]})");
  w.say(R"({"action":"subscribe","channels":["tocks.A"]})");
  CAF_CHECK_EQUAL(w.client->heard, 5);
}

CAF_TEST(a subscription that the hub died of is refused for the time being and counts for nothing) {
  session_world w;
  auto hub = w.listen("/hub");
  w.say(R"({"action":"subscribe","channels":["ticks.A","ticks.B"]})");
  w.kill("/hub");
  CAF_CHECK(has(w.say(R"({"action":"subscribe","id":4,"channels":["ticks.C"]})"),
                R"("id":4,"code":18,"name":"overloaded","temporary":true)"));
  CAF_CHECK_EQUAL(w.client->heard, 2);
  w.forget("/hub");
  hub = w.listen("/hub");
  CAF_CHECK_EQUAL(w.say(R"({"action":"subscribe","channels":["ticks.D"]})"), "");
}

CAF_TEST(bars of an interval that is not made are refused with those that are) {
  session_world w;
  auto hub = w.listen("/hub");
  auto answer = w.say(R"({"action":"subscribe","channels":["bars.7s.SPY"]})");
  CAF_CHECK(has(answer, "there are no bars of 7s on this node, only of 1s, 2s, 5s, 60s"));
  CAF_CHECK_EQUAL(w.say(R"({"action":"subscribe","channels":["bars.60s.SPY","bars.*.*"]})"), "");
}

CAF_TEST(asking twice for the same channel counts once) {
  session_world w;
  auto hub = w.listen("/hub");
  for (int i = 0; i < 5; ++i) CAF_CHECK_EQUAL(w.say(R"({"action":"subscribe","channels":["ticks.A","ticks.A"]})"), "");
}

CAF_TEST(a closed connection is told to the hub and ends the session) {
  session_world w;
  auto hub = w.listen("/hub");
  auto address = w.session.address();
  w.tell(w.session, verb::closed_v, std::uint16_t{1000}, std::string{"bye"});
  CAF_REQUIRE_EQUAL(hub.now().changes.size(), 1u);
  CAF_CHECK(hub.now().changes[0].gone && hub.now().changes[0].connection == 7);
  CAF_CHECK(!w.alive(address));
}
