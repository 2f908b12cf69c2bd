#define CAF_SUITE bus_brokered

#include "runtime/broker/memory_broker.hpp"
#include "runtime/bus/brokered_bus.hpp"
#include "runtime/bus/shipper.hpp"

namespace {

using finstream::memory_broker_server;

finstream::broker_link_options options_for(const memory_broker_server& server, int partitions = 4) {
  finstream::broker_link_options options;
  options.open_broker = [&server]() -> finstream::expected<std::unique_ptr<finstream::broker>> {
    return server.open();
  };
  options.partitions = partitions;
  return options;
}

std::unique_ptr<finstream::bus> make_bus(const std::string& directory) {
  static std::unique_ptr<memory_broker_server> server; // a new one for each log
  server = std::make_unique<memory_broker_server>();
  return std::move(*finstream::open_brokered_bus({.directory = directory}, options_for(*server), "memory"));
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

// What any log holds, for comparison.
std::string all_of(const bus& log, std::uint16_t partitions) {
  std::string out;
  for (std::uint16_t t = 1; t <= 7; ++t)
    for (std::uint16_t p = 0; p < partitions; ++p) {
      auto where = static_cast<topic>(t);
      for (auto& x : must(log.read(where, p, must(log.range(where, p)).head, 1u << 30)))
        out += fmt::format("{}/{} {} {} {} {}\n", to_string(where), p, x.offset, x.count, x.log_ts.ns, x.payload);
    }
  must(log.scan("bars", "", "", [&](auto key, auto value) { return out += fmt::format("{}={}\n", key, value), true; }));
  return out;
}

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

CAF_TEST(a new directory becomes the log that the broker holds) {
  temp_dir first, second_one;
  memory_broker_server server;
  std::string before;
  std::uint64_t epoch = 0;
  {
    auto log = must(open_brokered_bus({.directory = first.path(), .epoch = 4711}, options_for(server, 2), "memory"));
    for (int i = 0; i < 300; ++i) {
      auto tx = appends({record_of(topic::bars, i % 2, 2, at(i), "bar" + std::to_string(i))});
      tx.writes.push_back({"bars", std::to_string(i % 2) + std::to_string(i % 7), std::to_string(i)});
      append_one(*log, events_record(i % 2, 3, at(i), std::to_string(i)));
      tx.commits.push_back({"windows", topic::events, static_cast<std::uint16_t>(i % 2), 3});
      must(log->write(std::move(tx)));
    }
    CAF_CHECK(must(log->write(appends({events_record(0, 1, at(999), "last")}))).level == durability::broker);
    epoch = log->recovery().epoch;
    before = all_of(*log, 2);
  }
  auto log = must(open_brokered_bus({.directory = second_one.path()}, options_for(server, 2), "memory"));
  CAF_CHECK(all_of(*log, 2) == before);
  CAF_CHECK_EQUAL(log->recovery().epoch, epoch);
  CAF_CHECK(must(log->committed("windows", topic::events, 1)) == std::optional<std::uint64_t>{3});
  // And goes on where it was.
  CAF_CHECK(must(log->write(appends({events_record(0, 1, at(1000), "more")}))).level == durability::broker);
  log.reset();
  auto again = must(open_brokered_bus({.directory = first.path()}, options_for(server, 2), "memory"));
  CAF_CHECK_EQUAL(payloads(must(again->read(topic::events, 0, must(again->range(topic::events, 0)).next - 1, 1))),
                  "more");
}

CAF_TEST(what was begun by one who died is given up by the next) {
  memory_broker_server server;
  server.set_max_message_bytes(10);
  temp_dir first, second_one;
  {
    auto log = must(open_brokered_bus({.directory = first.path()}, options_for(server, 1), "memory"));
    append_one(*log, events_record(0, 1, at(1), "whole"));
    server.break_after(3);
    append_one(*log, events_record(0, 1, at(2), std::string(1000, 'x')));
    server.set_reachable(false);
  }
  auto state = server.open();
  server.set_reachable(true);
  auto ends = must(state->ends("finstream.events"));
  if (ends.last_is_whole) return; // the first was quick enough to end it
  auto log = must(open_brokered_bus({.directory = second_one.path()}, options_for(server, 1), "memory"));
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 0, 1u << 20))), "whole");
  CAF_CHECK(must(log->write(appends({events_record(0, 1, at(3), "next")}))).level == durability::broker);
  temp_dir third;
  log.reset();
  log = must(open_brokered_bus({.directory = third.path()}, options_for(server, 1), "memory"));
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 0, 1u << 20))), "wholenext");
}

CAF_TEST(a log that has gone another way than the broker is not mixed with it) {
  memory_broker_server server;
  temp_dir first, second_one;
  auto write = [](bus& log, const char* what) { return must(log.write(appends({events_record(0, 1, at(1), what)}))); };
  {
    auto log = must(open_brokered_bus({.directory = first.path()}, options_for(server, 1), "memory"));
    write(*log, "shared");
    server.set_reachable(false);
    CAF_CHECK(write(*log, "of the first").level == durability::buffered);
  }
  server.set_reachable(true);
  {
    auto log = must(open_brokered_bus({.directory = second_one.path()}, options_for(server, 1), "memory"));
    write(*log, "of the second");
    CAF_CHECK(write(*log, "and another").level == durability::broker);
  }
  auto refused = open_brokered_bus({.directory = first.path()}, options_for(server, 1), "memory");
  CAF_CHECK(code_of(refused) == errc::conflict);
  CAF_CHECK(message_of(refused).find("entry 2 of stream finstream.events") != std::string::npos);
  CAF_CHECK(message_of(refused).find("finstream buffer export") != std::string::npos);
}

CAF_TEST(a new directory finds the log behind an entry of very many messages) {
  memory_broker_server server;
  server.set_max_message_bytes(1);
  temp_dir first, second_one;
  {
    auto log = must(open_brokered_bus({.directory = first.path(), .epoch = 4711}, options_for(server, 1), "memory"));
    append_one(*log, events_record(0, 1, at(1), std::string(3000, 'x')));
    must(log->sync());
  }
  auto log = must(open_brokered_bus({.directory = second_one.path()}, options_for(server, 1), "memory"));
  CAF_CHECK_EQUAL(log->recovery().epoch, 4711u);
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 0, 1u << 20))).size(), 3000u);
}

CAF_TEST(streams that have lost their beginning make no new log) {
  memory_broker_server server;
  temp_dir first, second_one;
  {
    auto log = must(open_brokered_bus({.directory = first.path()}, options_for(server, 1), "memory"));
    for (int i = 0; i < 5; ++i) append_one(*log, events_record(0, 1, at(i), "x"));
    must(log->sync());
  }
  server.lose_before("finstream.events", {3, 0});
  auto refused = open_brokered_bus({.directory = second_one.path()}, options_for(server, 1), "memory");
  CAF_CHECK(code_of(refused) == errc::trimmed);
  CAF_CHECK(message_of(refused).find("begins with entry 3") != std::string::npos);
  CAF_CHECK(open_brokered_bus({.directory = first.path()}, options_for(server, 1), "memory").has_value());
}

CAF_TEST(a log number that is none is said) {
  memory_broker_server server;
  temp_dir directory;
  {
    put(*must(open_brokered_bus({.directory = directory.path()}, options_for(server, 1), "memory")), "node", "log_id",
        "seven");
  }
  auto refused = open_brokered_bus({.directory = directory.path()}, options_for(server, 1), "memory");
  CAF_CHECK(code_of(refused) == errc::corrupt_record);
}

CAF_TEST(a new directory needs the broker and one with a log does not ) {
  temp_dir directory, empty;
  memory_broker_server server;
  { must(open_brokered_bus({.directory = directory.path()}, options_for(server, 1), "memory")); }
  server.set_reachable(false);
  CAF_CHECK(code_of(open_brokered_bus({.directory = empty.path()}, options_for(server, 1), "memory")) ==
            errc::unreachable);
  auto log = must(open_brokered_bus({.directory = directory.path()}, options_for(server, 1), "memory"));
  CAF_CHECK(must(log->write(appends({events_record(0, 1, at(1), "x")}))).level == durability::buffered);
}

CAF_TEST(a log that was made without a broker is not taken for one of a broker) {
  temp_dir directory;
  memory_broker_server server;
  { append_one(*must(open_embedded_bus({.directory = directory.path()})), events_record(0, 1, at(1), "x")); }
  auto refused = open_brokered_bus({.directory = directory.path()}, options_for(server, 1), "memory");
  CAF_CHECK(code_of(refused) == errc::incompatible);
  CAF_CHECK(message_of(refused).find("bus.type") != std::string::npos);
}
