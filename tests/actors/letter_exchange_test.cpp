// Processes that write no dead letters ask the one that does, through a broker. Their logs are one here: as if each
// followed the other at once.
#define CAF_SUITE letter_exchange

#include "actors/given_up_taker.hpp"
#include "actors/letter_taker.hpp"
#include "actors/log_entries.hpp"
#include "actors/set_aside.hpp"
#include "messages/codec/msgpack.hpp"
#include "runtime/broker/memory_broker.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

#include <span>

using namespace finstream;
using namespace finstream::test;

namespace {

constexpr std::uint64_t log_id = 1;
constexpr int stale_after_ms = 5000;

struct process : world {
  memory_broker_server& server;
  std::string me;

  process(memory_broker_server& there, std::string who, bool is_ingest, bus* log_of_all = nullptr)
    : server{there}, me{std::move(who)} {
    context.duties = {is_ingest, false, false};
    if (log_of_all != nullptr) context.log = log_of_all;
    config.partitions = 2;
    if (is_ingest) start_appender(), start_appender(1);
    start();
  }
  ~process() { // before the log of another
    for (auto& path : {std::string{letters_path}, std::string{given_up_taker_state::path}, appender_path,
                       partition_path(1, "appender")})
      crash(path);
  }
  void start() {
    letter_stream stream{[this]() -> expected<std::unique_ptr<broker>> {
                           broker_options options;
                           options.stale_after_ms = stale_after_ms;
                           return server.open(options);
                         },
                         "letters", log_id, me};
    if (context.duties.events)
      spawn_metered<letter_taker_state>(system(), where, letters_path,
                                        [=, this](letter_taker_state& x) { x.prepare(&context, stream); });
    else
      spawn_metered<letter_sender_state>(system(), where, letters_path,
                                         [=, this](letter_sender_state& x) { x.prepare(&context, stream); });
    settle();
  }
  void start_given_up() {
    given_up_source source{[this]() -> expected<std::unique_ptr<broker>> { return server.open(); },
                           "events.given_up",
                           {{"events", 0}, {"events:1", 1}}};
    spawn_metered<given_up_taker_state>(system(), where, given_up_taker_state::path,
                                        [=, this](given_up_taker_state& x) { x.prepare(&context, source); });
    settle();
  }
  void crash(const std::string& path) { kill(path), forget(path); }

  const std::string appender_path = partition_path(0, "appender");
};

struct exchange {
  manual_clock of_server{at("09:30:00")};
  memory_broker_server server{of_server};
  process ingest{server, "ingest", true};
  process store{server, "store", false, &ingest.log};
  listener writer = store.listen();
  std::unique_ptr<broker> looking = server.open();

  // In turns, so that time passes for all.
  void pass(nanoseconds span) {
    for (nanoseconds done = 0; done < span; done += 100 * millisecond) {
      of_server.advance(100 * millisecond);
      store.pass(100 * millisecond), ingest.pass(100 * millisecond);
    }
  }
  void ask(std::uint64_t offset) {
    auto what = std::make_shared<set_aside_request>();
    what->key = set_aside_key("postgres", topic::bars, 0, offset);
    what->letter.code = errc::undeliverable;
    what->letter.stage = "store/postgres";
    what->letter.reason = "it has a symbol that nobody knows";
    what->letter.bytes = any_bytes;
    what->letter.cause_topic = "bars";
    what->letter.cause_offset = offset;
    store.tell(store.find<aside_setter>(letters_path), verb::set_aside_v, set_aside_ptr{what},
               writer.as<set_aside_listener>());
  }
  void say(std::string body, std::uint64_t of_log = log_id) {
    broker_message message;
    CAF_REQUIRE(looking->open_stream("letters"));
    auto last = looking->ends("letters").value().last;
    message.number = {last ? last->transaction + 1 : 1, 0};
    message.log_id = of_log;
    message.type = "letter";
    message.body = std::move(body);
    CAF_REQUIRE(looking->publish("letters", last, std::span{&message, 1}));
  }
  std::vector<dead_letter> letters() const { return ingest.letters(topic::dead_letters); }
  std::vector<std::pair<std::string, bool>> answers() const { return writer.now().set_aside; }
  std::uint64_t requests() { return looking->ends("letters").value().messages; }
  group_state group() { return looking->groups("letters").value().at(0); }

  const std::string any_bytes{"\0\xff{}", 4};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(letter_exchange_tests, exchange)

CAF_TEST(what a process cannot get past is set aside by the one that writes letters) {
  ask(7);
  pass(3 * second);
  CAF_REQUIRE_EQUAL(letters().size(), 1u);
  auto letter = letters()[0];
  CAF_CHECK(letter.code == errc::undeliverable);
  CAF_CHECK_EQUAL(letter.stage, "store/postgres");
  CAF_CHECK_EQUAL(letter.bytes, any_bytes);
  CAF_CHECK_EQUAL(letter.cause_offset, 7u);
  CAF_REQUIRE_EQUAL(answers().size(), 1u);
  CAF_CHECK(answers()[0] == (std::pair{set_aside_key("postgres", topic::bars, 0, 7), true}));
  CAF_CHECK_EQUAL(group().pending, 0u);
  CAF_CHECK_EQUAL(group().waiting, 0u);
}

CAF_TEST(what is asked for twice is set aside once) {
  ask(7);
  ask(7);
  ask(8);
  pass(3 * second);
  ask(7);
  pass(60 * second);
  CAF_CHECK_EQUAL(letters().size(), 2u);
  CAF_CHECK_EQUAL(answers().size(), 3u);
  CAF_CHECK_EQUAL(requests(), 2u); // the last one was in the log
}

CAF_TEST(what was asked for while the broker or the other process was away is asked for when it is back) {
  server.set_reachable(false);
  ask(7);
  pass(5 * second);
  CAF_CHECK(letters().empty());
  ingest.crash(letters_path);
  server.set_reachable(true);
  pass(40 * second);
  CAF_CHECK(letters().empty());
  CAF_CHECK_EQUAL(requests(), 1u); // it waits there
  ingest.start();
  pass(3 * second);
  CAF_CHECK_EQUAL(letters().size(), 1u);
  CAF_CHECK_EQUAL(answers().size(), 1u);
  CAF_CHECK_EQUAL(group().pending, 0u);
}

CAF_TEST(what was handed to a process that was killed its successor claims) {
  ingest.crash(ingest.appender_path); // so that it is taken and not dealt with
  ask(7);
  pass(3 * second);
  CAF_CHECK_EQUAL(group().pending, 1u);
  ingest.crash(letters_path);
  ingest.me = "successor";
  ingest.start_appender();
  ingest.start();
  pass(second);
  CAF_CHECK(letters().empty());
  pass(2 * (stale_after_ms + 10'000) * millisecond);
  CAF_CHECK_EQUAL(letters().size(), 1u);
  CAF_CHECK_EQUAL(group().pending, 0u);
}

CAF_TEST(an appender that crashed is asked again) {
  ingest.crash(ingest.appender_path);
  ask(7);
  pass(3 * stale_after_ms * millisecond); // and nobody else may claim it meanwhile
  CAF_CHECK(looking->claim_stale("letters", "ingest", "another", 10)->messages.empty());
  ingest.start_appender();
  pass(10 * second);
  CAF_CHECK_EQUAL(letters().size(), 1u);
  CAF_CHECK_EQUAL(answers().size(), 1u);
  CAF_CHECK_EQUAL(group().pending, 0u);
}

CAF_TEST(a request that cannot be met becomes a letter) {
  set_aside_request elsewhere;
  elsewhere.key = "key", elsewhere.partition = 99;
  say("garbage");
  say(to_msgpack(elsewhere));
  say(to_msgpack(set_aside_request{}));
  elsewhere.partition = 0, elsewhere.key = set_aside_key(0, 7), elsewhere.from = line_stage::window;
  elsewhere.letter.cause_offset = 8;
  say(to_msgpack(elsewhere));
  ask(7);
  pass(3 * second);
  CAF_REQUIRE_EQUAL(letters().size(), 5u);
  auto kept = letters();
  for (std::size_t i = 0; i < 4; ++i) {
    CAF_CHECK_EQUAL(kept[i].stage, "broker");
    CAF_CHECK(kept[i].reason.find("cannot be met") != std::string::npos);
  }
  CAF_CHECK_EQUAL(kept[0].bytes, "garbage");
  CAF_CHECK(kept[0].code == errc::corrupt_record);
  CAF_CHECK_EQUAL(group().pending, 0u);
  CAF_CHECK_EQUAL(answers().size(), 1u);
}

CAF_TEST(requests about another log are left to its own processes) {
  say("whatever it is", log_id + 1);
  ask(7);
  pass(40 * second);
  CAF_CHECK(letters().empty());
  CAF_CHECK_EQUAL(requests(), 1u);
}

CAF_TEST(what nobody waits for any more is not asked for) {
  ingest.crash(letters_path);
  ask(7);
  pass(605 * second);
  auto before = requests();
  pass(60 * second);
  CAF_CHECK_EQUAL(requests(), before);
  CAF_CHECK_EQUAL(store.status(letters_path).value_or(""), R"({"asks_for":0})");
}

CAF_TEST(a request at which whoever takes it crashes becomes a letter) {
  ingest.crash(letters_path);
  ask(7);
  pass(second);
  CAF_REQUIRE(looking->take("letters", "ingest", "first", 10, 0).value().size() == 1u);
  for (int i = 0; i < 4; ++i) {
    of_server.advance(60 * second);
    CAF_REQUIRE_EQUAL(looking->claim_stale("letters", "ingest", "next", 10)->messages.size(), 1u);
  }
  of_server.advance(60 * second);
  ingest.start();
  pass(3 * second);
  CAF_REQUIRE_EQUAL(letters().size(), 1u);
  auto letter = letters()[0];
  CAF_CHECK(letter.reason.find("handed out 5 times") != std::string::npos);
  CAF_CHECK_EQUAL(letter.stage, "broker");
  CAF_CHECK(set_aside_request_from_msgpack(letter.bytes)->letter.cause_offset == 7u);
  CAF_CHECK_EQUAL(group().pending, 0u);
  CAF_CHECK(answers().empty());
  pass(40 * second); // whoever waits asks again
  CAF_CHECK_EQUAL(answers().size(), 1u);
  CAF_CHECK_EQUAL(letters().size(), 2u);
}

CAF_TEST(what was dealt with and handed out again and again is one letter) {
  ask(7);
  pass(3 * second);
  ingest.crash(letters_path);
  say(looking->read("letters", {}, 1, 1 << 20)->at(0).body);
  CAF_REQUIRE_EQUAL(looking->take("letters", "ingest", "first", 10, 0)->size(), 1u);
  for (int i = 0; i < 7; ++i) {
    of_server.advance(60 * second);
    CAF_REQUIRE_EQUAL(looking->claim_stale("letters", "ingest", "next", 10)->messages.size(), 1u);
  }
  of_server.advance(60 * second);
  ingest.start();
  pass(3 * second);
  CAF_CHECK_EQUAL(letters().size(), 1u);
  CAF_CHECK_EQUAL(group().pending, 0u);
}

CAF_TEST(what a group of another program has given up on becomes a letter) {
  given_up_message one;
  one.id = "events:1/billing/4711", one.stream = "events:1", one.group = "billing", one.deliveries = 3;
  one.what = broker_message{{42, 0}, true, log_id, "tick", "{}"};
  server.give_up(one);
  one.id = "events/billing/12", one.stream = "events", one.what.reset();
  server.give_up(one);
  ingest.start_given_up();
  pass(second);
  CAF_CHECK_EQUAL(looking->given_up("", {"events", "events:1"}, 9)->size(),
                  2u); // until the letters are known to be written
  pass(5 * second);
  CAF_CHECK(looking->given_up("", {"events", "events:1"}, 9)->empty());
  auto kept = ingest.records(topic::dead_letters, 1);
  CAF_REQUIRE_EQUAL(kept.size(), 1u);
  auto letter = dead_letter_from_msgpack(kept[0].payload).value();
  CAF_CHECK(letter.code == errc::not_acknowledged);
  CAF_CHECK(letter.reason.find("group billing of stream events:1 was handed message 42.0 3 times") == 9u);
  CAF_CHECK_EQUAL(letter.bytes, "{}");
  CAF_CHECK_EQUAL(letter.attempts, 3u);
  CAF_CHECK_EQUAL(ingest.records(topic::dead_letters, 0).size(), 1u);
  server.give_up(one); // told once more, as after a crash before it was forgotten
  server.set_reachable(false);
  ingest.crash(partition_path(0, "appender"));
  pass(61 * second);
  server.set_reachable(true);
  pass(61 * second);
  ingest.start_appender();
  pass(11 * second);
  CAF_CHECK_EQUAL(ingest.records(topic::dead_letters, 0).size(), 1u);
  CAF_CHECK(looking->given_up("", {"events", "events:1"}, 9)->empty());
}

CAF_TEST(what was dealt with while it was asked for is refused) {
  ingest.crash(letters_path);
  auto what = std::make_shared<set_aside_request>();
  what->key = set_aside_key(0, 7000), what->from = line_stage::window, what->letter.cause_offset = 7000;
  what->letter.stage = "window", what->letter.cause_topic = "events";
  store.tell(store.find<aside_setter>(letters_path), verb::set_aside_v, set_aside_ptr{what},
             writer.as<set_aside_listener>());
  pass(2 * second);
  CAF_CHECK(answers().empty());
  transaction tx;
  tx.writes.push_back({stage_table, dealt_with_key(0), offset_text(7001)});
  CAF_REQUIRE(ingest.log.write(std::move(tx)));
  pass(2 * second);
  CAF_REQUIRE_EQUAL(answers().size(), 1u);
  CAF_CHECK(!answers()[0].second);
  ingest.start(); // and who is to write it has no such record
  pass(2 * second);
  CAF_REQUIRE_EQUAL(letters().size(), 1u);
  CAF_CHECK(letters()[0].code == errc::invalid_argument);
}

CAF_TEST(more than can be underway is dealt with in turn and what is long dealt with is dropped) {
  for (std::uint64_t i = 0; i < 2500; ++i) ask(i);
  pass(30 * second);
  CAF_CHECK_EQUAL(letters().size(), 2500u);
  CAF_CHECK_EQUAL(answers().size(), 2500u);
  CAF_CHECK_EQUAL(group().pending, 0u);
  pass(15 * second);
  CAF_CHECK(requests() <= 2000u);
}

CAF_TEST_FIXTURE_SCOPE_END()
