#define CAF_SUITE bars

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

// Events of one source, in one record, and then its end.
run closed(const std::vector<happening>& events, const bar_rules& rules = every_second()) {
  run x{rules};
  x.events(events.back().src_ts, events);
  x.take(said(events.back().src_ts, source_change::eof));
  return x;
}

constexpr auto most = std::numeric_limits<std::int64_t>::max();

} // namespace

CAF_TEST(a bar has the first and the highest and the lowest and the last price of its window) {
  auto x = closed({trade(at("09:30:00.1"), "10", "1"), trade(at("09:30:00.2"), "12.5", "2"),
                   trade(at("09:30:00.3"), "9", "3"), trade(at("09:30:00.4"), "11", "4")});
  CAF_REQUIRE_EQUAL(x.bars.size(), 1u);
  // vwap: (10 * 1 + 12.5 * 2 + 9 * 3 + 11 * 4) / 10
  CAF_CHECK_EQUAL(told(x.bars[0]), "10/12.5/9/11/10/10.6/4");
  CAF_CHECK_EQUAL(to_string(x.bars[0].start), "2026-01-05T09:30:00Z");
  CAF_CHECK_EQUAL(to_string(x.bars[0].end), "2026-01-05T09:30:01Z");
  CAF_CHECK(x.bars[0].first_ts == at("09:30:00.1"));
  CAF_CHECK(x.bars[0].last_ts == at("09:30:00.4"));
  CAF_CHECK_EQUAL(x.bars[0].first_offset, 0u);
  CAF_CHECK_EQUAL(x.bars[0].last_offset, 3u);
}

CAF_TEST(a tick exactly on the end belongs to the next bar) {
  auto x = closed(
    {trade(at("09:30:00"), "1", "1"), trade(at("09:30:00.999999999"), "2", "1"), trade(at("09:30:01"), "3", "1")});
  CAF_REQUIRE_EQUAL(x.bars.size(), 2u);
  CAF_CHECK_EQUAL(told(x.bars[0]), "1/2/1/2/2/1.5/2");
  CAF_CHECK_EQUAL(told(x.bars[1]), "3/3/3/3/1/3/1");
}

CAF_TEST(equal times are ordered by seq and then by place in the log) {
  auto when = at("09:30:00.5");
  auto x =
    closed({trade(when, "3", "1", 7), trade(when, "1", "1", 5), trade(when, "2", "1", 5), trade(when, "4", "1", 7)});
  CAF_REQUIRE_EQUAL(x.bars.size(), 1u);
  CAF_CHECK_EQUAL(told(x.bars[0]), "1/4/1/4/4/2.5/4");
}

CAF_TEST(the average price is rounded half to even at the ninth decimal) {
  auto average = [](const char* a, const char* b) {
    auto x = closed({trade(at("09:30:00.1"), a, "1"), trade(at("09:30:00.2"), b, "1")});
    return to_string(*x.bars.at(0).vwap);
  };
  CAF_CHECK_EQUAL(average("0.000000001", "0.000000002"), "0.000000002");    // 1.5
  CAF_CHECK_EQUAL(average("0.000000002", "0.000000003"), "0.000000002");    // 2.5
  CAF_CHECK_EQUAL(average("-0.000000001", "-0.000000002"), "-0.000000002"); // -1.5
  CAF_CHECK_EQUAL(average("-0.000000002", "-0.000000003"), "-0.000000002"); // -2.5
  CAF_CHECK_EQUAL(average("-0.000000001", "0"), "0");                       // -0.5
}

CAF_TEST(without volume there is no average price) {
  auto x = closed({trade(at("09:30:00.1"), "10", "0"), trade(at("09:30:00.2"), "11", "0")});
  CAF_REQUIRE_EQUAL(x.bars.size(), 1u);
  CAF_CHECK_EQUAL(told(x.bars[0]), "10/11/10/11/0/null/2");
}

CAF_TEST(prices may be negative) {
  auto x = closed({trade(at("14:30:00.1"), "-37.63", "2"), trade(at("14:30:00.2"), "-40.32", "1"),
                   trade(at("14:30:00.3"), "10", "3")});
  // (-37.63 * 2 - 40.32 + 30) / 6 = -85.58 / 6
  CAF_CHECK_EQUAL(told(x.bars.at(0)), "-37.63/10/-40.32/10/6/-14.263333333/3");
}

CAF_TEST(windows before 1970 are aligned as later ones are) {
  bar_rules rules;
  rules.intervals = {second, 60 * second};
  auto x =
    closed({trade(at("23:59:58.25", "1969-12-31"), "1", "1"), trade(at("23:59:59.999999999", "1969-12-31"), "2", "1"),
            trade(at("00:00:00", "1970-01-01"), "3", "1")},
           rules);
  auto seconds = x.bars_of(second), minutes = x.bars_of(60 * second);
  CAF_REQUIRE_EQUAL(seconds.size(), 3u);
  CAF_REQUIRE_EQUAL(minutes.size(), 2u);
  CAF_CHECK_EQUAL(to_string(seconds[0].start), "1969-12-31T23:59:58Z");
  CAF_CHECK_EQUAL(to_string(seconds[1].start), "1969-12-31T23:59:59Z");
  CAF_CHECK_EQUAL(to_string(seconds[2].start), "1970-01-01T00:00:00Z");
  CAF_CHECK_EQUAL(to_string(minutes[0].start), "1969-12-31T23:59:00Z");
  CAF_CHECK_EQUAL(minutes[0].trades, 2u);
}

CAF_TEST(a quote makes a bar of bids and a bar of asks) {
  auto x =
    closed({quote(at("09:30:00.1"), "10", "10.02", "5", "7"), quote(at("09:30:00.2"), "10.01", "10.01", "1", "1")});
  CAF_REQUIRE_EQUAL(x.bars.size(), 2u);
  CAF_CHECK_EQUAL(x.bars[0].symbol, "SPY.ASK");
  CAF_CHECK_EQUAL(told(x.bars[0]), "10.02/10.02/10.01/10.01/8/10.01875/2");
  CAF_CHECK_EQUAL(x.bars[1].symbol, "SPY.BID");
  // (10 * 5 + 10.01) / 6 = 10.001666666...
  CAF_CHECK_EQUAL(told(x.bars[1]), "10/10.01/10/10.01/6/10.001666667/2");
}

CAF_TEST(a bar of a feed adds its own open and high and low and close) {
  happening one{"nyse",
                "SPY",
                event_kind::bar,
                at("09:30:00"),
                0,
                {units("10"), units("15"), units("8"), units("11"), units("100")},
                "1s"};
  happening two{
    "nyse", "SPY", event_kind::bar, at("09:30:01"), 0, {units("11"), units("12"), units("7"), units("9"), units("300")},
    "1s"};
  bar_rules rules;
  rules.intervals = {2 * second};
  auto x = closed({one, two}, rules);
  CAF_CHECK_EQUAL(told(x.bars.at(0)), "10/15/7/9/400/9.5/2");
}

CAF_TEST(two providers of one symbol make two series) {
  run x{every_second()};
  x.events(at("09:30:00.2"),
           {trade(at("09:30:00.1"), "10", "1"), trade(at("09:30:00.1"), "20", "1", 0, "SPY", "arca")});
  x.clock(at("09:31:00"));
  CAF_REQUIRE_EQUAL(x.bars.size(), 2u);
  CAF_CHECK_EQUAL(x.bars[0].provider + " " + x.bars[1].provider, "arca nyse"); // by name
}

CAF_TEST(what closes together leaves in order of end then interval then name) {
  bar_rules rules;
  rules.intervals = {second, 2 * second};
  auto x = closed({trade(at("09:30:01.1"), "1", "1", 0, "Z"), trade(at("09:30:01.2"), "1", "1", 0, "A"),
                   trade(at("09:30:00.3"), "1", "1", 0, "M")},
                  rules);
  std::string order;
  for (auto& b : x.bars) order += b.symbol + std::to_string(b.interval / second) + " ";
  CAF_CHECK_EQUAL(order, "M1 A1 Z1 A2 M2 Z2 ");
}

CAF_TEST(a bar carries the schema and the settings it was made with) {
  auto rules = every_second();
  rules.schema = 11, rules.config_hash = 22;
  auto x = closed({trade(at("09:30:00"), "1", "1")}, rules);
  CAF_CHECK_EQUAL(x.bars.at(0).schema, 11u);
  CAF_CHECK_EQUAL(x.bars.at(0).config_hash, 22u);
  CAF_CHECK(x.bars.at(0).state == bar_state::final_bar);
  CAF_CHECK_EQUAL(x.bars.at(0).revision, 0u);
}

CAF_TEST(a volume that does not fit makes a dead letter and no bar) {
  bar_rules rules;
  rules.intervals = {second, 60 * second};
  auto half = to_string(quantity{{most / 2 + 1}});
  auto x = closed(
    {trade(at("09:30:00.1"), "1", half), trade(at("09:30:00.2"), "1", half), trade(at("09:30:01.1"), "1", "1")}, rules);
  CAF_REQUIRE_EQUAL(x.bars.size(), 1u); // the second second
  CAF_CHECK(x.bars[0].start == at("09:30:01"));
  CAF_REQUIRE_EQUAL(x.rejected.size(), 2u); // of the first second, and of its minute
  for (auto& r : x.rejected) {
    CAF_CHECK(r.code == errc::overflow);
    CAF_CHECK_EQUAL(r.event.symbol, "SPY");
    CAF_CHECK(r.event.kind == event_kind::bar);
  }
  CAF_CHECK_EQUAL(x.rejected[0].event.interval, "1s");
  CAF_CHECK_EQUAL(x.rejected[1].event.interval, "60s");
}

CAF_TEST(an event that would make the sums wrap is a dead letter and is not counted) {
  auto huge = to_string(quantity{{most}});
  run x{every_second()};
  x.events(at("09:30:00.5"), {trade(at("09:30:00.1"), huge, huge), trade(at("09:30:00.2"), huge, huge),
                              trade(at("09:30:00.3"), huge, huge)});
  CAF_REQUIRE_EQUAL(x.rejected.size(), 1u);
  CAF_CHECK(x.rejected[0].code == errc::overflow);
  CAF_CHECK_EQUAL(x.rejected[0].offset, 2u);
  CAF_CHECK_EQUAL(x.stage.events(), 2u);
}

CAF_TEST(a quote counts in both of its bars or in none) {
  auto huge = to_string(quantity{{most}});
  run x{every_second()};
  auto when = at("09:30:00.1");
  x.events(when,
           {quote(when, "1", huge, "1", huge), quote(when, "1", huge, "1", huge), quote(when, "1", huge, "1", huge)});
  CAF_CHECK_EQUAL(x.rejected.size(), 1u);
  x.take(said(when, source_change::eof));
  // The asks do not fit; the bids are those of two quotes.
  CAF_REQUIRE_EQUAL(x.bars.size(), 1u);
  CAF_CHECK_EQUAL(told(x.bars[0]), "1/1/1/1/2/1/2");
}
