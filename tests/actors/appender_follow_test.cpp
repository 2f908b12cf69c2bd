#define CAF_SUITE appender_follow

#include "actors/log_entries.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

// A process of several that share a log; the others write to `log` behind its back.
struct sharing_world : world {
  appender_actor appender;
  listener reader;

  void start(bool events, bool outputs) {
    context.duties = {events, outputs, outputs};
    figures.claimed[0] = outputs;
    reader = listen();
    appender = start_appender();
  }
  static batch_ptr trades(int count) {
    std::vector<happening> out;
    for (int i = 0; i < count; ++i) out.push_back(trade(at("09:30:00") + i * millisecond, "10", "1", i + 1));
    return part_of(out, std::nullopt)->events;
  }
  void others_write_events(int count) {
    transaction tx;
    tx.appends.push_back(events_record(0, time.now(), *trades(count)));
    ensure(log.write(std::move(tx)).has_value(), "the log takes it");
    tell(appender, verb::grown_v);
  }
  void others_write_bars() {
    bar b;
    b.provider = "nyse", b.symbol = "SPY", b.interval = second, b.start = at("09:30:00"), b.end = b.start + second;
    transaction tx;
    for (auto& record : to_records({b}, time.now()))
      tx.appends.push_back(derived_record_of(derived_topic::bars, 0, *record));
    tx.writes.push_back({stage_table, dealt_with_key(0), offset_text(7)});
    ensure(log.write(std::move(tx)).has_value(), "the log takes it");
    tell(appender, verb::grown_v);
  }
  std::size_t own_writes() const { return log.taken().size(); }
  std::size_t clock_records() const {
    std::size_t out = 0;
    for (auto& e : entries()) out += e->kind == static_cast<std::uint8_t>(record_kind::clock) ? 1 : 0;
    return out;
  }
};

stage_result one_bar(std::uint64_t dealt_with) {
  stage_step step;
  step.cause = dealt_with - 1;
  step.log_ts = at("09:30:02");
  bar b;
  b.provider = "nyse", b.symbol = "SPY", b.interval = second, b.start = at("09:30:00"), b.end = b.start + second;
  step.bars = {b};
  stage_result out;
  out.dealt_with = dealt_with;
  out.steps = {step};
  return out;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(appender_follow_tests, sharing_world)

CAF_TEST(who does not write events says nothing of its start and is ready) {
  start(false, false);
  CAF_CHECK_EQUAL(own_writes(), 0u);
  CAF_CHECK_EQUAL(figures.partitions_recovered.load(), 1);
  pass(60 * second);
  CAF_CHECK_EQUAL(own_writes(), 0u);
}

CAF_TEST(it says how it is all the same) {
  start(false, false);
  auto said = status("/partitions/0/appender");
  CAF_REQUIRE(said.has_value());
  CAF_CHECK(said->find("\"remembered_events\":0") != std::string::npos);
}

CAF_TEST(readers hear of what others have written) {
  start(false, false);
  tell(appender, verb::pull_v, std::uint64_t{0}, reader.as<entry_reader>());
  tell(appender, verb::pull_v, derived_topic::bars, std::uint64_t{0}, reader.as<derived_reader>());
  CAF_CHECK(reader.now().entries.empty());
  others_write_events(3);
  CAF_REQUIRE_EQUAL(reader.now().entries.size(), 1u);
  CAF_CHECK(reader.now().entries[0].behind); // they are to read it themselves
  others_write_bars();
  CAF_REQUIRE_EQUAL(reader.now().bars.size(), 1u);
  CAF_CHECK(reader.now().bars[0].behind);
  CAF_CHECK_EQUAL(figures.looked_at[0].load(), 7u);
  tell(appender, verb::pull_v, std::uint64_t{3}, reader.as<entry_reader>());
  CAF_CHECK_EQUAL(reader.now().entries.size(), 1u); // there is nothing more
}

CAF_TEST(who works on a partition writes its outputs though not its events) {
  start(false, true);
  others_write_events(3);
  auto before = own_writes();
  tell(appender, verb::commit_v, std::make_shared<stage_result>(one_bar(3)), reader.as<commit_listener>());
  CAF_CHECK_EQUAL(own_writes(), before + 1);
  CAF_CHECK(reader.now().committed == std::vector<std::uint64_t>{3});
  CAF_CHECK(saved(stage_table, dealt_with_key(0)) == offset_text(3));
}

CAF_TEST(a write that failed is tried again although events have come meanwhile) {
  start(false, true);
  log.refuse(errc::unreachable);
  tell(appender, verb::commit_v, std::make_shared<stage_result>(one_bar(3)), reader.as<commit_listener>());
  CAF_CHECK(reader.now().committed.empty());
  log.refuse(errc::none);
  others_write_events(3);
  pass(second);
  CAF_CHECK(reader.now().committed == std::vector<std::uint64_t>{3});
}

CAF_TEST(what others have written of the outputs is not written over) {
  start(false, true);
  log.refuse(errc::conflict);
  tell(appender, verb::commit_v, std::make_shared<stage_result>(one_bar(3)), reader.as<commit_listener>());
  log.refuse(errc::none);
  others_write_bars();
  auto before = own_writes();
  pass(second);
  CAF_CHECK_EQUAL(own_writes(), before);
  CAF_CHECK(reader.now().committed.empty()); // it has ended, so that one who reads the log may go on
}

CAF_TEST(while others may have windows open time is said to pass and then no longer) {
  config.windows.intervals = {second, 5 * second};
  config.windows.resume_grace_ms = 2000;
  start(true, false);
  tell(appender, verb::append_v, part_of({trade(at("09:30:00"), "10", "1", 1)}, std::nullopt), std::uint64_t{1},
       reader.as<append_listener>());
  pass(10 * second);
  auto first = clock_records();
  CAF_CHECK(first >= 5u);
  pass(60 * second);
  auto later = clock_records();
  CAF_CHECK(later <= first + 5);
  pass(60 * second);
  CAF_CHECK_EQUAL(clock_records(), later);
}

CAF_TEST_FIXTURE_SCOPE_END()
