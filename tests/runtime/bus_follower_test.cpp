#define CAF_SUITE bus_follower

#include "runtime/broker/memory_broker.hpp"
#include "runtime/bus/brokered_bus.hpp"
#include "runtime/bus/follower.hpp"
#include "runtime/bus/shipper.hpp"
#include "tests/runtime/bus_language.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/temp_dir.hpp"

#include <atomic>
#include <fmt/format.h>
#include <thread>

using namespace finstream;
using namespace finstream::test;

namespace {

constexpr std::uint64_t log_id = 1;

// One process brings in events, and any number of others work on them: on one broker, each with a log in memory.
struct shared_world {
  manual_clock time{at(0)};
  memory_broker_server server{time};
  std::unique_ptr<broker> reader = server.open();
  std::string grown; // journals of which those that work on outputs were told: "events:0 "

  broker_link_options options(bool writes_events) {
    broker_link_options out;
    out.open_broker = [this]() -> expected<std::unique_ptr<broker>> { return server.open(); };
    out.partitions = 2;
    out.time = &time;
    out.acknowledge_timeout_ms = 0;
    out.writes_events = writes_events;
    out.claims_outputs = true;
    if (!writes_events)
      out.on_grown = [this](journal_id id) { grown += fmt::format("{}:{} ", to_string(id.side), id.partition); };
    return out;
  }
  std::unique_ptr<brokered_bus> process(bool writes_events) {
    for (auto id : journals_of(options(writes_events))) must(reader->open_stream(stream_of(options(false), id)));
    return std::make_unique<brokered_bus>(open_memory_bus(7), log_id, options(writes_events), server.open(), "memory",
                                          server.open());
  }
  void ship(brokered_bus& log) {
    while (log.link().step() == std::optional<nanoseconds>{0}) {
    }
  }
  std::uint64_t in_stream(const std::string& stream) {
    auto ends = must(reader->ends(stream));
    return ends.last ? ends.last->transaction : 0;
  }
};

expected<receipt> write_bar(bus& log, const std::string& what, std::uint16_t partition = 0) {
  return log.write(appends({record_of(topic::bars, partition, 1, at(0), what)}));
}
std::string bars_in(const bus& log, std::uint16_t partition = 0) {
  return payloads(must(log.read(topic::bars, partition, 0, 1u << 20)));
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(follower_tests, shared_world)

CAF_TEST(what one process writes all have) {
  auto feeds = process(true), worker = process(false), pages = process(false);
  append_one(*feeds, events_record(0, 3, at(0), "abc"));
  append_one(*feeds, events_record(1, 1, at(0), "d"));
  ship(*feeds);
  must(worker->claim(0));
  worker->others().step();
  CAF_CHECK_EQUAL(payloads(must(worker->read(topic::events, 0, 0, 1u << 20))), "abc");
  auto made = appends({record_of(topic::bars, 0, 1, at(0), "bar")});
  made.writes.push_back({"bars", "key", "row"});
  made.commits.push_back({"window", topic::events, 0, 3});
  auto got = must(worker->write(std::move(made)));
  CAF_CHECK(got.level == durability::broker);
  CAF_CHECK(got.offsets == std::vector<std::uint64_t>{0});
  for (auto* log : {feeds.get(), pages.get()}) {
    log->others().step();
    CAF_CHECK_EQUAL(bars_in(*log), "bar");
    CAF_CHECK(must(log->get("bars", "key")) == std::optional<std::string>{"row"});
    CAF_CHECK(must(log->committed("window", topic::events, 0)) == std::optional<std::uint64_t>{3});
  }
  CAF_CHECK_EQUAL(payloads(must(pages->read(topic::events, 1, 0, 1u << 20))), "d");
  for (auto* log : {feeds.get(), pages.get(), worker.get()}) { // each record once, whoever wrote it
    log->others().step();
    CAF_CHECK_EQUAL(log->statistics().records_appended, 3u);
    CAF_CHECK_EQUAL(log->statistics().bytes_appended, 7u);
  }
}

CAF_TEST(events are written by the process that brings them in and by no other) {
  auto worker = process(false);
  CAF_CHECK(code_of(worker->write(appends({events_record(0, 1, at(0), "x")}))) == errc::conflict);
  CAF_CHECK_EQUAL(in_stream("finstream.events"), 0u);
}

CAF_TEST(who has not claimed a partition writes nothing) {
  auto worker = process(false);
  auto refused = write_bar(*worker, "x");
  CAF_CHECK(code_of(refused) == errc::conflict);
  CAF_CHECK(message_of(refused).find("another process") != std::string::npos);
  must(worker->claim(0));
  CAF_CHECK(write_bar(*worker, "x").has_value());
  CAF_CHECK(code_of(write_bar(*worker, "y", 1)) == errc::conflict);
  worker->release(0);
  CAF_CHECK(code_of(write_bar(*worker, "z")) == errc::conflict);
  CAF_CHECK_EQUAL(bars_in(*worker), "x");
  CAF_CHECK_EQUAL(in_stream("finstream.outputs"), 1u);
}

CAF_TEST(of two that hold the same claim the second to write is refused and learns what the first wrote) {
  auto first = process(false), second_one = process(false);
  must(first->claim(0));
  must(second_one->claim(0));
  CAF_CHECK(write_bar(*first, "a").has_value());
  CAF_CHECK(code_of(write_bar(*second_one, "b")) == errc::conflict);
  CAF_CHECK_EQUAL(bars_in(*second_one), "");
  CAF_CHECK(code_of(write_bar(*second_one, "b")) == errc::conflict); // and now it has it
  CAF_CHECK_EQUAL(bars_in(*second_one), "a");
  CAF_CHECK(write_bar(*second_one, "c").has_value());
  CAF_CHECK(code_of(write_bar(*first, "d")) == errc::conflict);
  first->release(0);
  first->others().step();
  CAF_CHECK_EQUAL(bars_in(*first), "ac");
}

CAF_TEST(what got there although its answer was lost is written once) {
  auto worker = process(false);
  must(worker->claim(0));
  server.break_after(1);
  CAF_CHECK(code_of(write_bar(*worker, "a")) == errc::unreachable);
  CAF_CHECK_EQUAL(bars_in(*worker), "");
  CAF_CHECK(code_of(write_bar(*worker, "a")) == errc::conflict);
  CAF_CHECK_EQUAL(bars_in(*worker), "a");
  CAF_CHECK(write_bar(*worker, "b").has_value());
  CAF_CHECK_EQUAL(in_stream("finstream.outputs"), 2u);
}

CAF_TEST(while the broker is away nothing is written and nothing is lost) {
  auto worker = process(false);
  must(worker->claim(0));
  server.set_reachable(false);
  for (int i = 0; i < 3; ++i) CAF_CHECK(code_of(write_bar(*worker, "a")) == errc::unreachable);
  CAF_CHECK(code_of(worker->claim(1)) == errc::unreachable);
  CAF_CHECK(worker->health().has_value());
  server.set_reachable(true);
  CAF_CHECK(write_bar(*worker, "a").has_value());
  CAF_CHECK_EQUAL(bars_in(*worker), "a");
}

CAF_TEST(what the broker has forgotten it is sent again) {
  auto worker = process(false);
  must(worker->claim(0));
  for (auto what : {"a", "b", "c"}) must(write_bar(*worker, what));
  server.lose_behind("finstream.outputs", message_number{1, 0});
  CAF_CHECK(code_of(write_bar(*worker, "d")) == errc::conflict);
  CAF_CHECK(write_bar(*worker, "d").has_value());
  auto other = process(false);
  other->others().step();
  CAF_CHECK_EQUAL(bars_in(*other), "abcd");
}

CAF_TEST(what a dead process had begun is waited for by those who follow and given up by the one who claims) {
  server.set_max_message_bytes(100);
  auto first = process(false), second_one = process(false), third = process(false);
  must(first->claim(0));
  must(write_bar(*first, "a"));
  server.break_after(2);
  CAF_CHECK(!write_bar(*first, std::string(1000, 'x')));
  third->others().step();
  CAF_CHECK_EQUAL(bars_in(*third), "a");
  must(second_one->claim(0));
  must(write_bar(*second_one, "b"));
  third->others().step();
  CAF_CHECK_EQUAL(bars_in(*third), "ab");
  CAF_CHECK(code_of(write_bar(*first, "c")) == errc::conflict); // if it was only slow
  CAF_CHECK_EQUAL(bars_in(*first), "ab");
  CAF_CHECK_EQUAL(bars_in(*second_one), "ab");
}

CAF_TEST(outputs may be read before all the events they were made of) {
  auto feeds = process(true), worker = process(false);
  append_one(*feeds, events_record(0, 3, at(0), "abc"));
  ship(*feeds);
  must(worker->claim(0));
  worker->others().step();
  auto made = appends({record_of(topic::bars, 0, 1, at(0), "bar")});
  made.commits.push_back({"window", topic::events, 0, 3});
  must(worker->write(std::move(made)));
  auto only_outputs = open_memory_bus(7);
  journal_copy copy{*only_outputs, {journal_side::outputs, 0}, "finstream.outputs", log_id, time};
  CAF_CHECK_EQUAL(must(copy.catch_up(*reader)), 1u);
  CAF_CHECK_EQUAL(bars_in(*only_outputs), "bar");
  CAF_CHECK(must(only_outputs->committed("window", topic::events, 0)) == std::optional<std::uint64_t>{0});
}

CAF_TEST(who claims a partition has the events that its outputs were made of) {
  auto feeds = process(true), worker = process(false), next = process(false);
  append_one(*feeds, events_record(0, 3, at(0), "abc"));
  ship(*feeds);
  must(worker->claim(0));
  must(write_bar(*worker, "bar"));
  must(next->claim(0)); // and never followed anything
  CAF_CHECK_EQUAL(bars_in(*next), "bar");
  CAF_CHECK_EQUAL(payloads(must(next->read(topic::events, 0, 0, 1u << 20))), "abc");
}

CAF_TEST(readers are told of the events that a claim has brought) {
  auto feeds = process(true), worker = process(false);
  for (std::uint16_t p : {0, 1}) append_one(*feeds, events_record(p, 1, at(0), "x"));
  ship(*feeds);
  must(worker->claim(0));
  CAF_CHECK_EQUAL(grown, "events:0 ");
  worker->others().step();
  CAF_CHECK_EQUAL(grown, "events:0 events:1 "); // once each: of what the claim has brought nothing is new to it
  worker->release(0);
  must(worker->claim(0));
  CAF_CHECK_EQUAL(grown, "events:0 events:1 ");
}

CAF_TEST(a copy that has more than the broker is compared when that has something else in its place) {
  auto feeds = process(true), pages = process(false);
  for (auto what : {"a", "b", "c"}) append_one(*feeds, events_record(0, 1, at(0), what));
  ship(*feeds);
  pages->others().step();
  server.lose_behind("finstream.events", message_number{1, 0}); // the power failed, of the broker and of the feeds
  server.set_reachable(false);
  pages->others().step();
  server.set_reachable(true);
  for (auto what : {"B", "C", "D"}) {
    broker_message entry{{must(reader->ends("finstream.events")).last->transaction + 1, 0}, true, log_id, "block", ""};
    entry.body = encode_blocks(appends({events_record(0, 1, at(0), what)}), 7, compression::none)[0];
    must(reader->publish("finstream.events", must(reader->ends("finstream.events")).last, std::span{&entry, 1}));
  }
  pages->others().step();
  CAF_CHECK(code_of(pages->health()) == errc::conflict);
  CAF_CHECK_EQUAL(payloads(must(pages->read(topic::events, 0, 0, 1u << 20))), "abc");
}

CAF_TEST(a stream of another log stops those who follow it) {
  auto worker = process(false);
  broker_message alien{{1, 0}, true, 99, "block", "?"};
  must(reader->publish("finstream.events", std::nullopt, std::span{&alien, 1}));
  broker_message sound{{1, 0}, true, log_id, "block", ""};
  sound.body = encode_blocks(appends({events_record(1, 1, at(0), "x")}), 7, compression::none)[0];
  must(reader->publish("finstream.events:1", std::nullopt, std::span{&sound, 1}));
  worker->others().step();
  CAF_CHECK(code_of(worker->health()) == errc::conflict);
  CAF_CHECK_EQUAL(payloads(must(worker->read(topic::events, 1, 0, 1u << 20))), "x"); // the others are followed
}

CAF_TEST(a stream that is not for all holds up no other and is gone on with when it is) {
  auto feeds = process(true), pages = process(false);
  append_one(*feeds, events_record(0, 3, at(0), "abc"));
  append_one(*feeds, events_record(1, 1, at(0), "d"));
  ship(*feeds);
  server.set_guarded({"finstream.events"});
  for (int i = 0; i < 2; ++i) pages->others().step();
  CAF_CHECK(code_of(pages->health()) == errc::config_invalid);
  CAF_CHECK_EQUAL(payloads(must(pages->read(topic::events, 1, 0, 1u << 20))), "d");
  server.set_guarded({});
  pages->others().step();
  CAF_CHECK(pages->health().has_value());
  CAF_CHECK_EQUAL(payloads(must(pages->read(topic::events, 0, 0, 1u << 20))), "abc");
}

CAF_TEST(what is wrong with one stream stays so when another lets this process in again) {
  auto worker = process(false);
  broker_message alien{{1, 0}, true, 99, "block", "?"};
  must(reader->publish("finstream.events", std::nullopt, std::span{&alien, 1}));
  server.set_guarded({"finstream.events:1"});
  worker->others().step();
  CAF_CHECK(code_of(worker->health()) == errc::conflict);
  server.set_guarded({});
  worker->others().step();
  CAF_CHECK(code_of(worker->health()) == errc::conflict);
}

CAF_TEST(copies keep what they have applied for a while only) {
  auto feeds = process(true), worker = process(false);
  for (int i = 0; i < 10; ++i) append_one(*feeds, events_record(0, 1, at(0), "x"));
  ship(*feeds);
  worker->others().step();
  CAF_CHECK_EQUAL(must(worker->range(topic::events_buffer, 0)).head, 0u);
  time.advance(60 * second);
  worker->others().step();
  CAF_CHECK_EQUAL(must(worker->range(topic::events_buffer, 0)).head, 9u);
  append_one(*feeds, events_record(0, 1, at(99), "y"));
  ship(*feeds);
  worker->others().step();
  CAF_CHECK_EQUAL(must(worker->range(topic::events, 0)).next, 11u);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(partitions go to and fro between processes while all is written) {
  memory_broker_server server;
  std::vector<std::unique_ptr<temp_dir>> directories;
  auto process = [&](bool writes_events) {
    broker_link_options options;
    options.open_broker = [&server]() -> expected<std::unique_ptr<broker>> { return server.open(); };
    options.partitions = 2;
    options.writes_events = writes_events;
    options.claims_outputs = true;
    directories.push_back(std::make_unique<temp_dir>());
    return must(open_brokered_bus({.directory = directories.back()->path()}, options, "memory"));
  };
  auto feeds = process(true);
  append_one(*feeds, events_record(0, 1, at(0), "begin"));
  auto first = process(false), second_one = process(false);
  constexpr int rounds = 100;
  std::atomic<int> written{0};
  auto work = [&](brokered_bus& log, std::uint16_t partition, int turn) {
    for (int i = 0; i < rounds; ++i) {
      if (i / 10 % 2 != turn) { // the other's turn, ten times
        log.release(partition);
        continue;
      }
      if (log.claim(partition) && write_bar(log, "x", partition)) ++written;
    }
  };
  std::thread others[] = {std::thread{[&] { work(*first, 0, 0); }}, std::thread{[&] { work(*first, 1, 1); }},
                          std::thread{[&] { work(*second_one, 0, 1); }}, std::thread{[&] { work(*second_one, 1, 0); }}};
  for (int i = 0; i < 300; ++i) append_one(*feeds, events_record(static_cast<std::uint16_t>(i % 2), 1, at(i), "e"));
  must(feeds->sync());
  for (auto& x : others) x.join();
  auto last = process(false); // from the broker alone
  for (std::uint16_t p : {0, 1}) {
    CAF_CHECK(!bars_in(*last, p).empty());
    CAF_CHECK_EQUAL(must(last->range(topic::events, p)).next, p == 0 ? 151u : 150u);
  }
  CAF_CHECK_EQUAL(bars_in(*last, 0).size() + bars_in(*last, 1).size(), static_cast<std::size_t>(written.load()));
}
