// What goes wrong with a Kafka, and what its driver makes of it. It is librdkafka's mock cluster.
#define CAF_SUITE broker_kafka_operation

#include "runtime/clock/clock.hpp"
#include "tests/runtime/broker_kafka_server.hpp"
#include "tests/runtime/broker_outages.hpp"

#include <atomic>
#include <random>
#include <thread>

using namespace finstream;
using namespace finstream::test;

namespace {

const std::string stream = "finstream.events";
constexpr std::int16_t produce_request = 0, fetch_request = 1;

struct running_kafka {
  kafka_mock server;
  std::unique_ptr<broker> client = open();
  running_kafka() { must(client->open_stream(stream)); }

  std::unique_ptr<broker> open(int request_timeout_ms = 5000, int health_interval_ms = 0) {
    broker_options options;
    options.request_timeout_ms = request_timeout_ms;
    options.health_interval_ms = health_interval_ms;
    options.stale_after_ms = 6000; // the least that brokers allow
    return server.open(options);
  }
  std::unique_ptr<broker> open_as_it_is(int request_timeout_ms = 1000) {
    broker_options options;
    options.url = server.url();
    options.request_timeout_ms = request_timeout_ms;
    return must(open_kafka_broker(options));
  }
  std::string read() { return text(must(client->read(stream, {}, 5000, no_limit))); }
  std::uint64_t messages() { return must(client->ends(stream)).messages; }
  std::string take(broker& by, const std::string& consumer, nanoseconds patience) {
    return text(must(by.take(stream, "g", consumer, 100, patience)));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(broker_kafka_operation_tests, running_kafka)

CAF_TEST(brokers that were away are gone on with) {
  auto quick = open(500);
  must(quick->publish(stream, {}, transactions(1, 3)));
  server.go_down();
  auto began = system_clock().monotonic();
  auto lost = quick->publish(stream, message_number{3, 0}, transactions(4, 4));
  CAF_CHECK(code_of(lost) == errc::unreachable);
  CAF_CHECK(message_of(lost).find(server.url()) != std::string::npos);
  CAF_CHECK(code_of(quick->ends(stream)) == errc::unreachable);
  CAF_CHECK(code_of(quick->read(stream, {}, 1, 1)) == errc::unreachable);
  CAF_CHECK(code_of(quick->health()) == errc::unreachable);
  CAF_CHECK(system_clock().monotonic() - began < 4 * second);
  server.come_up();
  CAF_CHECK_EQUAL(text(must(quick->ends(stream)).last), "3.0");
  must(quick->publish(stream, message_number{3, 0}, transactions(4, 4)));
  CAF_CHECK_EQUAL(read(), "1 2 3 4");
  CAF_CHECK_EQUAL(quick->statistics().connects, 2u);
  CAF_CHECK_EQUAL(quick->statistics().failures, 4u);
}

CAF_TEST(nothing is lost or doubled when the brokers go away while they are published to) {
  auto quick = open(300);
  outage_rules rules;
  rules.most_asked = 100;
  rules.read_messages = 700;
  rules.disturb = [&] {
    server.go_down();
    pause(400 * millisecond); // longer than a call may take
    server.come_up();
  };
  // On a busy machine one may come when all is written.
  CAF_CHECK(publish_through_outages(*quick, stream, rules) > 0u);
  check_that_each_is_there_once(*client, stream, rules);
  CAF_CHECK_EQUAL(read().substr(0, 9), "1 2 3 4 5");
}

CAF_TEST(brokers that do not answer are given up at the deadline and what they took is found) {
  auto quick = open(300);
  must(quick->publish(stream, {}, transactions(1, 1)));
  CAF_REQUIRE(rd_kafka_mock_broker_set_rtt(server.cluster(), 1, 60'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  auto began = system_clock().monotonic();
  CAF_CHECK(code_of(quick->publish(stream, message_number{1, 0}, transactions(2, 2))) == errc::unreachable);
  CAF_CHECK(code_of(quick->ends(stream)) == errc::unreachable);
  auto took = system_clock().monotonic() - began;
  CAF_CHECK(took >= 500 * millisecond && took < 3 * second);
  CAF_REQUIRE(rd_kafka_mock_broker_set_rtt(server.cluster(), 1, 0) == RD_KAFKA_RESP_ERR_NO_ERROR);
  CAF_CHECK_EQUAL(text(must(quick->ends(stream)).last), "2.0"); // the answer was lost, and not the message
  CAF_CHECK(code_of(quick->publish(stream, message_number{1, 0}, transactions(2, 2))) == errc::conflict);
  must(quick->publish(stream, message_number{2, 0}, transactions(3, 3)));
  CAF_CHECK_EQUAL(read(), "1 2 3");
}

CAF_TEST(what a second writer has sent counts for nobody and does not stop the first) {
  auto other = open();
  must(client->publish(stream, {}, transactions(1, 2)));
  must(other->publish(stream, message_number{2, 0}, transactions(3, 4)));
  // This one believes that 2 is the last, so it sends them; 5 and 6 would follow what the other has written.
  CAF_CHECK(code_of(client->publish(stream, message_number{2, 0}, transactions(3, 6))) == errc::conflict);
  CAF_CHECK_EQUAL(messages(), 8u);
  CAF_CHECK_EQUAL(read(), "1 2 3 4");
  CAF_CHECK_EQUAL(text(must(other->ends(stream)).last), "4.0");
  must(other->publish(stream, message_number{4, 0}, transactions(5, 5)));
  must(other->publish(stream, message_number{5, 0}, transactions(6, 7)));
  CAF_CHECK_EQUAL(read(), "1 2 3 4 5 6 7");
  for (std::uint64_t i = 1; i <= 7; ++i)
    CAF_CHECK_EQUAL(text(must(open()->read(stream, message_number{i - 1, 9}, 1, no_limit))), std::to_string(i));
}

CAF_TEST(of writers that race for every message each is won by one) {
  constexpr std::uint64_t all = 120;
  std::vector<std::thread> writers;
  std::atomic<std::uint64_t> won = 0;
  for (int i = 0; i < 3; ++i)
    writers.emplace_back([&, mine = std::shared_ptr<broker>{open()}, i] {
      for (auto ends = mine->ends(stream); ends; ends = mine->ends(stream)) {
        auto next = ends->last ? ends->last->transaction + 1 : 1;
        if (next > all) return;
        std::vector<broker_message> messages;
        for (auto n = next; n < next + 3; ++n) messages.push_back(part(n, 0, true, std::to_string(i)));
        auto done = mine->publish(stream, ends->last, messages);
        if (done) won += messages.size();
        ensure(done || done.error().code == errc::conflict, message_of(done).c_str());
      }
    });
  for (auto& x : writers) x.join();
  std::uint64_t next = 1;
  for (auto& x : must(client->read(stream, {}, 5000, no_limit))) CAF_REQUIRE_EQUAL(x.number.transaction, next++);
  CAF_CHECK(next > all && won <= next - 1);
  CAF_CHECK(won > 0u);
}

CAF_TEST(an answer that asks for patience is obeyed) {
  must(client->publish(stream, {}, transactions(1, 1)));
  server.refuse(produce_request, {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                                  RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR});
  must(client->publish(stream, message_number{1, 0}, transactions(2, 40)));
  CAF_CHECK_EQUAL(messages(), 40u);
}

CAF_TEST(a refusal is an error that says what to do and nothing comes behind it) {
  const std::pair<rd_kafka_resp_err_t, errc> refusals[] = {
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, errc::config_invalid},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, errc::config_invalid},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, errc::invalid_argument},
  };
  std::uint64_t last = 0;
  for (auto [error, meaning] : refusals) {
    auto after = last == 0 ? std::nullopt : std::optional{message_number{last, 0}};
    server.refuse(produce_request, {error});
    auto refused = client->publish(stream, after, transactions(last + 1, last + 900));
    CAF_CHECK_EQUAL(code_of(refused), meaning);
    CAF_CHECK_EQUAL(messages(), last);
    must(client->publish(stream, after, transactions(last + 1, last + 1)));
    ++last;
  }
  CAF_CHECK_EQUAL(read(), "1 2 3");
}

CAF_TEST(messages that others have written are refused and not read as ours) {
  must(client->publish(stream, {}, transactions(1, 2)));
  server.write(stream, "{}");
  CAF_CHECK(code_of(client->publish(stream, message_number{2, 0}, transactions(3, 3))) == errc::incompatible);
  CAF_CHECK(code_of(open()->publish(stream, message_number{2, 0}, transactions(3, 3))) == errc::incompatible);
  CAF_CHECK(code_of(client->read(stream, message_number{2, 0}, 10, no_limit)) == errc::incompatible);
  CAF_CHECK_EQUAL(text(must(client->read(stream, {}, 2, no_limit))), "1 2");
  must(client->ensure_group(stream, "g"));
  CAF_CHECK_EQUAL(text(must(client->take(stream, "g", "c", 2, second))), "1 2");
  for (int i = 0; i < 2; ++i) CAF_CHECK(code_of(client->take(stream, "g", "c", 9, second)) == errc::incompatible);
}

CAF_TEST(a topic that is set up otherwise is refused) {
  server.make_topic("finstream.other", 3);
  auto refused = client->open_stream("finstream.other");
  CAF_CHECK(code_of(refused) == errc::incompatible);
  CAF_CHECK(message_of(refused).find("3 partitions") != std::string::npos);
  CAF_CHECK(code_of(client->read("finstream.other", {}, 1, 1)) == errc::incompatible);
  CAF_CHECK(code_of(client->open_stream("..")) == errc::invalid_argument);
  CAF_CHECK(code_of(client->open_stream(std::string(130, ':'))) == errc::invalid_argument);
}

CAF_TEST(a topic that others have removed is not taken for one that is there) {
  auto quick = open(500);
  must(quick->publish(stream, {}, transactions(1, 2)));
  rd_kafka_mock_topic_set_error(server.cluster(), stream.c_str(), RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  must(quick->health()); // by which it hears of it
  CAF_CHECK(code_of(quick->ends(stream)) == errc::not_found);
  CAF_CHECK(code_of(quick->publish(stream, message_number{2, 0}, transactions(3, 3))) == errc::not_found);
  CAF_CHECK(code_of(quick->open_stream(stream)) == errc::unreachable); // it is asked for, and the mock makes none
  rd_kafka_mock_topic_set_error(server.cluster(), stream.c_str(), RD_KAFKA_RESP_ERR_NO_ERROR);
  must(quick->open_stream(stream));
  CAF_CHECK_EQUAL(text(must(quick->ends(stream)).last), "2.0");
}

CAF_TEST(a group goes on when its brokers were away) {
  server.group_ids = {"g@finstream.events"};
  must(client->publish(stream, {}, transactions(1, 4)));
  must(client->ensure_group(stream, "g"));
  CAF_CHECK_EQUAL(text(must(client->take(stream, "g", "c", 2, second))), "1 2");
  must(client->acknowledge(stream, "g", numbers(1, 1)));
  server.go_down();
  CAF_CHECK(code_of(client->take(stream, "g", "c", 2, 0)) == errc::unreachable);
  server.come_up();
  std::string found;
  for (int i = 0; i < 60 && !found.ends_with("4"); ++i)
    if (auto some = client->take(stream, "g", "c", 9, second)) found += text(*some);
  CAF_CHECK(found == "3 4" || found == "2 3 4"); // 2 too, if the group has missed its consumer
  must(client->acknowledge(stream, "g", numbers(1, 4)));
  CAF_CHECK_EQUAL(text(must(client->groups(stream)).at(0).first_needed), "nothing");
}

CAF_TEST(where the brokers drop what is old the rest is read and what is gone is said to be) {
  std::mt19937_64 random{4711};
  std::vector<broker_message> messages;
  for (std::uint64_t i = 1; i <= 100; ++i) { // ten megabytes that cannot be compressed: the mock keeps five
    std::string body(100'000, '\0');
    for (auto& c : body) c = static_cast<char>(random());
    messages.push_back(part(i, 0, true, body));
  }
  must(client->publish(stream, {}, messages));
  auto ends = must(client->ends(stream));
  auto first = ends.first.value().transaction;
  CAF_CHECK(first > 30 && first < 80);
  CAF_CHECK_EQUAL(text(ends.last), "100.0");
  CAF_CHECK_EQUAL(ends.messages, 101 - first);
  CAF_CHECK(code_of(client->read(stream, message_number{3, 0}, 1, no_limit)) == errc::trimmed);
  CAF_CHECK(must(client->read(stream, {}, 1, no_limit)).at(0).body == messages[first - 1].body);
  CAF_CHECK_EQUAL(text(must(client->read(stream, message_number{98, 0}, 9, no_limit))), "99 100");
  must(client->publish(stream, message_number{100, 0}, transactions(101, 101)));

  server.write(stream, std::string(6'000'000, 'x')); // with this the mock drops all
  CAF_CHECK(code_of(open()->ends(stream)) == errc::incompatible);
  CAF_CHECK(code_of(open()->publish(stream, {}, transactions(1, 1))) == errc::incompatible);
}

CAF_TEST(a place in a stream of transactions with many parts is found) {
  std::vector<broker_message> all;
  auto other = open();
  for (std::uint64_t t = 5; t < 60; ++t) {
    std::vector<broker_message> some;
    for (std::uint32_t p = 0; p <= t % 4; ++p) some.push_back(part(t, p, p == t % 4));
    auto after = all.empty() ? std::nullopt : std::optional{all.back().number};
    must(client->publish(stream, after, some));
    all.insert(all.end(), some.begin(), some.end());
    if (t % 7 == 0) CAF_CHECK(!other->publish(stream, after, some)); // counts for nobody, if it is sent at all
    if (t % 7 == 6) must(other->publish(stream, all.back().number, {}));
  }
  for (std::size_t i = 0; i + 1 < all.size(); i += 7) {
    auto found = must(open()->read(stream, all[i].number, 3, no_limit));
    CAF_REQUIRE(!found.empty());
    CAF_CHECK(found[0].number == all[i + 1].number);
  }
}

CAF_TEST(a trim asks for what nobody needs any more) {
  server.group_ids = {"g@finstream.events", "g@finstream.other", "console-consumer-1"};
  must(client->publish(stream, {}, transactions(1, 300)));
  must(client->trim(stream, {201, 0}));
  CAF_CHECK_EQUAL(server.drop_before[stream], 200);
  must(client->trim(stream, {999, 0})); // the last stays
  CAF_CHECK_EQUAL(server.drop_before[stream], 299);
  server.drop_before.clear();
  must(client->ensure_group(stream, "g"));
  must(client->trim(stream, {999, 0})); // it has taken nothing yet
  CAF_CHECK(server.drop_before.empty());
  CAF_CHECK_EQUAL(must(client->take(stream, "g", "c", 250, second)).size(), 250u);
  must(client->acknowledge(stream, "g", numbers(1, 220)));
  must(client->acknowledge(stream, "g", numbers(222, 250)));
  must(client->trim(stream, {999, 0})); // 221 is pending
  CAF_CHECK_EQUAL(server.drop_before[stream], 220);
}

CAF_TEST(a stream goes from a consumer that leaves to one that waits) {
  server.group_ids = {"g@finstream.events"};
  auto first = open(), second_one = open();
  must(first->ensure_group(stream, "g"));
  must(client->publish(stream, {}, transactions(1, 6)));
  CAF_CHECK_EQUAL(text(must(first->take(stream, "g", "a", 4, second))), "1 2 3 4");
  must(first->acknowledge(stream, "g", numbers(1, 1)));
  must(first->acknowledge(stream, "g", numbers(3, 3)));
  std::thread leaving{[&] {
    pause(2 * second);
    first.reset();
  }};
  std::string found;
  for (int i = 0; i < 60 && found.empty(); ++i) found = take(*second_one, "b", second);
  leaving.join();
  CAF_CHECK_EQUAL(found, "2 3 4 5 6");
  must(second_one->acknowledge(stream, "g", numbers(2, 6)));
  CAF_CHECK_EQUAL(text(must(client->groups(stream)).at(0).first_needed), "nothing");
}

CAF_TEST(who says that it is at work keeps the stream) {
  server.group_ids = {"g@finstream.events"};
  auto other = open(500);
  must(client->ensure_group(stream, "g"));
  must(client->publish(stream, {}, transactions(1, 3)));
  CAF_CHECK_EQUAL(text(must(client->take(stream, "g", "a", 2, second))), "1 2");
  auto until = system_clock().monotonic() + 9 * second; // longer than a silent one keeps it
  while (system_clock().monotonic() < until) {
    must(client->keep(stream, "g", "a", numbers(1, 2)));
    CAF_REQUIRE_EQUAL(take(*other, "b", 100 * millisecond), "");
  }
  CAF_CHECK_EQUAL(take(*client, "a", second), "3");
  must(client->acknowledge(stream, "g", numbers(1, 3)));
}

CAF_TEST(what the mock cannot do is asked for as Kafka has it and its refusal is understood) {
  auto as_it_is = open_as_it_is();
  must(client->publish(stream, {}, transactions(1, 9)));
  CAF_CHECK(code_of(as_it_is->groups(stream)) == errc::incompatible);
  auto refused = as_it_is->trim(stream, {5, 0});
  CAF_CHECK(code_of(refused) == errc::incompatible);
  CAF_CHECK(message_of(refused).find("too old") != std::string::npos);
  auto began = system_clock().monotonic();
  CAF_CHECK(!as_it_is->open_stream("finstream.new"));
  CAF_CHECK(!as_it_is->remove_stream(stream));
  CAF_CHECK(system_clock().monotonic() - began < 5 * second);
  CAF_CHECK_EQUAL(text(must(as_it_is->read(stream, message_number{7, 0}, 9, no_limit))), "8 9");
}

CAF_TEST(a server is asked for its health from time to time only) {
  auto seldom = open(500, 60'000), often = open(500);
  CAF_CHECK(seldom->health().has_value());
  CAF_CHECK(often->health().has_value());
  server.go_down();
  CAF_CHECK(seldom->health().has_value());
  CAF_CHECK(code_of(often->health()) == errc::unreachable);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(where nobody listens it is given up in time and a url must be one) {
  broker_options options;
  options.url = "127.0.0.1:1";
  options.request_timeout_ms = 5000;
  options.connect_timeout_ms = 500;
  auto client = must(open_kafka_broker(options));
  auto began = system_clock().monotonic();
  auto refused = client->open_stream(stream);
  CAF_CHECK(code_of(refused) == errc::unreachable);
  CAF_CHECK(message_of(refused).find("127.0.0.1:1") != std::string::npos);
  CAF_CHECK(system_clock().monotonic() - began < 2 * second);
  for (auto url : {"",
                   "kafka://localhost",
                   "u:secret@",
                   ":secret@a",
                   "u:@a",
                   "u@a",
                   "tls://u:secret@a:9092,u:secret@b:9092",
                   "u:%00secret@a",
                   "a:9092,,b",
                   "u:se%zzcret@a",
                   "tls://",
                   "a:9092,tls://b",
                   "a:9092,",
                   ",a",
                   "a:",
                   ":9092",
                   "a:x",
                   "a b",
                   "a:900000",
                   "redis://a"}) {
    options.url = url;
    auto unsound = open_kafka_broker(options);
    CAF_CHECK_EQUAL(code_of(unsound), errc::invalid_argument);
    CAF_CHECK(message_of(unsound).find("secret") == std::string::npos);
  }
}
