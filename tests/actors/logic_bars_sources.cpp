// Sources that are ahead, silent, gone or coming back, and what they do to others.
#define CAF_SUITE bars_sources

#include "tests/support/market.hpp"
#include "tests/support/suite.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

bar_rules every_second() {
  bar_rules rules;
  rules.intervals = {second};
  rules.sets = {{"pair", {"left", "right"}}};
  return rules;
}

happening of(const std::string& provider, const std::string& when, const std::string& price, std::int64_t seq = 0) {
  return trade(at(when), price, "1", seq, "SPY", provider);
}

} // namespace

CAF_TEST(a source ahead of its time does not make another late or stuck) {
  run x{every_second()};
  x.events(at("09:30:00.1"), {of("nyse", "09:30:00.1", "1"), of("arca", "09:30:05", "9")});
  x.events(at("09:30:00.3"), {of("nyse", "09:30:00.2", "2"), of("arca", "09:30:09", "9")});
  x.events(at("09:30:01.8"), {of("nyse", "09:30:01.7", "3")});
  CAF_CHECK(x.rejected.empty());
  CAF_REQUIRE(!x.bars.empty());
  CAF_CHECK_EQUAL(told(x.bars.back()), "1/2/1/2/2/1.5/2");
}

CAF_TEST(a silent source does not hold back another) {
  run x{every_second()};
  x.events(at("09:30:00.1"), {of("arca", "09:30:00.1", "9"), of("nyse", "09:30:00.1", "1")});
  x.events(at("09:30:01.6"), {of("nyse", "09:30:01.5", "2")});
  CAF_REQUIRE_EQUAL(x.bars.size(), 1u);
  CAF_CHECK_EQUAL(x.bars[0].provider, "nyse");
}

CAF_TEST(the passing of time closes what a source has left open) {
  run x{every_second()};
  x.events(at("09:30:00.5"), {of("nyse", "09:30:00.4", "1")});
  x.clock(at("09:30:01.6"));         // idle, but its end and the time-out are not past
  x.clock(at("09:30:02.099999999")); // in its own time, which is a tenth behind, neither
  CAF_CHECK(x.bars.empty());
  CAF_CHECK(x.stage.has_open_windows());
  x.clock(at("09:30:02.1"));
  CAF_CHECK_EQUAL(x.bars.size(), 1u);
  CAF_CHECK(!x.stage.has_open_windows());
}

CAF_TEST(a source ahead of the log is not closed before the log has come there) {
  run x{every_second()};
  x.events(at("09:30:00"), {of("nyse", "09:30:00.9", "1")});
  x.clock(at("09:30:01.999999999"));
  CAF_CHECK(x.bars.empty());
  x.clock(at("09:30:02"));
  CAF_CHECK_EQUAL(x.bars.size(), 1u);
}

CAF_TEST(recorded events close in their own time) {
  run x{every_second()};
  x.events(at("12:00:00", "2026-03-01"), {of("nyse", "09:30:00.4", "1")});
  x.clock(at("12:00:01.599999999", "2026-03-01"));
  CAF_CHECK(x.bars.empty());
  x.clock(at("12:00:01.6", "2026-03-01"));
  CAF_CHECK_EQUAL(x.bars.size(), 1u);
}

CAF_TEST(recorded data may pause without losing what follows) {
  bar_rules rules;
  run x{rules};
  x.events(at("12:00:00", "2026-03-01"), {of("nyse", "09:30:10", "1")});
  x.clock(at("12:00:05", "2026-03-01"));
  x.events(at("12:00:05", "2026-03-01"), {of("nyse", "09:30:14.1", "2")});
  CAF_CHECK(x.rejected.empty());
  x.clock(at("12:10:00", "2026-03-01"));
  CAF_CHECK_EQUAL(told(x.bars_of(60 * second).at(0)), "1/2/1/2/2/1.5/2");
}

CAF_TEST(what a feed says for itself holds for every provider of its events) {
  run x{every_second()};
  auto by = [](const std::string& when, std::vector<happening> events, const std::string& feed) {
    return step{at(when), std::move(events), {}, {}, feed};
  };
  x.take(by("09:30:00", {of("a", "09:30:00", "1"), of("b", "09:30:00", "1")}, "many"));
  x.take(by("09:30:00", {of("other", "09:30:00", "1")}, "other"));
  x.take(said(at("09:30:00.1"), source_change::heartbeat, at("09:30:01.5"), {}, false, "many", "many"));
  CAF_REQUIRE_EQUAL(x.bars.size(), 2u);
  CAF_CHECK_EQUAL(x.bars[0].provider + x.bars[1].provider, "ab");
  x.stop_and_load();
  x.take(by("09:30:00.2", {of("a", "09:30:01.9", "1")}, "many"));
  x.take(said(at("09:30:00.2"), source_change::eof, {}, {}, false, "many", "many"));
  CAF_REQUIRE_EQUAL(x.bars.size(), 3u);
  CAF_CHECK_EQUAL(x.bars[2].provider, "a");
  // One provider's word holds for it alone.
  x.take(by("09:30:00.2", {of("a", "09:30:02", "1"), of("b", "09:30:02", "1")}, "many"));
  x.take(said(at("09:30:00.3"), source_change::eof, {}, {}, false, "b", "many"));
  CAF_REQUIRE_EQUAL(x.bars.size(), 4u);
  CAF_CHECK_EQUAL(x.bars[3].provider, "b");
}

CAF_TEST(a heartbeat moves the watermark) {
  run x{every_second()};
  x.events(at("09:30:00.5"), {of("nyse", "09:30:00.4", "1")});
  x.take(said(at("09:30:00.6"), source_change::heartbeat, at("09:30:01.499999999")));
  CAF_CHECK(x.bars.empty());
  x.take(said(at("09:30:00.7"), source_change::heartbeat, at("09:30:01.5")));
  CAF_CHECK_EQUAL(x.bars.size(), 1u);
  x.events(at("09:30:00.8"), {of("nyse", "09:30:00.9", "2")});
  CAF_CHECK_EQUAL(x.rejected.size(), 1u);
}

CAF_TEST(a heartbeat without a time or before any event moves nothing) {
  run x{every_second()};
  x.take(said(at("09:30:00"), source_change::heartbeat, at("09:35:00")));
  x.events(at("09:30:00.5"), {of("nyse", "09:30:00.4", "1")});
  x.take(said(at("09:30:00.6"), source_change::heartbeat, earliest));
  CAF_CHECK(x.rejected.empty());
  CAF_CHECK(x.records.empty());
}

CAF_TEST(heartbeats without a time do not keep windows open) {
  run x{every_second()};
  x.events(at("09:30:00.5"), {of("nyse", "09:30:00.4", "1")});
  x.take(said(at("09:30:01.4"), source_change::heartbeat, earliest));
  CAF_CHECK(x.bars.empty());
  x.take(said(at("09:30:02.3"), source_change::heartbeat, earliest));
  CAF_CHECK_EQUAL(x.bars.size(), 1u);
}

CAF_TEST(the end of a source closes all it has open) {
  bar_rules rules;
  run x{rules};
  x.events(at("09:30:00.5"), {of("nyse", "09:30:00.4", "1"), of("nyse", "09:30:01.1", "2")});
  x.take(said(at("09:30:00.6"), source_change::eof));
  CAF_CHECK(!x.stage.has_open_windows());
  CAF_CHECK_EQUAL(x.bars.size(), 5u); // 2 of a second and 3 longer ones
}

CAF_TEST(a source that is being restarted is waited for and then no longer) {
  bar_rules rules = every_second();
  rules.clock.resume_grace = 10 * second;
  run x{rules};
  x.events(at("09:30:00.5"), {of("nyse", "09:30:00.4", "1")});
  x.take(said(at("09:30:01"), source_change::restarting));
  x.clock(at("09:30:10.999"));
  CAF_CHECK(x.bars.empty());
  run other = x;
  // It comes back in time and goes on where it stopped.
  other.events(at("09:30:10.999"), {of("nyse", "09:30:00.6", "2")});
  CAF_CHECK(other.rejected.empty());
  other.clock(at("09:30:13"));
  CAF_CHECK_EQUAL(told(other.bars.at(0)), "1/2/1/2/2/1.5/2");
  // It does not.
  x.clock(at("09:30:11"));
  CAF_CHECK_EQUAL(x.bars.size(), 1u);
  x.events(at("09:30:11.1"), {of("nyse", "09:30:00.6", "2")});
  CAF_CHECK_EQUAL(x.rejected.size(), 1u);
}

CAF_TEST(after a start of the node its sources are waited for) {
  run x{every_second()};
  x.events(at("09:30:00.5"), {of("nyse", "09:30:00.4", "1")});
  x.take({at("09:45:00"), {}, {}, every_second(), {}});
  x.clock(at("09:45:09.999"));
  CAF_CHECK(x.bars.empty());
  x.events(at("09:45:09.999"), {of("nyse", "09:30:00.6", "2")});
  CAF_CHECK(x.rejected.empty());
  x.clock(at("09:45:12"));
  CAF_CHECK_EQUAL(x.bars.size(), 1u);
}

CAF_TEST(a source that says hello is waited for) {
  run x{every_second()};
  x.events(at("09:30:00.5"), {of("nyse", "09:30:00.4", "1")});
  x.take(said(at("09:30:01"), source_change::down));
  x.take(said(at("09:30:01.2"), source_change::up, {}, {}, true));
  x.clock(at("09:30:11.1"));
  CAF_CHECK(x.bars.empty());
  x.clock(at("09:30:11.2"));
  CAF_CHECK_EQUAL(x.bars.size(), 1u);
}

CAF_TEST(a source set goes at the pace of its slowest member) {
  run x{every_second()};
  x.events(at("09:30:00.5"), {of("left", "09:30:00.4", "1"), of("right", "09:30:00.4", "2")});
  x.events(at("09:30:00.6"), {of("left", "09:30:03", "3")});
  CAF_CHECK(x.bars.empty());
  x.events(at("09:30:00.7"), {of("right", "09:30:00.9", "4")});
  CAF_CHECK(x.rejected.empty());
  x.events(at("09:30:00.8"), {of("right", "09:30:01.5", "5")});
  CAF_REQUIRE_EQUAL(x.bars.size(), 1u);
  CAF_CHECK_EQUAL(x.bars[0].provider, "pair");
  CAF_CHECK_EQUAL(told(x.bars[0]), "1/4/1/4/3/2.333333333/3");
}

CAF_TEST(at the same time the first member of a set comes first) {
  run x{every_second()};
  x.events(at("09:30:00.5"), {of("right", "09:30:00.1", "1", 1), of("left", "09:30:00.1", "2", 9),
                              of("right", "09:30:00.3", "3", 1), of("left", "09:30:00.3", "4", 1)});
  x.clock(at("09:31:00"));
  CAF_REQUIRE_EQUAL(x.bars.size(), 1u);
  CAF_CHECK_EQUAL(x.bars[0].open.units, units("2"));
  CAF_CHECK_EQUAL(x.bars[0].close.units, units("3"));
}

CAF_TEST(an idle member does not hold its set back) {
  run x{every_second()};
  x.events(at("09:30:00.5"), {of("left", "09:30:00.4", "1"), of("right", "09:30:00.4", "2")});
  x.events(at("09:30:01.4"), {of("left", "09:30:01.5", "3")});
  x.clock(at("09:30:01.5"));
  CAF_CHECK(x.bars.empty());
  x.clock(at("09:30:01.6")); // more than a second without a word of "right"
  CAF_REQUIRE_EQUAL(x.bars.size(), 1u);
  CAF_CHECK_EQUAL(told(x.bars[0]), "1/2/1/2/2/1.5/2");
}

CAF_TEST(a member that was never there does not hold its set back) {
  run x{every_second()};
  x.events(at("09:30:00.5"), {of("left", "09:30:00.4", "1"), of("left", "09:30:01.5", "3")});
  CAF_CHECK_EQUAL(x.bars.size(), 1u);
}

CAF_TEST(the end of one member closes nothing while the other goes on) {
  run x{every_second()};
  x.events(at("09:30:00.5"), {of("left", "09:30:00.4", "1"), of("right", "09:30:00.4", "2")});
  x.take(said(at("09:30:00.6"), source_change::eof, {}, {}, false, "left"));
  CAF_CHECK(x.bars.empty());
  x.events(at("09:30:00.7"), {of("right", "09:30:00.6", "3")});
  CAF_CHECK(x.rejected.empty());
}

CAF_TEST(a member that leaves or comes makes no gap while the other is there) {
  run x{every_second()};
  x.events(at("09:30:00"), {of("left", "09:30:00", "1"), of("right", "09:30:00", "2")});
  x.take(said(at("09:30:00.1"), source_change::down, {}, {}, false, "left"));
  x.events(at("09:30:00.5"), {of("right", "09:30:00.5", "3")});
  x.take(said(at("09:30:00.6"), source_change::up, {}, {}, false, "left"));
  x.clock(at("09:30:30"));
  CAF_REQUIRE_EQUAL(x.bars.size(), 1u);
  CAF_CHECK_EQUAL(x.bars[0].flags, 0u);
  CAF_CHECK_EQUAL(to_string(x.bars[0].coverage), "1");
}

CAF_TEST(a set whose members are all gone has a gap) {
  run x{every_second()};
  x.events(at("09:30:00"), {of("left", "09:30:00", "1"), of("right", "09:30:00.2", "2")});
  x.take(said(at("09:30:00.3"), source_change::down, {}, {}, false, "left"));
  x.take(said(at("09:30:00.4"), source_change::restarting, {}, {}, false, "right"));
  x.events(at("09:30:00.9"), {of("right", "09:30:00.7", "3")});
  x.clock(at("09:30:30"));
  CAF_CHECK_EQUAL(flags_to_string(x.bars.at(0).flags), "gap");
  CAF_CHECK_EQUAL(to_string(x.bars.at(0).coverage), "0.5");
}
