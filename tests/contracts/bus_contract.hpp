// What every bus driver must do, as sentences. A suite includes this after it has defined
//
//   std::unique_ptr<finstream::bus> make_bus(const std::string& directory);   // an empty log, `directory` is the
//   driver's
//
// and its CAF_SUITE, and so runs all of it on its driver.
#pragma once

#include "tests/runtime/bus_language.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/temp_dir.hpp"

#include <map>
#include <thread>

namespace {

struct bus_contract {
  finstream::test::temp_dir directory;
  std::unique_ptr<finstream::bus> log = make_bus(directory.path());
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(bus_contract_tests, bus_contract)

using namespace finstream;
using namespace finstream::test;

CAF_TEST(an empty log begins and ends at zero and has nothing to read) {
  auto range = must(log->range(topic::events, 0));
  CAF_CHECK_EQUAL(range.head, 0u);
  CAF_CHECK_EQUAL(range.next, 0u);
  CAF_CHECK(must(log->read(topic::events, 0, 0, 1000)).empty());
  CAF_CHECK_EQUAL(must(log->offset_at(topic::events, 0, at(5))), 0u);
  CAF_CHECK(!must(log->committed("windows", topic::events, 0)));
  CAF_CHECK(!must(log->get("bars", "AAPL")));
  CAF_CHECK(log->recovery().created);
  CAF_CHECK(log->recovery().notes.empty());
  CAF_CHECK(log->recovery().epoch > 0);
  CAF_CHECK(log->health().has_value());
}

CAF_TEST(offsets count events and not records) {
  auto first = must(log->write(appends({events_record(0, 1000, at(1), "a"), events_record(0, 1, at(1), "b")})));
  auto second = must(log->write(appends({events_record(0, 7, at(2), "c")})));
  CAF_CHECK(first.offsets == (std::vector<std::uint64_t>{0, 1000}));
  CAF_CHECK(second.offsets == (std::vector<std::uint64_t>{1001}));
  CAF_CHECK_EQUAL(must(log->range(topic::events, 0)).next, 1008u);
}

CAF_TEST(what is read is what was appended) {
  std::string binary("\0\xff{}\n", 5);
  new_record bars{topic::bars, 3, record_kind::outputs, 2, {-1}, binary};
  new_record clock{topic::bars, 3, record_kind::clock, 1, at(9), ""};
  must(log->write(appends({bars, clock})));
  auto found = must(log->read(topic::bars, 3, 0, 1000));
  CAF_REQUIRE_EQUAL(found.size(), 2u);
  CAF_CHECK_EQUAL(found[0].offset, 0u);
  CAF_CHECK_EQUAL(found[0].count, 2u);
  CAF_CHECK(found[0].kind == record_kind::outputs);
  CAF_CHECK_EQUAL(found[0].log_ts.ns, -1);
  CAF_CHECK(found[0].payload == binary);
  CAF_CHECK_EQUAL(found[1].offset, 2u);
  CAF_CHECK(found[1].kind == record_kind::clock);
  CAF_CHECK(found[1].payload.empty());
}

CAF_TEST(topics and partitions have offsets of their own) {
  for (auto& x : {events_record(0, 5, at(1), "zero"), events_record(1, 3, at(1), "one"),
                  record_of(topic::bars, 0, 2, at(1), "bar"), events_record(3, 1, at(1), "last")})
    append_one(*log, x);
  CAF_CHECK_EQUAL(must(log->range(topic::events, 0)).next, 5u);
  CAF_CHECK_EQUAL(must(log->range(topic::events, 1)).next, 3u);
  CAF_CHECK_EQUAL(must(log->range(topic::events, 2)).next, 0u);
  CAF_CHECK_EQUAL(must(log->range(topic::bars, 0)).next, 2u);
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 1, 0, 1000))), "one");
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 3, 0, 1000))), "last");
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::bars, 0, 0, 1000))), "bar");
}

CAF_TEST(a read begins with the record that holds the offset) {
  must(log->write(
    appends({events_record(0, 10, at(1), "a"), events_record(0, 10, at(2), "b"), events_record(0, 10, at(3), "c")})));
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 9, 1000))), "abc");
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 10, 1000))), "bc");
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 29, 1000))), "c");
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 30, 1000))), "");
}

CAF_TEST(a read stops when the limit of bytes is passed but gives at least one record) {
  must(log->write(appends(
    {events_record(0, 1, at(1), "aaaa"), events_record(0, 1, at(1), "bbbb"), events_record(0, 1, at(1), "cccc")})));
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 0, 0))), "aaaa");
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 0, 4))), "aaaa");
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 0, 5))), "aaaabbbb");
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 1, 100))), "bbbbcccc");
}

CAF_TEST(a read past the end is refused) {
  must(log->write(appends({events_record(0, 2, at(1), "a")})));
  CAF_CHECK(code_of(log->read(topic::events, 0, 3, 100)) == errc::invalid_argument);
  CAF_CHECK(code_of(log->read(topic::events, 1, 1, 100)) == errc::invalid_argument);
}

CAF_TEST(the log is read by time) {
  must(log->write(appends({events_record(0, 10, at(10), "a"), events_record(0, 10, at(20), "b"),
                           events_record(0, 10, at(20), "c"), events_record(0, 10, at(30), "d")})));
  struct row {
    timestamp when;
    std::uint64_t offset;
  };
  for (const auto& x : {row{at(0), 0}, row{at(10), 0}, row{at(11), 10}, row{at(20), 10}, row{at(21), 30},
                        row{at(30), 30}, row{at(31), 40}, row{earliest, 0}})
    CAF_CHECK_EQUAL(must(log->offset_at(topic::events, 0, x.when)), x.offset);
}

CAF_TEST(the log is read by time among many records of many sizes) {
  std::map<std::int64_t, std::uint64_t> first_at; // second -> offset of its first record
  std::uint64_t next = 0;
  for (int i = 0; i < 500; ++i) {
    auto count = static_cast<std::uint32_t>(1 + i * 7919 % 1500);
    auto time = at(i / 3 * 2); // three records a time, and none at odd seconds
    first_at.emplace(time.ns, next);
    must(log->write(appends({events_record(0, count, time, std::string(static_cast<std::size_t>(i % 50), 'x'))})));
    next += count;
  }
  for (int i = 0; i < 340; ++i) {
    auto sought = first_at.lower_bound(at(i).ns);
    CAF_CHECK_EQUAL(must(log->offset_at(topic::events, 0, at(i))), sought == first_at.end() ? next : sought->second);
  }
}

CAF_TEST(time does not go back within a topic and partition) {
  must(log->write(appends({events_record(0, 1, at(10), "a")})));
  CAF_CHECK(code_of(log->write(appends({events_record(0, 1, at(9), "b")}))) == errc::invalid_argument);
  CAF_CHECK(code_of(log->write(appends({events_record(0, 1, at(11), "b"), events_record(0, 1, at(10), "c")}))) ==
            errc::invalid_argument);
  append_one(*log, events_record(1, 1, at(9), "elsewhere it may"));
  append_one(*log, events_record(0, 1, at(10), "equal is fine"));
}

CAF_TEST(a refused transaction leaves no trace and no hole) {
  must(log->write(appends({events_record(0, 4, at(1), "a")})));
  transaction bad = appends({events_record(0, 4, at(2), "b"), record_of(topic::dead_letters, 0, 1, at(2), "c")});
  bad.writes.push_back({"bars", "key", "value"});
  bad.commits.push_back({"windows", topic::events, 0, 9}); // one past the end
  CAF_CHECK(code_of(log->write(bad)) == errc::invalid_argument);
  CAF_CHECK_EQUAL(must(log->range(topic::events, 0)).next, 4u);
  CAF_CHECK_EQUAL(must(log->range(topic::dead_letters, 0)).next, 0u);
  CAF_CHECK(!must(log->get("bars", "key")));
  CAF_CHECK(!must(log->committed("windows", topic::events, 0)));
  CAF_CHECK_EQUAL(append_one(*log, events_record(0, 1, at(2), "b")), 4u);
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 0, 100))), "ab");
}

CAF_TEST(nonsense is refused) {
  CAF_CHECK(code_of(log->write(appends({events_record(0, 0, at(1), "no events")}))) == errc::invalid_argument);
  CAF_CHECK(code_of(log->write(appends({record_of(static_cast<topic>(77), 0, 1, at(1), "x")}))) ==
            errc::invalid_argument);
  CAF_CHECK(code_of(log->write(appends({events_record(0, 1, at(1), std::string(max_payload_bytes + 1, 'x'))}))) ==
            errc::invalid_argument);
  for (auto& x :
       {record_of(topic::bars, 0, 1, at(1), "the other side"), events_record(1, 1, at(1), "another partition")})
    CAF_CHECK(code_of(log->write(appends({events_record(0, 1, at(1), "one"), x}))) == errc::invalid_argument);
  transaction tx;
  tx.writes = {{"", "key", "value"}};
  CAF_CHECK(code_of(log->write(tx)) == errc::invalid_argument);
  tx.writes = {{std::string("a\0b", 3), "key", "value"}};
  CAF_CHECK(code_of(log->write(tx)) == errc::invalid_argument);
  CAF_CHECK_EQUAL(must(log->range(topic::events, 0)).next, 0u);
}

CAF_TEST(an empty transaction changes nothing) {
  auto answer = must(log->write({}));
  CAF_CHECK(answer.offsets.empty());
}

CAF_TEST(appends and table writes and commits go down together) {
  transaction tx = appends({record_of(topic::bars, 0, 3, at(1), "bars")});
  must(log->write(appends({events_record(0, 100, at(1), "events")})));
  tx.writes = {{"bars", "AAPL", "1"}, {"state", "window", "2"}};
  tx.commits = {{"windows", topic::events, 0, 100}, {"stores", topic::bars, 0, 3}};
  must(log->write(tx));
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::bars, 0, 0, 100))), "bars");
  CAF_CHECK(must(log->get("bars", "AAPL")) == std::optional<std::string>{"1"});
  CAF_CHECK(must(log->get("state", "window")) == std::optional<std::string>{"2"});
  CAF_CHECK(must(log->committed("windows", topic::events, 0)) == std::optional<std::uint64_t>{100});
  CAF_CHECK(must(log->committed("stores", topic::bars, 0)) == std::optional<std::uint64_t>{3});
  CAF_CHECK(!must(log->committed("windows", topic::bars, 0)));
  CAF_CHECK(!must(log->committed("windows", topic::events, 1)));
}

CAF_TEST(a table keeps the latest value of a key) {
  put(*log, "bars", "a", "1");
  put(*log, "bars", "a", "2");
  put(*log, "bars", "b", std::string("\0\n", 2));
  put(*log, "bar", "sa", "another table");
  CAF_CHECK(must(log->get("bars", "a")) == std::optional<std::string>{"2"});
  CAF_CHECK(must(log->get("bars", "b")) == std::optional<std::string>(std::string("\0\n", 2)));
  transaction tx;
  tx.writes = {{"bars", "a", std::nullopt}, {"bars", "never was", std::nullopt}};
  must(log->write(tx));
  CAF_CHECK(!must(log->get("bars", "a")));
}

CAF_TEST(a scan visits a range of one table in the order of bytes) {
  for (const auto* key : {"b", "a", "c\xff", "c", "d"}) put(*log, "bars", key, std::string{"="} + key);
  put(*log, "bars", "", "=");
  put(*log, "barsx", "b", "no");
  put(*log, "bar", "b", "no");
  CAF_CHECK_EQUAL(scanned(*log, "bars", "a", "c"), "a b ");
  CAF_CHECK_EQUAL(scanned(*log, "bars", "b", ""), "b c c\xff d ");
  CAF_CHECK_EQUAL(scanned(*log, "bars", "", ""), " a b c c\xff d ");
  CAF_CHECK_EQUAL(scanned(*log, "bars", "c", "b"), "");
  CAF_CHECK_EQUAL(scanned(*log, "none", "", ""), "");
  int visits = 0;
  must(log->scan("bars", "", "", [&](std::string_view, std::string_view) { return ++visits < 2; }));
  CAF_CHECK_EQUAL(visits, 2);
}

CAF_TEST(a visitor may use the bus) {
  for (const auto* key : {"a", "b"}) put(*log, "bars", key, "1");
  must(log->scan("bars", "", "", [&](std::string_view key, std::string_view) {
    put(*log, "copies", std::string{key}, "1");
    return true;
  }));
  CAF_CHECK_EQUAL(scanned(*log, "copies", "", ""), "a b ");
}

CAF_TEST(a group may go back within the log but not out of it) {
  must(log->write(appends({events_record(0, 10, at(1), "a"), events_record(0, 10, at(1), "b")})));
  commit(*log, "windows", 20);
  commit(*log, "windows", 5);
  CAF_CHECK(must(log->committed("windows", topic::events, 0)) == std::optional<std::uint64_t>{5});
  CAF_CHECK(try_commit(*log, "windows", 21) == errc::invalid_argument);
  commit(*log, "windows", 20);
  must(log->trim(topic::events, 0, 10));
  CAF_CHECK(try_commit(*log, "windows", 9) == errc::trimmed);
  commit(*log, "windows", 10);
}

CAF_TEST(a trim drops whole records and says where the log begins) {
  must(log->write(
    appends({events_record(0, 10, at(1), "a"), events_record(0, 10, at(2), "b"), events_record(0, 10, at(3), "c")})));
  CAF_CHECK_EQUAL(must(log->trim(topic::events, 0, 9)), 0u);
  CAF_CHECK_EQUAL(must(log->trim(topic::events, 0, 19)), 10u);
  CAF_CHECK_EQUAL(must(log->trim(topic::events, 0, 5)), 10u);
  CAF_CHECK_EQUAL(must(log->range(topic::events, 0)).head, 10u);
  CAF_CHECK_EQUAL(must(log->range(topic::events, 0)).next, 30u);
  CAF_CHECK(code_of(log->read(topic::events, 0, 9, 100)) == errc::trimmed);
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 10, 100))), "bc");
  CAF_CHECK_EQUAL(must(log->offset_at(topic::events, 0, at(0))), 10u);
}

CAF_TEST(a log that was trimmed to its end goes on where it ended) {
  must(log->write(appends({events_record(0, 10, at(5), "a")})));
  CAF_CHECK_EQUAL(must(log->trim(topic::events, 0, 1000)), 10u);
  CAF_CHECK(must(log->read(topic::events, 0, 10, 100)).empty());
  CAF_CHECK(code_of(log->write(appends({events_record(0, 1, at(4), "earlier")}))) == errc::invalid_argument);
  CAF_CHECK_EQUAL(append_one(*log, events_record(0, 1, at(5), "b")), 10u);
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 10, 100))), "b");
}

CAF_TEST(a trim never passes the slowest group) {
  must(log->write(
    appends({events_record(0, 10, at(1), "a"), events_record(0, 10, at(2), "b"), events_record(0, 10, at(3), "c")})));
  append_one(*log, events_record(1, 10, at(1), "x"));
  commit(*log, "fast", 30);
  commit(*log, "slow", 15);
  CAF_CHECK_EQUAL(must(log->trim(topic::events, 0, 30)), 10u);
  CAF_CHECK_EQUAL(must(log->trim(topic::events, 1, 30)), 10u); // no group there
  commit(*log, "slow", 20);
  CAF_CHECK_EQUAL(must(log->trim(topic::events, 0, 30)), 20u);
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 20, 100))), "c");
  CAF_CHECK_EQUAL(must(log->trim(topic::bars, 0, 30)), 0u); // nothing there
}

CAF_TEST(the statistics count what was appended) {
  must(log->write(appends({events_record(0, 10, at(1), "12345"), record_of(topic::raw, 0, 1, at(1), "678")})));
  auto counted = log->statistics();
  CAF_CHECK_EQUAL(counted.bytes_appended, 8u);
  CAF_CHECK_EQUAL(counted.records_appended, 2u);
}

CAF_TEST(partitions are appended to from different threads at once) {
  constexpr int writers = 4;
  constexpr int transactions = 300;
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int w = 0; w < writers; ++w)
    threads.emplace_back([&, w] {
      auto partition = static_cast<std::uint16_t>(w);
      for (int i = 0; i < transactions; ++i) {
        // Each thread has a partition of events to itself, and all of them commit to one group of partition 0.
        auto tx = appends(
          {events_record(partition, 3, at(i), std::to_string(i)), record_of(topic::raw, partition, 1, at(i), "raw")});
        tx.writes.push_back({"state", std::to_string(w), std::to_string(i)});
        tx.commits.push_back({"group" + std::to_string(w), topic::events, 0, 0});
        auto answer = log->write(std::move(tx));
        auto expected_offset = static_cast<std::uint64_t>(i) * 3;
        if (!answer || answer->offsets.at(0) != expected_offset) ++failures;
        if (auto found = log->read(topic::events, partition, expected_offset, 1); !found || found->size() != 1)
          ++failures;
      }
    });
  for (auto& x : threads) x.join();
  CAF_CHECK_EQUAL(failures.load(), 0);
  for (std::uint16_t w = 0; w < writers; ++w) {
    auto found = must(log->read(topic::events, w, 0, 1u << 20));
    CAF_REQUIRE_EQUAL(found.size(), static_cast<std::size_t>(transactions));
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (found[i].payload != std::to_string(i) || found[i].offset != 3 * i) ++failures;
    }
    CAF_CHECK_EQUAL(must(log->range(topic::raw, w)).next, static_cast<std::uint64_t>(transactions));
  }
  CAF_CHECK_EQUAL(failures.load(), 0);
}

CAF_TEST(readers see only whole transactions that were acknowledged and trims do not disturb them) {
  constexpr int transactions = 400;
  std::atomic<bool> done{false};
  std::atomic<int> failures{0};
  std::thread writer{[&] {
    for (int i = 0; i < transactions; ++i)
      if (!log->write(appends({events_record(0, 2, at(i), std::to_string(i))}))) ++failures;
    done = true;
  }};
  std::thread trimmer{[&] {
    while (!done) {
      auto range = log->range(topic::events, 0);
      if (!range || !log->trim(topic::events, 0, range->next / 2)) ++failures;
      std::this_thread::yield();
    }
  }};
  std::uint64_t at_offset = 0;
  while (at_offset < 2 * transactions && failures == 0) {
    auto found = log->read(topic::events, 0, at_offset, 64);
    if (!found && found.error().code == errc::trimmed) {
      at_offset = must(log->range(topic::events, 0)).head;
      continue;
    }
    if (!found) CAF_FAIL(found.error().message);
    for (const auto& x : *found) {
      if (x.offset != at_offset || x.payload != std::to_string(x.offset / 2)) ++failures;
      at_offset = x.next();
    }
    if (found->empty()) std::this_thread::yield();
  }
  writer.join();
  trimmer.join();
  CAF_CHECK_EQUAL(failures.load(), 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
