// What goes wrong with a NATS, and what its driver makes of it.
#define CAF_SUITE broker_nats_operation

#include "runtime/clock/clock.hpp"
#include "tests/runtime/broker_nats_server.hpp"
#include "tests/runtime/broker_outages.hpp"

#include <functional>

using namespace finstream;
using namespace finstream::test;

namespace {

const std::string stream = "finstream.events";
const std::string name_in_nats = "finstream=events";

std::unique_ptr<broker> client_of(const std::string& url, int request_timeout_ms = 2000, int health_interval_ms = 0) {
  broker_options options;
  options.url = url;
  options.request_timeout_ms = request_timeout_ms;
  options.health_interval_ms = health_interval_ms;
  return must(open_nats_broker(options));
}

struct running_nats {
  nats_server server;
  std::unique_ptr<broker> client = client_of(server.url());
  running_nats() { must(client->open_stream(stream)); }

  std::string read() { return text(must(client->read(stream, {}, 1000, no_limit))); }
  void make_stream(std::function<void(jsStreamConfig&)> change) {
    server.with_jetstream([&](natsConnection*, jsCtx* context) {
      jsStreamConfig config;
      jsStreamConfig_Init(&config);
      const char* subjects[] = {"finstream.other"};
      config.Name = "finstream=other", config.Subjects = subjects, config.SubjectsLen = 1;
      change(config);
      CAF_REQUIRE(js_AddStream(nullptr, context, &config, nullptr, nullptr) == NATS_OK);
    });
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(broker_nats_operation_tests, running_nats)

CAF_TEST(a server that is killed and started again is gone on with) {
  must(client->ensure_group(stream, "g"));
  must(client->publish(stream, {}, transactions(1, 3)));
  CAF_CHECK_EQUAL(text(must(client->take(stream, "g", "c", 2, second))), "1 2");
  must(client->acknowledge(stream, "g", numbers(1, 1)));
  server.restart();
  while (!client->publish(stream, message_number{3, 0}, transactions(4, 4))) {
    auto ends = client->ends(stream);
    if (ends) CAF_CHECK_EQUAL(text(ends->last), "3.0");
  }
  CAF_CHECK_EQUAL(read(), "1 2 3 4");
  // NATS writes a little later what was handed out and acknowledged: after a kill it may hand it out once more.
  CAF_CHECK(text(must(client->take(stream, "g", "c", 9, second))).ends_with("3 4"));
  CAF_CHECK(client->statistics().connects >= 2u);
}

CAF_TEST(nothing is lost or doubled when a server is killed while it is published to) {
  outage_rules rules;
  rules.ballast = std::string(3000, '7');
  rules.disturb = [&] { server.restart(); };
  CAF_CHECK(publish_through_outages(*client, stream, rules) >= 3u);
  check_that_each_is_there_once(*client, stream, rules);
  CAF_CHECK_EQUAL(must(client->ends(stream)).messages, rules.messages);
}

CAF_TEST(a server that does not answer is given up at the deadline) {
  auto quick = client_of(server.url(), 200);
  must(quick->publish(stream, {}, transactions(1, 1)));
  must(quick->ensure_group(stream, "g"));
  for (std::uint64_t round = 0; round < 3; ++round) {
    auto last = must(quick->ends(stream)).last.value();
    CAF_CHECK(quick->take(stream, "g", "c", 100, 0).has_value());
    server.process.freeze();
    auto began = system_clock().monotonic();
    CAF_CHECK(code_of(quick->take(stream, "g", "c", 1, 50 * millisecond)) == errc::unreachable);
    CAF_CHECK(code_of(quick->publish(stream, last, transactions(last.transaction + 1, last.transaction + 3))) ==
              errc::unreachable);
    CAF_CHECK(code_of(quick->ends(stream)) == errc::unreachable);
    auto took = system_clock().monotonic() - began;
    CAF_CHECK(took >= 500 * millisecond && took < 2 * second);
    server.process.thaw();
    auto ends = quick->ends(stream);
    for (; !ends; ends = quick->ends(stream)) pause(millisecond); // it has to look around first
    last = ends->last.value();
    must(quick->publish(stream, last, transactions(last.transaction + 1, last.transaction + 1)));
  }
  auto last = must(quick->ends(stream)).last->transaction;
  CAF_CHECK_EQUAL(must(quick->read(stream, {}, 1000, no_limit)).size(), last);
}

CAF_TEST(of two writers one is stopped although it sends much ahead) {
  auto other = client_of(server.url());
  must(client->publish(stream, {}, transactions(1, 2)));
  must(other->open_stream(stream));
  must(other->publish(stream, message_number{2, 0}, transactions(3, 10)));
  CAF_CHECK(code_of(client->publish(stream, message_number{2, 0}, transactions(3, 500))) == errc::conflict);
  CAF_CHECK_EQUAL(must(client->ends(stream)).messages, 10u);
}

CAF_TEST(a limit of one stream is an error that says so) {
  make_stream([](jsStreamConfig& x) { x.MaxMsgs = 2, x.Discard = js_DiscardNew; });
  must(client->open_stream("finstream.other"));
  auto refused = client->publish("finstream.other", {}, transactions(1, 3));
  CAF_CHECK(code_of(refused) == errc::overloaded);
  CAF_CHECK(message_of(refused).find("a limit of its own") != std::string::npos);
  CAF_CHECK_EQUAL(text(must(client->ends("finstream.other")).last), "2.0");
}

CAF_TEST(a stream at its limit is asked again and again) {
  make_stream([](jsStreamConfig& x) { x.MaxMsgs = 2, x.Discard = js_DiscardNew; });
  must(client->open_stream("finstream.other"));
  must(client->publish("finstream.other", {}, transactions(1, 2)));
  // Of 500 messages 499 refusals are still to come when the first has been read.
  for (int i = 0; i < 200; ++i)
    CAF_CHECK(code_of(client->publish("finstream.other", message_number{2, 0}, transactions(3, 502))) ==
              errc::overloaded);
  server.with_jetstream([](natsConnection*, jsCtx* context) {
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    const char* subjects[] = {"finstream.other"};
    config.Name = "finstream=other", config.Subjects = subjects, config.SubjectsLen = 1;
    CAF_REQUIRE(js_UpdateStream(nullptr, context, &config, nullptr, nullptr) == NATS_OK);
  });
  must(client->publish("finstream.other", message_number{2, 0}, transactions(3, 502)));
  CAF_CHECK_EQUAL(text(must(client->ends("finstream.other")).last), "502.0");
  CAF_CHECK_EQUAL(client->statistics().connects, 1u);
}

CAF_TEST(a stream that is set up otherwise is refused) {
  const std::function<void(jsStreamConfig&)> faults[] = {
    [](jsStreamConfig& x) { x.Storage = js_MemoryStorage; },
    [](jsStreamConfig& x) { x.Retention = js_WorkQueuePolicy; },
    [](jsStreamConfig& x) { x.NoAck = true; },
    [](jsStreamConfig& x) { x.MaxAge = 60 * second; },
    [](jsStreamConfig& x) { x.MaxMsgs = 1000; },
    [](jsStreamConfig& x) { x.MaxBytes = 1 << 20; },
    [](jsStreamConfig& x) {
      static const char* subjects[] = {"finstream.other", "more"};
      x.Subjects = subjects, x.SubjectsLen = 2;
    },
  };
  for (auto& fault : faults) {
    make_stream(fault);
    CAF_CHECK(code_of(client->open_stream("finstream.other")) == errc::incompatible);
    must(client->remove_stream("finstream.other"));
  }
  CAF_CHECK(code_of(client->open_stream("a..b")) == errc::invalid_argument);
  CAF_CHECK(code_of(client->open_stream(".a")) == errc::invalid_argument);
}

CAF_TEST(messages that others have published are refused and not read as ours) {
  must(client->publish(stream, {}, transactions(1, 2)));
  server.with_jetstream([](natsConnection*, jsCtx* context) {
    CAF_REQUIRE(js_Publish(nullptr, context, stream.c_str(), "{}", 2, nullptr, nullptr) == NATS_OK);
  });
  CAF_CHECK(code_of(client->publish(stream, message_number{2, 0}, transactions(3, 3))) == errc::conflict);
  CAF_CHECK(code_of(client->ends(stream)) == errc::incompatible);
  CAF_CHECK(code_of(client->read(stream, message_number{2, 0}, 10, no_limit)) == errc::incompatible);
}

CAF_TEST(where others have removed the last message a new client says that its number is lost) {
  must(client->publish(stream, {}, transactions(1, 3)));
  server.with_jetstream([](natsConnection*, jsCtx* context) {
    CAF_REQUIRE(js_PurgeStream(context, name_in_nats.c_str(), nullptr, nullptr) == NATS_OK);
  });
  CAF_CHECK_EQUAL(text(must(client->ends(stream)).last), "3.0"); // it remembers
  auto other = client_of(server.url());
  CAF_CHECK(code_of(other->ends(stream)) == errc::incompatible);
  CAF_CHECK(code_of(other->publish(stream, {}, transactions(1, 1))) == errc::incompatible);
}

CAF_TEST(a place in a stream of transactions with many parts is found) {
  std::vector<broker_message> messages;
  for (std::uint64_t t = 5; t < 200; ++t)
    for (std::uint32_t p = 0; p <= t % 4; ++p) messages.push_back(part(t, p, p == t % 4));
  must(client->publish(stream, {}, messages));
  for (std::size_t i = 0; i < messages.size(); i += 37) {
    auto found = must(client_of(server.url())->read(stream, messages[i].number, 3, no_limit));
    CAF_REQUIRE(!found.empty());
    CAF_CHECK(found[0].number == messages[i + 1].number);
  }
}

CAF_TEST(what a consumer of another program has given up on is told until it is forgotten) {
  const std::string kept_in = "finstream.letters.given_up";
  const std::vector<std::string> streams{stream, stream + ":1"};
  must(client->open_stream(stream + ":1"));
  must(client->publish(stream, {}, transactions(1, 3)));
  CAF_CHECK(must(client->given_up(kept_in, streams, 10)).empty()); // from here on it is written down
  server.with_jetstream([](natsConnection*, jsCtx* context) {
    jsConsumerConfig config;
    jsConsumerConfig_Init(&config);
    config.Durable = "billing";
    config.AckPolicy = js_AckExplicit;
    config.AckWait = 50 * millisecond;
    config.MaxDeliver = 2;
    CAF_REQUIRE(js_AddConsumer(nullptr, context, "finstream=events", &config, nullptr, nullptr) == NATS_OK);
    natsSubscription* from = nullptr;
    CAF_REQUIRE(js_PullSubscribe(&from, context, stream.c_str(), "billing", nullptr, nullptr, nullptr) == NATS_OK);
    for (int handed_out = 0; handed_out < 6;) { // and never acknowledged; the server says it when it would be once more
      natsMsgList list{};
      if (natsSubscription_Fetch(&list, from, 3, 200, nullptr) == NATS_OK) handed_out += list.Count;
      natsMsgList_Destroy(&list);
    }
    natsMsgList none{};
    CAF_CHECK(natsSubscription_Fetch(&none, from, 1, 300, nullptr) != NATS_OK);
    natsMsgList_Destroy(&none);
    natsSubscription_Destroy(from);
  });
  server.with_jetstream([](natsConnection*, jsCtx* context) { // and what is no advisory is in nobody's way
    auto subject = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.finstream=events.garbage";
    CAF_REQUIRE(js_Publish(nullptr, context, subject, "garbage", 7, nullptr, nullptr) == NATS_OK);
  });
  server.restart(); // it was told to nobody, and is kept
  broker_options options;
  options.url = server.url();
  options.stale_after_ms = 500;
  auto next = must(open_nats_broker(options));
  std::vector<given_up_message> found;
  for (auto until = system_clock().monotonic() + 10 * second; found.size() < 4 && system_clock().monotonic() < until;)
    if (auto some = next->given_up(kept_in, streams, 10)) found.insert(found.end(), some->begin(), some->end());
  CAF_REQUIRE_EQUAL(found.size(), 4u);
  std::ranges::sort(found, {}, &given_up_message::id);
  CAF_CHECK(found[3].group == "garbage" && !found[3].what);
  must(next->forget_given_up(kept_in, {found[3].id}));
  for (std::size_t i = 0; i < 3; ++i) {
    CAF_CHECK(found[i].id.starts_with(stream + "/billing/" + std::to_string(i + 1) + "/"));
    CAF_CHECK_EQUAL(found[i].stream, stream);
    CAF_CHECK_EQUAL(found[i].group, "billing");
    CAF_CHECK_EQUAL(found[i].deliveries, 2u);
    CAF_REQUIRE(found[i].what);
    CAF_CHECK_EQUAL(found[i].what->number.transaction, i + 1);
  }
  must(next->forget_given_up(kept_in, {found[0].id, found[1].id}));
  auto after_that = must(open_nats_broker(options)); // what is not forgotten is told anew
  std::vector<given_up_message> left;
  for (auto until = system_clock().monotonic() + 10 * second; left.empty() && system_clock().monotonic() < until;)
    left = must(after_that->given_up(kept_in, streams, 10));
  CAF_REQUIRE_EQUAL(left.size(), 1u);
  CAF_CHECK_EQUAL(left[0].id, found[2].id);
  must(after_that->forget_given_up(kept_in, {left[0].id}));
  must(after_that->open_stream(stream + ":2")); // one more
  CAF_CHECK(must(client_of(server.url())->given_up(kept_in, {stream, stream + ":1", stream + ":2"}, 10)).empty());
  CAF_CHECK(code_of(client_of(server.url())->given_up(stream, streams, 10)) == errc::incompatible);
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

CAF_TEST(the limit of the server for a message is kept) {
  temp_dir directory;
  auto path = directory.path() + "/nats.conf";
  std::ofstream{path} << "max_payload: 100000\n";
  nats_server server{{"-c", path}};
  auto client = client_of(server.url());
  must(client->open_stream(stream));
  auto limit = client->capabilities().max_message_bytes;
  CAF_CHECK(limit > 90'000 && limit < 100'000);
  auto largest = part(1, 0, true, std::string(limit, 'x'));
  largest.type = std::string(200, 't');
  largest.log_id = ~std::uint64_t{0};
  must(client->publish(stream, {}, std::vector{largest}));
  CAF_CHECK(code_of(client->publish(stream, message_number{1, 0},
                                    std::vector{part(2, 0, true, std::string(limit + 1, 'x'))})) ==
            errc::invalid_argument);
}

CAF_TEST(a server without JetStream is told from one that has it) {
  broker_process process{[](int port, const std::string&) {
                           return broker_process::words{"nats-server", "-a", "127.0.0.1", "-p", std::to_string(port)};
                         },
                         "nats-server"};
  auto refused = client_of("nats://127.0.0.1:" + std::to_string(process.port()))->open_stream(stream);
  CAF_CHECK(code_of(refused) == errc::incompatible);
  CAF_CHECK(message_of(refused).find("-js") != std::string::npos);
}

CAF_TEST(a user and a password are asked for and given) {
  nats_server server{{"--user", "node", "--pass", "secret"}};
  auto with = [&](const std::string& who) {
    return client_of("nats://" + who + "127.0.0.1:" + std::to_string(server.process.port()));
  };
  CAF_CHECK(code_of(with("")->open_stream(stream)) == errc::config_invalid);
  auto wrong = with("node:guessed@")->open_stream(stream);
  CAF_CHECK(code_of(wrong) == errc::config_invalid);
  CAF_CHECK(message_of(wrong).find("guessed") == std::string::npos);
  must(with("node:secret@")->open_stream(stream));
}

CAF_TEST(a user needs no more permissions than the documentation says) {
  temp_dir directory;
  auto path = directory.path() + "/nats.conf";
  std::ofstream{path} << R"(authorization { users = [{user: node, password: secret, permissions: {
    publish: ["finstream.>", "$JS.API.>", "$JS.ACK.>"], subscribe: ["_INBOX.>"]}}] })";
  nats_server server{{"-c", path}};
  auto node = client_of("nats://node:secret@127.0.0.1:" + std::to_string(server.process.port()));
  must(node->open_stream(stream));
  must(node->ensure_group(stream, "g"));
  must(node->publish(stream, {}, transactions(1, 2)));
  CAF_CHECK_EQUAL(text(must(node->read(stream, {}, 9, no_limit))), "1 2");
  CAF_CHECK_EQUAL(text(must(node->take(stream, "g", "c", 9, second))), "1 2");
  must(node->keep(stream, "g", "c", numbers(1, 1)));
  must(node->acknowledge(stream, "g", numbers(1, 2)));
  must(node->trim(stream, {2, 0}));
  CAF_CHECK(must(node->given_up("finstream.given_up", {stream}, 9)).empty());
  must(node->health());
  must(node->remove_stream(stream));
}

CAF_TEST(where nobody listens nothing is waited for and a url must be one) {
  auto client = client_of("nats://127.0.0.1:" + std::to_string(free_port()), 5000);
  auto began = system_clock().monotonic();
  CAF_CHECK(code_of(client->open_stream(stream)) == errc::unreachable);
  CAF_CHECK(system_clock().monotonic() - began < 2 * second);
  for (auto url :
       {"", "localhost:4222", "http://localhost", "nats://", "nats://:4222", "nats://u:secret@", "nats://node:secret",
        "nats://:secret@a", "nats://u:@a", "nats://a:1,", "nats://a,,b", "nats://u:secret@a,nats://v:secret@b",
        "nats://u:%00secret@a", "nats://[::1", "nats://a,redis://b", "nats://a,tls://b"}) {
    broker_options options;
    options.url = url;
    auto refused = open_nats_broker(options);
    CAF_CHECK_EQUAL(code_of(refused), errc::invalid_argument);
    CAF_CHECK(message_of(refused).find("secret") == std::string::npos);
  }
}
