#define CAF_SUITE bus_brokered

#include "runtime/bus/shipper.hpp"
#include "tests/runtime/brokered_language.hpp"

namespace {

using finstream::memory_broker_server;

std::unique_ptr<finstream::bus> make_bus(const std::string& directory) {
  static std::unique_ptr<memory_broker_server> server; // a new one for each log
  server = std::make_unique<memory_broker_server>();
  return std::move(
    *finstream::open_brokered_bus({.directory = directory}, finstream::test::options_for(*server), "memory"));
}

} // namespace

#include "tests/contracts/bus_contract.hpp"

#include <fmt/format.h>

using namespace finstream;
using namespace finstream::test;

namespace {

// A log in memory and its broker, which goes where the test leads it.
struct brokered_world {
  manual_clock time{at(0)};
  memory_broker_server server{time};
  std::vector<link_change> changes;
  std::unique_ptr<brokered_bus> log;
  std::unique_ptr<broker> reader = server.open();
  int events = 0;

  brokered_world() {
    must(reader->open_stream("finstream.events"));
    start();
  }
  broker_link_options options() {
    auto out = options_for(server, 1);
    out.time = &time;
    out.acknowledge_timeout_ms = 0; // nobody ships while a write waits
    out.on_change = [this](const link_change& x) { changes.push_back(x); };
    return out;
  }
  void start(std::uint64_t log_id = 1) { start(options(), log_id); }
  void start(const broker_link_options& how, std::uint64_t log_id = 1) {
    log = std::make_unique<brokered_bus>(open_memory_bus(7), log_id, how, server.open(), "memory");
  }
  durability write(std::string payload = {}) {
    auto n = std::to_string(events++);
    return must(log->write(appends({events_record(0, 1, at(events), payload.empty() ? n : payload)}))).level;
  }
  void ship() {
    while (log->link().step() == std::optional<nanoseconds>{0}) {
    }
  }
  // The payloads that the stream gives to whoever has nothing but it.
  std::string in_stream() {
    std::string out;
    message_reader messages;
    block_reader blocks;
    for (auto& x : must(reader->read("finstream.events", std::nullopt, 10'000, 1u << 30)))
      if (auto block = must(messages.add(x)); block && !block->empty())
        if (auto tx = must(blocks.add(*block)))
          for (auto& y : tx->what.appends) out += y.payload + " ";
    return out;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(brokered_tests, brokered_world)

CAF_TEST(what is written is buffered until the broker has it) {
  CAF_CHECK(write() == durability::buffered);
  CAF_CHECK_EQUAL(log->buffer().entries, 1u);
  CAF_CHECK_EQUAL(log->buffer().events, 1u);
  CAF_CHECK(log->buffer().oldest == std::optional{time.now()});
  CAF_CHECK_EQUAL(in_stream(), "");
  ship();
  CAF_CHECK_EQUAL(log->buffer().entries, 0u);
  CAF_CHECK_EQUAL(log->buffer().bytes, 0u);
  CAF_CHECK(!log->buffer().oldest);
  CAF_CHECK_EQUAL(log->buffer().shipped_events, 1u);
  CAF_CHECK_EQUAL(in_stream(), "0 ");
  CAF_CHECK(changes.empty());
}

CAF_TEST(an outage costs nothing and changes no order) {
  write();
  ship();
  server.set_reachable(false);
  for (int i = 0; i < 50; ++i) write();
  auto pause = log->link().step();
  CAF_CHECK(pause && *pause > 0);
  CAF_CHECK_EQUAL(log->buffer().entries, 50u);
  CAF_CHECK_EQUAL(log->buffer().outages, 1u);
  CAF_REQUIRE_EQUAL(changes.size(), 1u);
  CAF_CHECK(!changes[0].up);
  time.advance(60 * second);
  server.set_reachable(true);
  write(); // waits its turn
  ship();
  CAF_REQUIRE_EQUAL(changes.size(), 2u);
  CAF_CHECK(changes[1].up);
  CAF_CHECK(changes[1].message.find("after 60 s; 51 entries with 51 events") != std::string::npos);
  std::string want;
  for (int i = 0; i < 52; ++i) want += std::to_string(i) + " ";
  CAF_CHECK_EQUAL(in_stream(), want);
}

CAF_TEST(a broker that answers and takes nothing is down until it takes something) {
  write();
  ship();
  server.set_full(true);
  write();
  nanoseconds longest = 0;
  for (int i = 0; i < 50; ++i) longest = std::max(longest, *log->link().step());
  CAF_CHECK(longest > 3 * second); // pauses grow
  CAF_CHECK_EQUAL(changes.size(), 1u);
  CAF_CHECK_EQUAL(log->buffer().outages, 1u);
  server.set_full(false);
  ship();
  CAF_REQUIRE_EQUAL(changes.size(), 2u);
  CAF_CHECK(changes[1].message.find("1 entries with 1 events") != std::string::npos);
  CAF_CHECK_EQUAL(in_stream(), "0 1 ");
}

CAF_TEST(one that is stopped does not promise that all is kept) {
  write();
  ship();
  start(2); // another log
  write();
  log->link().step();
  CAF_REQUIRE(!changes.empty());
  CAF_CHECK(changes.back().message.find("is kept here") == std::string::npos);
}

CAF_TEST(pauses between attempts grow and have an end) {
  server.set_reachable(false);
  write();
  nanoseconds longest = 0;
  for (int i = 0; i < 200; ++i) {
    auto pause = *log->link().step();
    if (i < 3) CAF_CHECK(pause <= (100 << i) * millisecond + 1);
    longest = std::max(longest, pause);
  }
  CAF_CHECK(longest > 4 * second && longest <= 5 * second + 1);
  CAF_CHECK_EQUAL(changes.size(), 1u); // said once
}

CAF_TEST(an answer that was lost publishes nothing twice) {
  for (int i = 0; i < 5; ++i) write();
  server.break_after(3);
  CAF_CHECK(*log->link().step() > 0);
  CAF_CHECK_EQUAL(log->buffer().entries, 5u);
  ship();
  CAF_CHECK_EQUAL(in_stream(), "0 1 2 3 4 ");
  CAF_CHECK_EQUAL(log->buffer().entries, 0u);
}

CAF_TEST(an entry of many messages that broke off is gone on with) {
  server.set_max_message_bytes(10);
  write(std::string(1000, 'x'));
  server.break_after(7);
  CAF_CHECK(*log->link().step() > 0);
  ship();
  CAF_CHECK_EQUAL(in_stream(), std::string(1000, 'x') + " ");
}

CAF_TEST(a broker that has forgotten the last of what it acknowledged is sent it again) {
  for (int i = 0; i < 5; ++i) write();
  ship();
  server.lose_behind("finstream.events", message_number{2, 0});
  write();
  ship();
  CAF_CHECK_EQUAL(in_stream(), "0 1 2 3 4 5 ");
  CAF_CHECK_EQUAL(log->buffer().sent_again, 3u);
}

CAF_TEST(a broker that has forgotten more than is still here stops the log with the reason) {
  for (int i = 0; i < 5; ++i) write();
  ship();
  time.advance(60 * second);
  write();
  ship(); // what the broker has had for so long leaves the buffer
  server.lose_behind("finstream.events", message_number{2, 0});
  write();
  ship();
  auto refused = log->write(appends({events_record(0, 1, at(100), "x")}));
  CAF_CHECK(code_of(refused) == errc::trimmed);
  CAF_CHECK(message_of(refused).find("it has 2 entries") != std::string::npos);
  CAF_CHECK(!log->health());
}

CAF_TEST(of two that write one of them is stopped) {
  write();
  ship();
  auto first = std::move(log);
  start(); // with an empty log beside a stream that has an entry
  write("another");
  log->link().step();
  CAF_CHECK(code_of(log->write(appends({events_record(0, 1, at(9), "x")}))) == errc::conflict);
  CAF_CHECK_EQUAL(in_stream(), "0 ");
  CAF_CHECK(first->health().has_value());
}

CAF_TEST(the streams of another log are left alone) {
  write();
  ship();
  start(2);
  write();
  log->link().step();
  auto refused = log->write(appends({events_record(0, 1, at(9), "x")}));
  CAF_CHECK(code_of(refused) == errc::conflict);
  CAF_CHECK(message_of(refused).find("another log") != std::string::npos);
}

CAF_TEST(what was begun by another is not taken for the own) {
  write();
  ship();
  broker_message begun{{2, 0}, false, 1, "block", "the first part of something"};
  must(reader->publish("finstream.events", message_number{1, 0}, std::span{&begun, 1}));
  server.set_reachable(false);
  write();
  log->link().step();
  server.set_reachable(true);
  log->link().step();
  CAF_CHECK(code_of(log->health()) == errc::conflict);
  start(); // and where nothing was written beside it, the same
  broker_message next{{1, 0}, false, 1, "block", "the first part of something"};
  must(reader->remove_stream("finstream.events"));
  must(reader->open_stream("finstream.events"));
  must(reader->publish("finstream.events", std::nullopt, std::span{&next, 1}));
  log->link().step();
  CAF_CHECK(code_of(log->health()) == errc::conflict);
}

CAF_TEST(what is made of events never comes before them) {
  auto how = options();
  how.on_published = [this](const published_batch& x) {
    if (x.side != journal_side::events || events > 1) return; // in the middle of a round
    write();
    must(log->write(appends({record_of(topic::bars, 0, 1, at(1), "of the second event")})));
  };
  start(how);
  write();
  must(log->write(appends({record_of(topic::bars, 0, 1, at(0), "of the first event")})));
  must(reader->open_stream("finstream.outputs"));
  log->link().step();
  auto in = [&](const char* stream) { return must(reader->read(stream, std::nullopt, 100, 1u << 20)).size(); };
  CAF_CHECK_EQUAL(in("finstream.events"), 1u);
  CAF_CHECK(in("finstream.outputs") <= 1u);
  ship();
  CAF_CHECK_EQUAL(in("finstream.events"), 2u);
  CAF_CHECK_EQUAL(in("finstream.outputs"), 2u);
  CAF_CHECK_EQUAL(log->buffer().bytes, 0u);
}

CAF_TEST(a transaction of several entries whose writer died is given up whole) {
  write("first");
  ship();
  write(std::string(most_block_bytes + 1000, 'x'));
  server.break_after(1);
  log->link().step();
  auto ends = must(reader->ends("finstream.events"));
  CAF_REQUIRE(ends.last.has_value());
  CAF_CHECK_EQUAL(ends.last->transaction, 2u);
  temp_dir second_one, third;
  {
    auto next = must(open_brokered_bus({.directory = second_one.path()}, options_for(server, 1), "memory"));
    CAF_CHECK(must(next->write(appends({events_record(0, 1, at(9), "next")}))).level == durability::broker);
    CAF_CHECK_EQUAL(payloads(must(next->read(topic::events, 0, 0, 1u << 30))), "firstnext");
  }
  auto copy = must(open_brokered_bus({.directory = third.path()}, options_for(server, 1), "memory"));
  CAF_CHECK_EQUAL(payloads(must(copy->read(topic::events, 0, 0, 1u << 30))), "firstnext");
  CAF_CHECK(must(copy->write(appends({events_record(0, 1, at(10), "and on")}))).level == durability::broker);
  ship(); // the first comes to again, and is told
  CAF_CHECK(code_of(log->health()) == errc::conflict);
}

CAF_TEST(a buffer at its limit takes nothing more until there is room) {
  auto how = options();
  how.buffer_max_bytes = 1000;
  start(how);
  server.set_reachable(false);
  while (log->write(appends({events_record(0, 1, at(1), std::string(100, 'x'))}))) ++events;
  auto refused = log->write(appends({events_record(0, 1, at(1), std::string(100, 'x'))}));
  CAF_CHECK(code_of(refused) == errc::disk_full);
  CAF_CHECK(message_of(refused).find("bus.buffer.max_bytes") != std::string::npos);
  CAF_CHECK(events >= 3 && log->buffer().bytes <= 1000);
  CAF_CHECK(code_of(log->health()) == errc::disk_full);
  server.set_reachable(true);
  ship();
  CAF_CHECK(log->write(appends({events_record(0, 1, at(1), "y")})).has_value());
  CAF_CHECK(log->health().has_value());
}

CAF_TEST(a stream keeps about as many entries as it is told to) {
  auto how = options();
  how.keep_entries = 10;
  start(how);
  for (int i = 0; i < 50; ++i) write();
  ship();
  time.advance(60 * second);
  write();
  ship();
  auto ends = must(reader->ends("finstream.events"));
  CAF_CHECK(ends.first == std::optional{(message_number{42, 0})});
  CAF_CHECK(ends.last == std::optional{(message_number{51, 0})});
}

CAF_TEST(a buffer that grows is warned of once) {
  auto how = options();
  how.buffer_alert_bytes = 500;
  start(how);
  server.set_reachable(false);
  for (int i = 0; i < 10; ++i) {
    write(std::string(100, 'x'));
    log->link().step();
  }
  CAF_REQUIRE_EQUAL(changes.size(), 2u); // that it is down, and this
  CAF_CHECK(changes[1].message.find("bus.buffer.alert_bytes is 500") != std::string::npos);
}

CAF_TEST(a table of this machine alone goes to no stream) {
  put(*log, "job_runs", "a", "1");
  ship();
  CAF_CHECK_EQUAL(log->buffer().entries, 0u);
  CAF_CHECK(must(log->get("job_runs", "a")) == std::optional<std::string>{"1"});
}

CAF_TEST_FIXTURE_SCOPE_END()
