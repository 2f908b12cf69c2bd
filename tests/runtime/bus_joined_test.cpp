// Opening a log on a broker: directories that are new, that are behind, and that have gone another way.
#define CAF_SUITE bus_joined

#include "tests/runtime/brokered_language.hpp"
#include "tests/runtime/bus_language.hpp"
#include "tests/support/passing_bus.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/temp_dir.hpp"

#include <fmt/format.h>

using namespace finstream;
using namespace finstream::test;

namespace {

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

// The machine's log. As soon as it has an entry that was not here, the broker is away.
class parting_log : public passing_bus {
public:
  parting_log(bus& to, memory_broker_server& server) : passing_bus{to}, server_{server} {}

  expected<receipt> write(transaction tx) override {
    if (!tx.appends.empty()) server_.set_reachable(false);
    return passing_bus::write(std::move(tx));
  }

private:
  memory_broker_server& server_;
};

// A process that writes events and follows outputs, and one beside it that has written what the first has not.
struct interrupted_copy {
  static constexpr std::uint64_t entries = 1500; // more than are read at a time

  memory_broker_server server;
  temp_dir mine, theirs;
  broker_link_options options = options_for(server, 1);

  explicit interrupted_copy(topic where) {
    options.claims_outputs = true;
    must(must(start())->write(appends({events_record(0, 1, at(0), "first")})));
    auto other = must(open_brokered_bus({.directory = theirs.path()}, options, "memory"));
    must(other->claim(0));
    for (std::uint64_t i = 0; i < entries; ++i) append_one(*other, record_of(where, 0, 1, at(1), "x"));
    must(other->sync());
  }

  expected<std::unique_ptr<brokered_bus>> start() {
    return open_brokered_bus({.directory = mine.path()}, options, "memory");
  }
  // Why it does not start, if it does not, where the broker goes away in the middle.
  errc start_and_part() {
    auto disk = must(open_embedded_bus({.directory = mine.path()}));
    return code_of(join_log(std::make_unique<parting_log>(*disk, server), std::nullopt, options, server.open(),
                            "memory", server.open()));
  }
};

} // namespace

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

CAF_TEST(a broker that lets nobody in is away for a log that is there and not for a new one) {
  temp_dir directory, empty;
  memory_broker_server server;
  { must(open_brokered_bus({.directory = directory.path()}, options_for(server, 1), "memory")); }
  server.set_guarded({"finstream.events", "finstream.outputs"});
  CAF_CHECK(code_of(open_brokered_bus({.directory = empty.path()}, options_for(server, 1), "memory")) ==
            errc::config_invalid);
  auto log = must(open_brokered_bus({.directory = directory.path()}, options_for(server, 1), "memory"));
  CAF_CHECK(must(log->write(appends({events_record(0, 1, at(1), "x")}))).level == durability::buffered);
  server.set_guarded({});
  for (int i = 2; must(log->write(appends({events_record(0, 1, at(i), "y")}))).level != durability::broker; ++i)
    CAF_REQUIRE(i < 10'000);
}

CAF_TEST(a copy that was not made to its end needs the broker to start) {
  memory_broker_server server;
  server.set_max_message_bytes(100);
  temp_dir first, second_one;
  {
    auto log = must(open_brokered_bus({.directory = first.path()}, options_for(server, 1), "memory"));
    for (int i = 0; i < 3; ++i) append_one(*log, events_record(0, 1, at(i), std::to_string(i)));
    must(log->sync());
    auto far = must(open_brokered_bus({.directory = second_one.path()}, options_for(server, 1), "memory"));
    CAF_CHECK(!must(far->get("node", "behind"))); // it was copied whole
    far.reset();
    put(*must(open_embedded_bus({.directory = second_one.path()})), "node", "behind", "1"); // as if it had been killed
  }
  server.set_reachable(false);
  auto refused = open_brokered_bus({.directory = second_one.path()}, options_for(server, 1), "memory");
  CAF_CHECK(code_of(refused) == errc::unreachable);
  CAF_CHECK(message_of(refused).find("not copied here to its end") != std::string::npos);
  CAF_CHECK(open_brokered_bus({.directory = first.path()}, options_for(server, 1), "memory").has_value());
  server.set_reachable(true);
  auto log = must(open_brokered_bus({.directory = second_one.path()}, options_for(server, 1), "memory"));
  CAF_CHECK(!must(log->get("node", "behind")));
}

// It can only lose what it writes itself by going on without it.
CAF_TEST(outputs of others that were not copied to their end are waited for by nobody) {
  interrupted_copy copy{topic::bars};
  CAF_CHECK_EQUAL(copy.start_and_part(), errc::none);
  {
    auto log = must(copy.start());
    auto here = must(log->range(topic::bars, 0)).next;
    CAF_CHECK(here > 0u && here < copy.entries);
    CAF_CHECK(must(log->write(appends({events_record(0, 1, at(2), "second")}))).level == durability::buffered);
  }
  copy.server.set_reachable(true);
  auto log = must(copy.start());
  CAF_CHECK_EQUAL(must(log->range(topic::bars, 0)).next, copy.entries);
  CAF_CHECK(must(log->write(appends({events_record(0, 1, at(3), "third")}))).level == durability::broker);
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 0, 1u << 20))), "firstsecondthird");
}

CAF_TEST(events that were not copied to their end are waited for by the process that writes them) {
  interrupted_copy copy{topic::events};
  CAF_CHECK_EQUAL(copy.start_and_part(), errc::unreachable);
  CAF_CHECK_EQUAL(code_of(copy.start()), errc::unreachable);
  copy.server.set_reachable(true);
  CAF_CHECK_EQUAL(must(must(copy.start())->range(topic::events, 0)).next, copy.entries + 1);
}

CAF_TEST(a log that was made without a broker is not taken for one of a broker) {
  temp_dir directory;
  memory_broker_server server;
  { append_one(*must(open_embedded_bus({.directory = directory.path()})), events_record(0, 1, at(1), "x")); }
  auto refused = open_brokered_bus({.directory = directory.path()}, options_for(server, 1), "memory");
  CAF_CHECK(code_of(refused) == errc::incompatible);
  CAF_CHECK(message_of(refused).find("bus.type") != std::string::npos);
}
