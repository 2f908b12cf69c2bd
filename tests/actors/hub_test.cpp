#define CAF_SUITE hub

#include "tests/support/fake_server.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

struct hub_world : world {
  explicit hub_world(std::uint64_t connections = 3) {
    links->set_socket(socket);
    for (std::uint64_t id = 1; id <= connections; ++id) {
      clients.push_back(std::make_shared<fake_connection>(id));
      links->open(clients.back());
    }
    appender = start_appender();
    hub = start_hub();
    feed = listen();
  }
  fake_connection& client(std::uint64_t id) { return *clients[id - 1]; }
  void subscribe(std::uint64_t id, std::vector<std::string> channels, bool add = true) {
    client_command command;
    command.id = static_cast<std::int64_t>(id * 100), command.has_id = true;
    command.channels = std::move(channels);
    tell(hub, subscription_change{id, add, false, std::move(command)});
  }
  void trades(const std::vector<happening>& events) {
    tell(appender, verb::append_v, part_of(events), ++number, feed.as<append_listener>());
  }
  void bars(std::vector<derived> items) {
    stage_step step;
    step.cause = next_cause++;
    step.log_ts = time.now();
    for (auto& item : items)
      (std::holds_alternative<feature_vector>(item) ? step.features
       : std::holds_alternative<signal>(item)       ? step.signals
                                                    : step.bars)
        .push_back(item);
    stage_result result;
    result.dealt_with = next_cause;
    result.steps = {step};
    trades({trade(time.now(), "1", "1", static_cast<std::int64_t>(next_cause),
                  "CAUSE")}); // so that the log is as long as that
    tell(appender, verb::commit_v, std::make_shared<stage_result>(result), feed.as<commit_listener>());
  }
  std::uint64_t encoded() {
    auto text = *status("/hub");
    return std::stoull(text.substr(text.find("\"encoded_records\":") + 18));
  }

  std::shared_ptr<fake_server> socket = std::make_shared<fake_server>();
  std::vector<std::shared_ptr<fake_connection>> clients;
  appender_actor appender;
  hub_actor hub;
  listener feed;
  std::uint64_t number = 0;
  std::uint64_t next_cause = 1;
};

bar make_bar(const std::string& symbol, nanoseconds interval = second) {
  bar out;
  out.provider = "nyse", out.symbol = symbol, out.interval = interval;
  out.start = at("09:30:00"), out.end = out.start + interval;
  return out;
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t out = 0;
  for (auto i = text.find(what); i != std::string::npos; i = text.find(what, i + 1)) ++out;
  return out;
}

} // namespace

CAF_TEST(a subscription is answered with the whole list before any data) {
  hub_world w;
  w.subscribe(1, {"ticks.SPY"});
  CAF_CHECK_EQUAL(w.client(1).take(), R"({"type":"subscribed","id":100,"channels":["ticks.SPY"]})");
  w.subscribe(1, {"bars.1s.*", "ticks.SPY"});
  CAF_CHECK_EQUAL(w.client(1).take(), R"({"type":"subscribed","id":100,"channels":["ticks.SPY","bars.1s.*"]})");
  // The change and the data it brings are with the hub together.
  caf::anon_send(w.appender, verb::append_v, part_of({trade(w.time.now(), "10", "1", 1, "QQQ")}), ++w.number,
                 w.feed.as<append_listener>());
  w.subscribe(2, {"ticks.*"});
  w.trades({trade(w.time.now(), "10", "1", 2, "QQQ")});
  auto text = w.client(2).text();
  CAF_CHECK_EQUAL(text.find(R"({"type":"subscribed")"), 0u);
  CAF_CHECK_EQUAL(count(text, R"("type":"tick")"), 2u);
}

CAF_TEST(a record is encoded once and its bytes are shared by all who want the same) {
  hub_world w{50};
  for (std::uint64_t id = 1; id <= 50; ++id) w.subscribe(id, {"ticks.*"});
  for (auto& client : w.clients) client->got.clear();
  auto before = w.encoded();
  w.trades({trade(w.time.now(), "10", "1", 1), trade(w.time.now(), "11", "1", 2), trade(w.time.now(), "12", "1", 3)});
  CAF_CHECK_EQUAL(w.encoded(), before + 3);
  CAF_REQUIRE_EQUAL(w.socket->delivered.size(), 1u);
  CAF_CHECK_EQUAL(w.socket->delivered[0].to->size(), 50u);
  CAF_CHECK_EQUAL(w.socket->delivered[0].what->records, 3u);
  for (auto& client : w.clients) {
    CAF_REQUIRE_EQUAL(client->got.size(), 1u);
    CAF_CHECK(client->got[0] == w.clients[0]->got[0]); // the very same block
  }
}

CAF_TEST(clients with different wishes get different blocks of the same encoding) {
  hub_world w;
  w.subscribe(1, {"ticks.*"});
  w.subscribe(2, {"ticks.SPY"});
  w.subscribe(3, {"bars.1s.SPY"});
  for (auto& client : w.clients) client->got.clear();
  auto before = w.encoded();
  w.trades({trade(w.time.now(), "10", "1", 1, "SPY"), trade(w.time.now(), "11", "1", 2, "QQQ")});
  CAF_CHECK_EQUAL(w.encoded(), before + 2);
  CAF_CHECK_EQUAL(count(w.client(1).text(), R"("type":"tick")"), 2u);
  CAF_CHECK_EQUAL(count(w.client(2).text(), R"("type":"tick")"), 1u);
  CAF_CHECK(w.client(2).text().find("QQQ") == std::string::npos);
  CAF_CHECK_EQUAL(w.client(3).text(), "");
}

CAF_TEST(a client gets what comes after its subscription and nothing from before) {
  hub_world w;
  w.trades({trade(w.time.now(), "10", "1", 1)});
  w.bars({make_bar("OLD")});
  w.subscribe(1, {"ticks.SPY", "bars.*.*"});
  w.client(1).got.clear();
  w.pass(second);
  CAF_CHECK_EQUAL(w.client(1).text(), "");
  w.trades({trade(w.time.now(), "11", "1", 2)});
  w.bars({make_bar("NEW")});
  auto text = w.client(1).text();
  CAF_CHECK_EQUAL(count(text, R"("type":"tick")"), 1u);
  CAF_CHECK(text.find("NEW") != std::string::npos);
  CAF_CHECK(text.find("OLD") == std::string::npos);
}

CAF_TEST(now means now again after a time without anyone) {
  hub_world w;
  for (auto channel : {"ticks.SPY", "bars.1s.*"}) {
    w.subscribe(1, {channel});
    w.subscribe(1, {channel}, false);
    w.pass(second);
    w.trades({trade(w.time.now(), "10", "1", 1)});
    w.bars({make_bar("OLD")});
    w.pass(second);
    w.trades({trade(w.time.now(), "11", "1", 2)});
    w.bars({make_bar("OLD")});
    w.client(1).got.clear();
    w.subscribe(1, {channel});
    w.pass(second);
    CAF_CHECK_EQUAL(count(w.client(1).take(), R"("channel")"), 0u);
    w.subscribe(1, {channel}, false);
  }
}

CAF_TEST(bars and ends of intervals go to those who follow the interval) {
  hub_world w;
  w.subscribe(1, {"bars.1s.*"});
  w.subscribe(2, {"bars.5s.*"});
  w.subscribe(3, {"bars.*.QQQ"});
  for (auto& client : w.clients) client->got.clear();
  w.bars({make_bar("SPY"), make_bar("QQQ"),
          end_of_interval{"nyse", second, at("09:30:00"), at("09:30:01"), interval_reason::closed}});
  CAF_CHECK_EQUAL(count(w.client(1).text(), R"("type":"bar")"), 2u);
  CAF_CHECK_EQUAL(count(w.client(1).text(), R"("type":"end_of_interval")"), 1u);
  CAF_CHECK_EQUAL(w.client(2).text(), "");
  CAF_CHECK_EQUAL(count(w.client(3).text(), R"("type":"bar")"), 1u);
  w.bars({make_bar("SPY", 5 * second)});
  CAF_CHECK_EQUAL(count(w.client(2).text(), R"("type":"bar")"), 1u);
}

CAF_TEST(a client that unsubscribes gets nothing more of that) {
  hub_world w;
  w.subscribe(1, {"ticks.SPY", "ticks.QQQ"});
  w.client(1).got.clear();
  w.subscribe(1, {"ticks.SPY"}, false);
  CAF_CHECK_EQUAL(w.client(1).take(), R"({"type":"unsubscribed","id":100,"channels":["ticks.QQQ"]})");
  w.trades({trade(w.time.now(), "10", "1", 1, "SPY"), trade(w.time.now(), "10", "1", 1, "QQQ")});
  CAF_CHECK_EQUAL(count(w.client(1).text(), R"("type":"tick")"), 1u);
}

CAF_TEST(a connection that is gone is forgotten) {
  hub_world w;
  w.subscribe(1, {"ticks.SPY"});
  w.subscribe(2, {"ticks.SPY"});
  w.links->close(1);
  w.tell(w.hub, subscription_change{1, false, true, {}});
  w.trades({trade(w.time.now(), "10", "1", 1)});
  CAF_REQUIRE_EQUAL(w.socket->delivered.size(), 1u);
  CAF_CHECK_EQUAL(w.socket->delivered[0].to->size(), 1u);
  w.subscribe(1, {"ticks.SPY"}); // of a connection that closed meanwhile
  w.trades({trade(w.time.now(), "10", "1", 2)});
  CAF_CHECK_EQUAL(w.socket->delivered.back().to->size(), 1u);
}

CAF_TEST(announcements go to those who follow status) {
  hub_world w;
  w.subscribe(1, {"status"});
  w.client(1).got.clear();
  w.tell(w.hub, sys_event{sys_kind::feed_parked, w.time.now(), "/feeds/x", "exit code 125"});
  CAF_CHECK(w.client(1).text().find("/feeds/x") != std::string::npos);
  CAF_CHECK_EQUAL(w.client(2).text(), "");
}

CAF_TEST(nothing is lost between two pulls nor of what the appender has in memory no more) {
  hub_world w;
  w.config.limits.recent_batches = 2;
  w.subscribe(1, {"ticks.SPY", "bars.1s.SPY"});
  w.client(1).got.clear();
  for (std::int64_t seq = 1; seq <= 20; ++seq) // all before the hub has its turn
    caf::anon_send(w.appender, verb::append_v, part_of({trade(w.time.now(), "10", "1", seq)}), ++w.number,
                   w.feed.as<append_listener>());
  w.settle();
  w.pass(second);
  auto text = w.client(1).text();
  for (int seq = 1; seq <= 20; ++seq) CAF_CHECK_EQUAL(count(text, "\"seq\":" + std::to_string(seq) + ","), 1u);
}

CAF_TEST(the hub goes on with an appender that was started again) {
  hub_world w;
  w.subscribe(1, {"ticks.SPY", "bars.1s.SPY"});
  w.client(1).got.clear();
  w.trades({trade(w.time.now(), "10", "1", 1)});
  w.kill("/partitions/0/appender");
  w.forget("/partitions/0/appender");
  w.pass(second);
  w.appender = w.start_appender();
  w.trades({trade(w.time.now(), "10", "1", 2)}); // before the hub has looked
  w.pass(second);
  w.trades({trade(w.time.now(), "10", "1", 3)});
  auto text = w.client(1).text();
  for (int seq = 1; seq <= 3; ++seq) CAF_CHECK_EQUAL(count(text, "\"seq\":" + std::to_string(seq) + ","), 1u);
}

CAF_TEST(a record that nobody can read is passed by) {
  hub_world w;
  w.subscribe(1, {"ticks.SPY"});
  w.client(1).got.clear();
  w.trades({trade(w.time.now(), "10", "1", 1)});
  w.kill("/partitions/0/appender");
  w.forget("/partitions/0/appender");
  transaction tx;
  tx.appends.push_back({topic::events, 0, record_kind::source, 1, w.time.now(), "garbage"});
  CAF_REQUIRE(w.log.write(std::move(tx)).has_value());
  w.appender = w.start_appender();
  w.trades({trade(w.time.now(), "10", "1", 2)}); // the hub has it and the record before it from the log
  w.pass(second);
  CAF_CHECK_EQUAL(w.end_of("/hub"), "");
  auto text = w.client(1).text();
  for (int seq = 1; seq <= 2; ++seq) CAF_CHECK_EQUAL(count(text, "\"seq\":" + std::to_string(seq) + ","), 1u);
}

CAF_TEST(without a server there is nobody to deliver to and the hub lives) {
  hub_world w;
  w.subscribe(1, {"ticks.SPY"});
  w.links->set_socket(nullptr);
  w.trades({trade(w.time.now(), "10", "1", 1)});
  CAF_CHECK(w.alive(w.hub.address()));
}

CAF_TEST(while the server cannot follow nothing is pulled and afterwards nothing is missing) {
  hub_world w{1};
  w.subscribe(1, {"ticks.*"});
  w.trades({trade(at("09:30:01"), "1", "1", 1)}); // on its way when the server gets behind
  w.client(1).got.clear();
  w.socket->backed_up = true;
  w.trades({trade(at("09:30:02"), "1", "1", 2)});
  auto encoded = w.encoded();
  for (int n = 3; n < 500; ++n) w.trades({trade(at("09:30:02") + n * millisecond, "1", "1", n)});
  w.pass(2 * second); // the pulse does not pull either
  CAF_CHECK_EQUAL(w.encoded(), encoded);
  w.socket->backed_up = false;
  w.tell(w.hub, verb::has_room_v);
  auto got = w.client(1).text();
  for (int n = 2; n < 500; ++n) CAF_CHECK_EQUAL(count(got, "\"seq\":" + std::to_string(n) + ","), 1u);
}

CAF_TEST(a great deal goes out in pieces that a queue has room for) {
  hub_world w{1};
  w.subscribe(1, {"ticks.*"});
  w.socket->backed_up = true;
  w.trades({trade(at("09:30:00"), "1", "1", 0)}); // the pull that was under way
  w.client(1).got.clear();
  for (int k = 0; k < 10; ++k) {
    std::vector<happening> many;
    for (int n = 1; n <= 500; ++n) many.push_back(trade(at("09:30:01") + n * millisecond, "1", "1", k * 500 + n));
    w.trades(many);
  }
  w.tell(w.hub, verb::has_room_v); // and no room after all
  CAF_CHECK(w.client(1).got.empty());
  w.socket->backed_up = false;
  w.tell(w.hub, verb::has_room_v);
  CAF_CHECK(w.client(1).got.size() > 3);
  for (auto& x : w.client(1).got) CAF_CHECK_LESS(x->text.size(), std::size_t{256} << 10);
  CAF_CHECK_EQUAL(count(w.client(1).text(), "\"type\":\"tick\""), 5000u);
}

CAF_TEST(numbers of connections are not used again) {
  hub_world w{3};
  w.links->set_socket(nullptr);
  CAF_CHECK_EQUAL(w.links->count(), 0u);
  CAF_CHECK_EQUAL(w.links->first_free_number(), 4u);
}
