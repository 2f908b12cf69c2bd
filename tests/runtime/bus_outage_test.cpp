// What a log on a broker makes of troubles at awkward moments. Each of them was found by the simulator
// (tests/simulation), which meets them in company; here they are alone.
#define CAF_SUITE bus_outage

#include "runtime/broker/memory_broker.hpp"
#include "runtime/bus/brokered_bus.hpp"
#include "runtime/bus/shipper.hpp"
#include "tests/runtime/bus_language.hpp"
#include "tests/support/passing_bus.hpp"
#include "tests/support/suite.hpp"

#include <fmt/format.h>

using namespace finstream;
using namespace finstream::test;

namespace {

// The machine's log, which can be made to fail, and says when it has written.
class local_log : public passing_bus {
public:
  local_log(bus& to, bool is_new) : passing_bus{to}, recovery_{7, is_new, {}} {}

  std::function<void()> on_written = [] {};
  bool writes = true, answers = true;
  mutable int reads_until_one_fails = 0;
  int syncs = 0;
  bool syncs_fail = false;

  expected<receipt> write(transaction tx) override {
    if (!writes) return fail(errc::disk_full, "no space left");
    auto done = passing_bus::write(std::move(tx));
    on_written();
    return answers ? std::move(done) : fail(errc::io_failure, "it may be there");
  }
  expected<std::vector<record>> read(topic where, std::uint16_t partition, std::uint64_t offset,
                                     std::size_t limit_bytes) const override {
    if (reads_until_one_fails != 0 && --reads_until_one_fails == 0) return fail(errc::io_failure, "it does not read");
    return passing_bus::read(where, partition, offset, limit_bytes);
  }
  expected<void> sync() override {
    ++syncs;
    return syncs_fail ? fail(errc::io_failure, "it does not sync") : passing_bus::sync();
  }
  const recovery_report& recovery() const override { return recovery_; }

private:
  recovery_report recovery_;
};

class stepping_clock : public manual_clock {
public:
  using manual_clock::manual_clock;
  timestamp now() const override { return manual_clock::now() + step; }
  nanoseconds step = 0;
};

struct outage_world {
  stepping_clock time{timestamp{1'000'000 * second}};
  memory_broker_server server{time};
  std::unique_ptr<bus> disk = open_memory_bus(7);
  local_log* local = nullptr;
  std::unique_ptr<brokered_bus> log;
  std::unique_ptr<broker> reader = server.open();

  outage_world() { CAF_REQUIRE(!start(true)); }
  broker_link_options how = {};
  broker_link_options options() {
    auto out = how;
    out.open_broker = [this]() -> expected<std::unique_ptr<broker>> { return server.open(); };
    out.time = &time;
    out.acknowledge_timeout_ms = 0; // nobody ships while a write waits
    return out;
  }
  // Over what is on the disk. Why not, if it does not start.
  std::optional<errc> start(bool is_new = false, bool writes = true) {
    log.reset();
    auto mine = std::make_unique<local_log>(*disk, is_new);
    mine->writes = writes;
    local = mine.get();
    auto joined = join_log(std::move(mine), std::nullopt, options(), server.open(), "memory");
    if (!joined) return joined.error().code;
    log = std::move(*joined);
    return std::nullopt;
  }
  expected<receipt> write(topic where, const std::string& payload) {
    transaction tx;
    tx.appends.push_back({where, 0, record_kind::events, 1, timestamp{1}, payload});
    return log->write(std::move(tx));
  }
  void ship() {
    while (log->link().step() == std::optional<nanoseconds>{0}) {
    }
  }
  std::uint64_t entries_in(const std::string& stream) {
    auto ends = reader->ends("finstream." + stream);
    return ends && ends->last ? ends->last->transaction : 0;
  }
  void forget(const std::string& stream, std::uint64_t entries) {
    server.lose_behind("finstream." + stream, entries == 0 ? std::nullopt : std::optional{message_number{entries, 0}});
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(outage_tests, outage_world)

CAF_TEST(what is brought to the broker before its writer is told does not wait for it) {
  local->on_written = [this] { ship(); };
  for (int i = 0; i < 3; ++i) CAF_CHECK(write(topic::events, "x")->level == durability::broker);
  CAF_CHECK_EQUAL(log->buffer().bytes, 0u);
  CAF_CHECK_EQUAL(log->buffer().events, 0u);
}

CAF_TEST(what cannot be counted does not wait for ever) {
  write(topic::events, "x"), write(topic::events, "x");
  server.break_after(2); // both are there, and it is not known
  ship();
  local->reads_until_one_fails = 2; // first it is asked whose the last entry there is
  ship();
  CAF_CHECK_EQUAL(log->buffer().entries, 0u);
  CAF_CHECK_EQUAL(log->buffer().bytes, 0u);
}

CAF_TEST(an entry is on this disk before the broker gets it) {
  how.syncs_first = true;
  CAF_REQUIRE(!start());
  auto syncs = local->syncs;
  write(topic::events, "x"), write(topic::bars, "x");
  ship();
  CAF_CHECK_EQUAL(local->syncs, syncs + 1); // one for both
  ship();
  CAF_CHECK_EQUAL(local->syncs, syncs + 1); // there is nothing new
  local->syncs_fail = true;
  write(topic::events, "y");
  CAF_CHECK(*log->link().step() > 0);
  CAF_CHECK_EQUAL(entries_in("events"), 1u);
  local->syncs_fail = false;
  ship();
  CAF_CHECK_EQUAL(entries_in("events"), 2u);
}

CAF_TEST(what is written while a round is under way waits for the next sync) {
  how.syncs_first = true;
  how.on_published = [this, is_first = true](const published_batch&) mutable {
    if (std::exchange(is_first, false)) write(topic::bars, "of an event that is not on the disk yet");
  };
  CAF_REQUIRE(!start());
  write(topic::events, "x");
  log->link().step();
  CAF_CHECK_EQUAL(entries_in("outputs"), 0u);
  ship();
  CAF_CHECK_EQUAL(entries_in("outputs"), 1u);
}

CAF_TEST(an entry that has waited long is kept as long as any) {
  server.set_reachable(false);
  for (int i = 0; i < 5; ++i) write(topic::events, "x");
  time.advance(60 * second);
  server.set_reachable(true);
  ship();
  forget("events", 2);
  write(topic::events, "x");
  ship();
  CAF_CHECK(log->health().has_value());
  CAF_CHECK_EQUAL(entries_in("events"), 6u);
}

CAF_TEST(what the broker has forgotten while nothing is written is sent again) {
  for (int i = 0; i < 5; ++i) write(topic::events, "x");
  ship();
  forget("events", 2);
  for (int i = 0; i < 20; ++i) {
    time.advance(5 * second);
    ship();
  }
  CAF_CHECK(log->health().has_value());
  CAF_CHECK_EQUAL(entries_in("events"), 5u);
}

CAF_TEST(a broker that has forgotten outputs is asked about events as well) {
  write(topic::events, "x"), write(topic::bars, "x");
  ship();
  forget("events", 0), forget("outputs", 0);
  write(topic::bars, "x");
  ship();
  CAF_CHECK_EQUAL(entries_in("outputs"), 2u);
  CAF_CHECK_EQUAL(entries_in("events"), 1u);
}

CAF_TEST(which log it is is on the disk before anything else) { CAF_CHECK_EQUAL(local->syncs, 1); }

// It would go on behind what it has, and be another log from there.
CAF_TEST(a node whose disk does not take what the broker has does not start) {
  write(topic::events, "x");
  ship();
  transaction id;
  id.writes.push_back({"node", "log_id", "1"});
  disk = open_memory_bus(7);
  CAF_REQUIRE(disk->write(std::move(id)));
  CAF_CHECK(start(false, false) == std::optional{errc::disk_full});
  CAF_CHECK(!start());
  CAF_CHECK_EQUAL(must(disk->range(topic::events, 0)).next, 1u);
}

CAF_TEST(times of entries do not go back where an answer was lost) {
  local->answers = false;
  CAF_CHECK(!write(topic::events, "x"));
  local->answers = true;
  time.step = -second;
  CAF_CHECK(write(topic::events, "x").has_value());
}

CAF_TEST(times of entries do not go back where the last cannot be read) {
  write(topic::events, "x");
  CAF_REQUIRE(!start());
  time.step = -second;
  local->reads_until_one_fails = 1;
  CAF_CHECK(!write(topic::events, "x"));
  CAF_CHECK(write(topic::events, "x").has_value());
  auto entries = must(disk->read(topic::events_buffer, 0, 0, 1000));
  CAF_CHECK(entries.at(0).log_ts <= entries.at(1).log_ts);
}

CAF_TEST_FIXTURE_SCOPE_END()
