// What is said about intervals without bars, and about the part of a bar's window of which nothing is known.
#define CAF_SUITE bars_silence

#include "tests/support/market.hpp"
#include "tests/support/suite.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

bar_rules every_second() {
  bar_rules rules;
  rules.intervals = {second};
  return rules;
}
run running() { return run{every_second()}; }

happening tick(const std::string& when) { return trade(at(when), "1", "1"); }
std::string coverage(const bar& x) { return to_string(x.coverage) + " " + flags_to_string(x.flags); }

} // namespace

CAF_TEST(each interval ends once and a silent stretch is said as it is passed) {
  auto x = running();
  x.events(at("09:30:00"), {tick("09:30:00"), tick("09:30:01"), tick("09:30:05"), tick("09:30:06"), tick("09:30:07")});
  // The event of 09:30:05 moves the watermark to 09:30:04.5, that of 09:30:06 to 09:30:05.5, that of 09:30:07 to
  // 09:30:06.5.
  CAF_CHECK_EQUAL(told(x.ends), "09:30:00-09:30:01 closed; 09:30:01-09:30:02 closed; 09:30:02-09:30:04 no_trades; "
                                "09:30:04-09:30:05 no_trades; 09:30:05-09:30:06 closed");
}

CAF_TEST(an idle source is silent as far as its own time has come) {
  auto x = running();
  x.events(at("09:30:00.2"), {tick("09:30:00.1")});
  x.clock(at("09:30:05.2")); // its time would be 09:30:05.1, less a second
  CAF_CHECK_EQUAL(told(x.ends), "09:30:00-09:30:01 closed; 09:30:01-09:30:04 no_trades");
  x.clock(at("09:30:05.3"));
  x.clock(at("09:30:07.2"));
  CAF_CHECK_EQUAL(told(x.ends), "09:30:00-09:30:01 closed; 09:30:01-09:30:04 no_trades; 09:30:04-09:30:06 no_trades");
}

CAF_TEST(recorded data is not declared silent until today) {
  auto x = running();
  x.events(at("12:00:00", "2026-03-01"), {tick("09:30:00.1")});
  x.clock(at("12:00:10", "2026-03-01"));
  CAF_CHECK_EQUAL(told(x.ends), "09:30:00-09:30:01 closed; 09:30:01-09:30:09 no_trades");
}

CAF_TEST(silence of a source that is down is called by its name) {
  auto x = running();
  x.events(at("09:30:00.2"), {tick("09:30:00.1")});
  x.take(said(at("09:30:00.3"), source_change::down));
  x.clock(at("09:30:05.2"));
  CAF_CHECK_EQUAL(told(x.ends), "09:30:00-09:30:01 closed; 09:30:01-09:30:04 feed_down");
}

CAF_TEST(silence that is said only when a source is back is still that of a source that was down) {
  auto x = running();
  x.events(at("09:30:00.2"), {tick("09:30:00.1"), tick("09:30:01.5")});
  x.take(said(at("09:30:02"), source_change::down));
  x.take(said(at("09:30:20"), source_change::up));
  x.events(at("09:30:20.2"), {tick("09:30:20.1"), tick("09:30:24"), tick("09:30:25.5")});
  CAF_CHECK_EQUAL(
    told(x.ends),
    "09:30:00-09:30:01 closed; 09:30:01-09:30:02 closed; 09:30:02-09:30:19 feed_down; 09:30:19-09:30:20 feed_down; "
    "09:30:20-09:30:21 closed; 09:30:21-09:30:23 no_trades; 09:30:23-09:30:24 no_trades; 09:30:24-09:30:25 closed");
}

CAF_TEST(the silent part of a stretch and the part in which the source was down are told apart) {
  auto x = running();
  x.events(at("09:30:00.2"), {tick("09:30:00.1")});
  x.take(said(at("09:30:01"), source_change::gap, at("09:30:05.5"), at("09:30:03.5")));
  x.events(at("09:30:10.2"), {tick("09:30:10.1"), tick("09:30:11.5")});
  CAF_CHECK_EQUAL(told(x.ends), "09:30:00-09:30:01 closed; 09:30:01-09:30:03 no_trades; 09:30:03-09:30:06 feed_down; "
                                "09:30:06-09:30:09 no_trades; 09:30:09-09:30:10 no_trades; 09:30:10-09:30:11 closed");
}

CAF_TEST(a heartbeat ends the time in which nothing was known) {
  auto x = running();
  x.events(at("09:30:00.2"), {tick("09:30:00.1")});
  x.take(said(at("09:30:00.5"), source_change::down));
  x.take(said(at("09:30:03"), source_change::up));
  x.take(said(at("09:30:03.1"), source_change::heartbeat, at("09:30:03")));
  x.take(said(at("09:30:06.6"), source_change::heartbeat, at("09:30:06.5")));
  CAF_CHECK_EQUAL(
    told(x.ends),
    "09:30:00-09:30:01 closed; 09:30:01-09:30:02 feed_down; 09:30:02-09:30:03 feed_down; 09:30:03-09:30:06 no_trades");
}

CAF_TEST(after its end a source that goes on is silent only once) {
  bar_rules rules;
  rules.intervals = {second, 60 * second};
  run x{rules};
  x.events(at("09:30:00.2"), {tick("09:30:00.1")});
  x.take(said(at("09:30:00.3"), source_change::eof));
  x.events(at("09:30:00.4"), {tick("09:31:02.1"), tick("09:31:04")});
  CAF_CHECK_EQUAL(
    told(x.ends_of(second)),
    "09:30:00-09:30:01 closed; 09:30:01-09:31:01 no_trades; 09:31:01-09:31:02 no_trades; 09:31:02-09:31:03 closed");
  CAF_CHECK_EQUAL(told(x.ends_of(60 * second)), "09:30:00-09:31:00 closed");
}

CAF_TEST(a whole window has whole coverage and no flag) {
  auto x = running();
  x.events(at("09:30:00"), {tick("09:30:00"), tick("09:30:01.2"), tick("09:30:03")});
  CAF_CHECK_EQUAL(coverage(x.bars.at(0)), "1 ");
  CAF_CHECK_EQUAL(coverage(x.bars.at(1)), "1 ");
}

CAF_TEST(the window in which a source is first seen is a part) {
  auto x = running();
  x.events(at("09:30:00"), {tick("09:30:00.25"), tick("09:30:01.2"), tick("09:30:03")});
  CAF_CHECK_EQUAL(coverage(x.bars.at(0)), "0.75 partial_start");
  CAF_CHECK_EQUAL(coverage(x.bars.at(1)), "1 ");
}

CAF_TEST(a gap takes its share of the windows it touches) {
  auto x = running();
  x.events(at("09:30:00"), {tick("09:30:00")});
  x.take(said(at("09:30:00"), source_change::gap, at("09:30:01.25"), at("09:30:00.6")));
  x.events(at("09:30:00"), {tick("09:30:01.3"), tick("09:30:02"), tick("09:30:04")});
  CAF_CHECK_EQUAL(coverage(x.bars.at(0)), "0.6 gap");
  CAF_CHECK_EQUAL(coverage(x.bars.at(1)), "0.75 gap");
  CAF_CHECK_EQUAL(coverage(x.bars.at(2)), "1 ");
}

CAF_TEST(gaps that overlap are counted once) {
  auto x = running();
  x.events(at("09:30:00"), {tick("09:30:00")});
  for (auto [from, to] : {std::pair{"09:30:00.2", "09:30:00.4"},
                          {"09:30:00.3", "09:30:00.5"},
                          {"09:30:00.2", "09:30:00.5"},
                          {"09:30:00.8", "09:30:00.9"}})
    x.take(said(at("09:30:00"), source_change::gap, at(to), at(from)));
  x.events(at("09:30:00"), {tick("09:30:02")});
  CAF_CHECK_EQUAL(coverage(x.bars.at(0)), "0.6 gap");
}

CAF_TEST(a gap before a source was first seen is counted once) {
  auto x = running();
  x.take(said(at("09:30:00"), source_change::gap, at("09:30:00.4"), at("09:30:00.2")));
  x.events(at("09:30:00"), {tick("09:30:00.5"), tick("09:30:02")});
  CAF_CHECK_EQUAL(coverage(x.bars.at(0)), "0.5 partial_start gap");
}

CAF_TEST(a source that comes back elsewhere has a gap and one that goes on has none) {
  for (auto resumed : {false, true}) {
    auto x = running();
    x.events(at("09:30:00"), {tick("09:30:00"), tick("09:30:00.2")});
    x.take(said(at("09:30:00.3"), source_change::restarting));
    x.take(said(at("09:30:00.5"), source_change::up, {}, {}, resumed));
    x.events(at("09:30:00.6"), {tick("09:30:00.6"), tick("09:30:02")});
    CAF_CHECK_EQUAL(coverage(x.bars.at(0)), resumed ? "1 " : "0.6 gap");
  }
}

CAF_TEST(a window that closes while its source is gone has a gap to its end) {
  for (auto what : {source_change::down, source_change::restarting}) {
    auto x = running();
    x.events(at("09:30:00"), {tick("09:30:00"), tick("09:30:00.2")});
    x.take(said(at("09:30:00.3"), what));
    x.clock(at("09:30:20"));
    CAF_CHECK_EQUAL(coverage(x.bars.at(0)), "0.2 gap");
  }
}

CAF_TEST(a window that closes while the node waits for its source has a gap to its end) {
  auto x = running();
  x.events(at("09:30:00"), {tick("09:30:00"), tick("09:30:00.2")});
  x.take({at("09:30:00.3"), {}, {}, every_second(), {}});
  x.clock(at("09:30:20"));
  CAF_CHECK_EQUAL(coverage(x.bars.at(0)), "0.2 gap");
}
