// What goes wrong with a Redis, and what its driver makes of it.
#define CAF_SUITE broker_redis_operation

#include "runtime/broker/redis_address.hpp"
#include "runtime/clock/clock.hpp"
#include "tests/runtime/broker_outages.hpp"
#include "tests/runtime/broker_redis_server.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

const std::string stream = "finstream:events";

std::unique_ptr<broker> client_of(const std::string& url, int request_timeout_ms = 2000, int health_interval_ms = 0) {
  broker_options options;
  options.url = url;
  options.request_timeout_ms = request_timeout_ms;
  options.health_interval_ms = health_interval_ms;
  return must(open_redis_broker(options));
}

struct running_redis {
  redis_server server;
  std::unique_ptr<broker> client = client_of(server.url());
  running_redis() { must(client->open_stream(stream)); }

  std::string read() { return text(must(client->read(stream, {}, 1000, no_limit))); }
};

std::string digits(std::size_t size) { return std::string(size, '7'); }

} // namespace

CAF_TEST_FIXTURE_SCOPE(broker_redis_operation_tests, running_redis)

CAF_TEST(a server that is killed and started again is gone on with) {
  must(client->ensure_group(stream, "g"));
  must(client->publish(stream, {}, transactions(1, 3)));
  CAF_CHECK_EQUAL(text(must(client->take(stream, "g", "c", 2, second))), "1 2");
  must(client->acknowledge(stream, "g", numbers(1, 1)));
  server.restart();
  auto lost = client->publish(stream, message_number{3, 0}, transactions(4, 4)); // on a connection that is no more
  CAF_CHECK(code_of(lost) == errc::unreachable);
  CAF_CHECK(message_of(lost).find(server.url().substr(8)) != std::string::npos);
  CAF_CHECK_EQUAL(text(must(client->ends(stream)).last), "3.0");
  must(client->publish(stream, message_number{3, 0}, transactions(4, 4))); // with scripts that it has forgotten
  CAF_CHECK_EQUAL(read(), "1 2 3 4");
  CAF_CHECK(must(client->groups(stream)).at(0).pending == 1u);
  CAF_CHECK_EQUAL(text(must(client->take(stream, "g", "c", 9, second))), "3 4");
  CAF_CHECK_EQUAL(client->statistics().connects, 2u);
  CAF_CHECK_EQUAL(client->statistics().failures, 1u);
}

CAF_TEST(nothing is lost or doubled when a server is killed while it is published to) {
  outage_rules rules;
  rules.ballast = digits(3000);
  rules.disturb = [&] { server.restart(); };
  CAF_CHECK(publish_through_outages(*client, stream, rules) >= 3u);
  check_that_each_is_there_once(*client, stream, rules);
  CAF_CHECK_EQUAL(must(client->ends(stream)).messages, rules.messages);
}

CAF_TEST(a server that does not answer is given up at the deadline and its late work is not met) {
  auto quick = client_of(server.url(), 150);
  must(quick->publish(stream, {}, transactions(1, 1)));
  for (std::uint64_t round = 0; round < 5; ++round) {
    auto last = must(quick->ends(stream)).last.value();
    server.process.freeze();
    auto began = system_clock().monotonic();
    CAF_CHECK(code_of(quick->publish(stream, last, transactions(last.transaction + 1, last.transaction + 3))) ==
              errc::unreachable);
    CAF_CHECK(code_of(quick->ends(stream)) == errc::unreachable);
    CAF_CHECK(code_of(quick->take(stream, "g", "c", 1, 50 * millisecond)) == errc::unreachable);
    auto took = system_clock().monotonic() - began;
    CAF_CHECK(took >= 450 * millisecond && took < 2 * second);
    server.process.thaw();
    // What ends() says now stays true, whatever the server still had in its hands.
    last = must(quick->ends(stream)).last.value();
    must(quick->publish(stream, last, transactions(last.transaction + 1, last.transaction + 1)));
  }
  auto last = must(quick->ends(stream)).last->transaction;
  CAF_CHECK_EQUAL(must(quick->read(stream, {}, 1000, no_limit)).size(), last);
}

CAF_TEST(scripts that were flushed are told again) {
  must(client->publish(stream, {}, transactions(1, 2)));
  server.say({"SCRIPT", "FLUSH"});
  must(client->publish(stream, message_number{2, 0}, transactions(3, 4)));
  must(client->ensure_group(stream, "g"));
  must(client->keep(stream, "g", "c", numbers(1, 1)));
  server.say({"SCRIPT", "FLUSH"});
  CAF_CHECK_EQUAL(must(client->forget_idle_consumers(stream, "g", 0)), 0u);
  CAF_CHECK_EQUAL(read(), "1 2 3 4");
  CAF_CHECK_EQUAL(client->statistics().failures, 0u);
}

CAF_TEST(a server without room refuses and takes it when there is room again) {
  must(client->publish(stream, {}, transactions(1, 2)));
  server.say({"CONFIG", "SET", "maxmemory", "1"});
  auto refused = client->publish(stream, message_number{2, 0}, transactions(3, 4));
  CAF_CHECK(code_of(refused) == errc::overloaded);
  CAF_CHECK(message_of(refused).find("maxmemory") != std::string::npos);
  CAF_CHECK_EQUAL(read(), "1 2");
  server.say({"CONFIG", "SET", "maxmemory", "0"});
  must(client->publish(stream, message_number{2, 0}, transactions(3, 4)));
}

CAF_TEST(a replica is told from its primary) {
  must(client->publish(stream, {}, transactions(1, 1)));
  server.say({"REPLICAOF", "127.0.0.1", "1"});
  auto refused = client->publish(stream, message_number{1, 0}, transactions(2, 2));
  CAF_CHECK(code_of(refused) == errc::unreachable);
  CAF_CHECK(message_of(refused).find("name the primary") != std::string::npos);
  CAF_CHECK(!client->open_stream("finstream:other"));
  server.say({"REPLICAOF", "NO", "ONE"});
  must(client->publish(stream, message_number{1, 0}, transactions(2, 2)));
  CAF_CHECK_EQUAL(client->statistics().connects, 3u); // behind a name there may be another server by now
}

CAF_TEST(a server that still reads its data is waited for) {
  must(client->publish(stream, {}, transactions(1, 3)));
  for (int i = 0; i < 1000; ++i) server.say({"SET", "key" + std::to_string(i), digits(100)});
  server.say({"SAVE"});
  server.process.kill();
  redis_server slow{{"--dir", server.process.directory(), "--key-load-delay", "10000", // us
                     "--loading-process-events-interval-bytes", "1024"},
                    false};
  auto patient = client_of(slow.url());
  auto refused = patient->ends(stream);
  CAF_CHECK(code_of(refused) == errc::unreachable);
  CAF_CHECK(message_of(refused).find("wait until it has read its data") != std::string::npos);
  slow.say({"CONFIG", "SET", "key-load-delay", "0"});
  slow.wait_until_loaded();
  CAF_CHECK_EQUAL(text(must(patient->ends(stream)).last), "3.0");
}

CAF_TEST(something else under the name of a stream is left alone) {
  server.say({"SET", "finstream:text", "mine"});
  auto refused = client->open_stream("finstream:text");
  CAF_CHECK(code_of(refused) == errc::incompatible);
  CAF_CHECK(message_of(refused).find("is a string and not a stream") != std::string::npos);
  CAF_CHECK(code_of(client->publish("finstream:text", {}, transactions(1, 1))) == errc::incompatible);
  CAF_CHECK(code_of(client->read("finstream:text", {}, 1, 1)) == errc::incompatible);
  CAF_CHECK_EQUAL(server.say({"GET", "finstream:text"}), "mine");
}

CAF_TEST(entries that others have added are refused and not read as ours) {
  must(client->publish(stream, {}, transactions(1, 2)));
  server.say({"XADD", stream, "7-0", "price", "1"});
  auto refused = client->read(stream, message_number{2, 0}, 10, no_limit);
  CAF_CHECK(code_of(refused) == errc::incompatible);
  CAF_CHECK(message_of(refused).find("7-0") != std::string::npos);
  CAF_CHECK(code_of(client->ends(stream)) == errc::incompatible);
  auto behind = client->publish(stream, message_number{2, 0}, transactions(3, 3));
  CAF_CHECK(code_of(behind) == errc::conflict);
  CAF_CHECK(message_of(behind).find("should be 2.0 and is 7.0") != std::string::npos);
}

CAF_TEST(what others have removed from the middle is a hole that is seen) {
  must(client->publish(stream, {}, transactions(1, 6)));
  server.say({"XDEL", stream, "4-0"});
  CAF_CHECK_EQUAL(read(), "1 2 3");
  CAF_CHECK(code_of(client->read(stream, message_number{3, 0}, 10, no_limit)) == errc::trimmed);
  CAF_CHECK_EQUAL(text(must(client->read(stream, message_number{4, 0}, 10, no_limit))), "5 6");
}

CAF_TEST(a server is asked for its health from time to time only) {
  auto seldom = client_of(server.url(), 2000, 60'000);
  CAF_CHECK(seldom->health().has_value());
  CAF_CHECK(client->health().has_value());
  server.process.kill();
  CAF_CHECK(seldom->health().has_value());
  CAF_CHECK(code_of(client->health()) == errc::unreachable);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(a password and a user are asked for and given) {
  redis_server server{{"--requirepass", "p@ss/word", "--user", "node", "on", ">secret", "~*", "+@all"}};
  auto with = [&](const std::string& who) {
    return client_of("redis://" + who + "127.0.0.1:" + std::to_string(server.process.port()) + "/3");
  };
  auto without = with("")->open_stream(stream);
  CAF_CHECK(code_of(without) == errc::config_invalid);
  auto wrong = with("node:guessed@")->open_stream(stream);
  CAF_CHECK(code_of(wrong) == errc::config_invalid);
  CAF_CHECK(message_of(wrong).find("guessed") == std::string::npos);
  must(with(":p%40ss%2Fword@")->open_stream(stream));
  auto node = with("node:secret@");
  must(node->publish(stream, {}, transactions(1, 1)));
  CAF_CHECK_EQUAL(must(node->ends(stream)).messages, 1u);
}

CAF_TEST(a user needs no more permissions than the documentation says) {
  redis_server server{{"--user", "node", "on", ">secret", "~finstream:*", "+@connection", "+@transaction", "+@stream",
                       "+@scripting", "+info", "+type", "+unlink", "--user", "clerk", "on", ">secret", "~*",
                       "+@connection", "+info"}};
  auto at = "@127.0.0.1:" + std::to_string(server.process.port());
  auto node = client_of("redis://node:secret" + at, 300);
  must(node->open_stream(stream));
  must(node->ensure_group(stream, "g"));
  must(node->publish(stream, {}, transactions(1, 2)));
  CAF_CHECK_EQUAL(text(must(node->read(stream, {}, 9, no_limit))), "1 2");
  CAF_CHECK_EQUAL(text(must(node->take(stream, "g", "c", 9, second))), "1 2");
  must(node->keep(stream, "g", "c", numbers(1, 1)));
  must(node->acknowledge(stream, "g", numbers(1, 2)));
  CAF_CHECK(must(node->claim_stale(stream, "g", "c", 9)).messages.empty());
  CAF_CHECK_EQUAL(must(node->forget_idle_consumers(stream, "g", 0)), 1u);
  must(node->trim(stream, {2, 0}));
  server.process.freeze();
  CAF_CHECK(code_of(node->health()) == errc::unreachable);
  server.process.thaw();
  must(node->health()); // on a new connection, which ends the old
  must(node->remove_stream(stream));
  auto refused = client_of("redis://clerk:secret" + at)->open_stream(stream);
  CAF_CHECK(code_of(refused) == errc::config_invalid);
  CAF_CHECK(message_of(refused).find("docs/brokers.md") != std::string::npos);
}

CAF_TEST(where nobody listens nothing is waited for) {
  auto client = client_of("redis://127.0.0.1:" + std::to_string(free_port()), 5000);
  auto began = system_clock().monotonic();
  CAF_CHECK(code_of(client->open_stream(stream)) == errc::unreachable);
  CAF_CHECK(system_clock().monotonic() - began < 2 * second);
  CAF_CHECK_EQUAL(client->statistics().connects, 0u);
}

CAF_TEST(a url says where a server is and as whom to go there) {
  auto all = must(parse_redis_url("redis://trader:a%3Ab@redis.internal:6380/2"));
  CAF_CHECK_EQUAL(all.user.name + " " + all.user.password + " " + all.text() + " " + all.database,
                  "trader a:b redis.internal:6380 2");
  CAF_CHECK_EQUAL(must(parse_redis_url("redis://localhost")).text(), "localhost:6379");
  CAF_CHECK_EQUAL(must(parse_redis_url("redis://:p@[::1]:7000/")).host, "::1");
  CAF_CHECK_EQUAL(must(parse_redis_url("redis://[::1]")).host, "::1");
  for (auto url : {"", "localhost:6379", "http://localhost", "redis://", "redis://:6379", "redis://h:0", "redis://h:x",
                   "redis://h:65536", "redis://h/x", "redis://u@h", "redis://:%4@h", "redis://:%zz@h", "rediss://h"})
    CAF_CHECK_EQUAL(code_of(parse_redis_url(url)), errc::invalid_argument);
  CAF_CHECK(message_of(parse_redis_url("redis://u:secret@h:x")).find("secret") == std::string::npos);
}
