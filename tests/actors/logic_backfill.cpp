#define CAF_SUITE backfill

#include "actors/logic/backfill_bars.hpp"
#include "tests/support/naive_bars.hpp"
#include "tests/support/rules.hpp"
#include "tests/support/suite.hpp"

#include <random>

using namespace finstream;
using namespace finstream::test;

namespace {

bar_rules rules_of(std::vector<nanoseconds> intervals = {second, 2 * second, 5 * second, 60 * second}) {
  bar_rules x;
  x.intervals = std::move(intervals);
  x.sets = {{"both", {"nyse", "arca"}}};
  return x;
}

// Some minutes of two providers of one set and one of its own; many events share their time.
std::vector<happening> a_while(std::mt19937& chance, int events) {
  std::vector<happening> out;
  auto pick = [&](int n) { return static_cast<int>(chance() % static_cast<unsigned>(n)); };
  for (int i = 0; i < events; ++i) {
    auto when = at("09:30:00") + pick(240) * second + pick(3) * 333 * millisecond;
    auto price = std::to_string(90 + pick(20)), size = std::to_string(1 + pick(5));
    const char* providers[] = {"nyse", "arca", "lone"};
    if (pick(8) == 0)
      out.push_back(quote(when, price, std::to_string(120 + pick(3)), size, size)), out.back().seq = i;
    else
      out.push_back(trade(when, price, size, i, pick(2) == 0 ? "SPY" : "QQQ", providers[pick(3)]));
  }
  return out;
}

gathered_events gathered(const std::vector<happening>& events, std::uint64_t first_offset = 0) {
  gathered_events out;
  auto batch = make_batch(events);
  for (auto& row : batch.rows) out.add(batch, row, first_offset++);
  out.put_in_order();
  return out;
}

// What says nothing of how it came about.
std::string content(const bar& x) {
  return to_string(x.start) + " " + span_to_string(x.interval) + " " + x.provider + "/" + x.symbol + " " + told(x) +
         " " + to_string(x.first_ts) + " " + to_string(x.last_ts);
}

using last_bars = std::map<window_name, bar>;

std::vector<std::string> contents(const last_bars& bars) {
  std::vector<std::string> out;
  for (auto& [name, x] : bars) out.push_back(content(x));
  return out;
}

// All of them live, in order, as a feed that then says it is done.
last_bars all_live(const bar_rules& rules, std::vector<happening> events) {
  std::stable_sort(events.begin(), events.end(), [](auto& a, auto& b) { return a.src_ts < b.src_ts; });
  run live{rules};
  for (auto& x : events) live.events(x.src_ts, {x});
  if (!events.empty()) live.clock(events.back().src_ts + 600 * second);
  last_bars out;
  for (auto& x : live.bars) out.insert_or_assign(window_of(x), x);
  return out;
}

// A backfill of some more: the windows they touch are made again from all events, as the lane does it.
int heal(last_bars& bars, const bar_rules& rules, std::vector<happening>& known, const std::vector<happening>& more) {
  std::set<window_name> touched;
  auto batch = make_batch(more);
  for (auto& row : batch.rows) touch(touched, rules, (*batch.keys)[row.key], row);
  known.insert(known.end(), more.begin(), more.end());
  stretches times;
  for (auto& x : touched) times.add(x.start, x.end());
  gathered_events events;
  auto all = make_batch(known);
  for (std::size_t i = 0; i < all.rows.size(); ++i)
    if (times.holds(all.rows[i].src_ts)) events.add(all, all.rows[i], i);
  events.put_in_order();
  auto changed = 0;
  for (auto& made : events.bars(rules)) {
    auto name = window_of(made);
    if (!touched.contains(name)) continue;
    auto published = bars.contains(name) ? std::optional{bars.at(name)} : std::nullopt;
    if (auto healed = healed_bar(made, published)) ++changed, bars.insert_or_assign(name, *healed);
  }
  return changed;
}

} // namespace

CAF_TEST(any split of events into live and backfilled gives the bars of all live) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    std::mt19937 chance{seed};
    auto rules = seed % 3 == 0 ? rules_of({4 * second, 10 * second}) : rules_of();
    auto events = a_while(chance, 200);
    std::vector<happening> live;
    std::vector<std::vector<happening>> later(1 + chance() % 5);
    for (auto& x : events) {
      auto where = chance() % (later.size() + 1);
      (where == later.size() ? live : later[where]).push_back(x);
    }
    auto bars = all_live(rules, live);
    for (auto& more : later) heal(bars, rules, live, more);
    auto expected = contents(all_live(rules, events));
    CAF_MESSAGE("seed " << seed);
    CAF_REQUIRE(contents(bars) == expected);
    // Again: what is known changes nothing, whatever the order.
    for (auto& more : later) CAF_REQUIRE_EQUAL(heal(bars, rules, live, more), 0);
  }
}

CAF_TEST(a window that is made again is what the plain way gives) {
  std::mt19937 chance{7};
  auto rules = rules_of();
  auto events = a_while(chance, 500);
  run live{rules};
  for (auto& x : events) live.offered.emplace_back(x, live.next_offset++);
  auto made = plain(gathered(events).bars(rules));
  auto naive = plain(naive_bars(rules, live.counted()));
  CAF_REQUIRE_EQUAL(made.size(), naive.size());
  for (std::size_t i = 0; i < made.size(); ++i) CAF_REQUIRE_EQUAL(content(made[i]), content(naive[i]));
}

CAF_TEST(an event that is in the log twice counts once and as it was first) {
  auto first = trade(at("09:30:00.1"), "10", "1", 4), second_one = trade(at("09:30:00.1"), "99", "1", 4);
  auto events = gathered({first, trade(at("09:30:00.5"), "11", "2", 5), second_one}, 70);
  CAF_CHECK_EQUAL(events.size(), 2u);
  CAF_CHECK_EQUAL(events.find({"nyse", "SPY"}, first.src_ts, 4).value_or(0), 70u);
  CAF_CHECK(!events.find({"nyse", "SPY"}, first.src_ts, 5));
  CAF_CHECK(!events.find({"arca", "SPY"}, first.src_ts, 4));
  auto bars = events.bars(rules_of({second}));
  CAF_REQUIRE_EQUAL(bars.size(), 1u);
  CAF_CHECK_EQUAL(told(bars[0]), "10/11/10/11/3/10.666666667/2");
}

CAF_TEST(a bar that says the same is not revised and one that does not is one higher) {
  auto made = gathered({trade(at("09:30:00.1"), "10", "1", 1)}).bars(rules_of({second})).at(0);
  CAF_CHECK(!healed_bar(made, made));
  auto fresh = healed_bar(made, {});
  CAF_REQUIRE(fresh);
  CAF_CHECK_EQUAL(fresh->revision, 0u);
  CAF_CHECK(fresh->state == bar_state::final_bar);
  CAF_CHECK_EQUAL(flags_to_string(fresh->flags), "backfilled");
  CAF_CHECK_EQUAL(to_string(fresh->coverage), "0");
  auto published = made;
  published.close.units += 1;
  published.revision = 2;
  published.flags = gap;
  auto healed = healed_bar(made, published);
  CAF_CHECK_EQUAL(healed->revision, 3u);
  CAF_CHECK(healed->state == bar_state::revised);
  CAF_CHECK_EQUAL(flags_to_string(healed->flags), "gap backfilled");
  CAF_CHECK_EQUAL(healed->coverage, published.coverage);
  published.trades = 2;
  CAF_CHECK(lacks_events(made, published));
}

CAF_TEST(stretches join where they meet) {
  stretches x;
  auto t = [](std::int64_t n) { return timestamp{n * second}; };
  x.add(t(10), t(20)), x.add(t(30), t(40));
  CAF_CHECK(x.holds(t(10)) && !x.holds(t(20)) && !x.holds(t(25)) && x.holds(t(30)));
  CAF_CHECK(x.meets(t(20), t(30)) && !x.meets(t(20), t(29)) && x.meets(t(0), t(10)) && !x.meets(t(0), t(9)));
  CAF_CHECK(x.covers(t(10), t(20)) && !x.covers(t(10), t(21)) && !x.covers(t(5), t(15)) && !x.covers(t(10), t(40)));
  x.add(t(20), t(30));
  CAF_CHECK(x.covers(t(10), t(40)) && !x.holds(t(40)));
  x.add(t(0), t(50));
  CAF_CHECK(x.covers(t(0), t(50)));
}

CAF_TEST(the live stage leaves what was backfilled of a source that it has never seen) {
  bar_stage stage{rules_of()};
  CAF_CHECK(stage.settled("lone").until == earliest);
  stage.on_backfill(make_batch({trade(at("09:30:10.5"), "10", "1", 1, "SPY", "lone")}));
  CAF_CHECK(stage.take_output().empty());
  CAF_CHECK(stage.settled("lone").until == at("09:30:11"));
  CAF_CHECK(stage.settled("lone").at_rest);
  // What it sends of that time is late, for others have made bars of it.
  stage.on_events(0, at("10:00:00"), make_batch({trade(at("09:30:10.9"), "10", "1", 2, "SPY", "lone")}));
  auto output = stage.take_output();
  CAF_REQUIRE_EQUAL(output.rejected.size(), 1u);
  CAF_CHECK(output.rejected[0].code == errc::late);
  stage.on_events(1, at("10:00:01"), make_batch({trade(at("09:30:11"), "10", "1", 3, "SPY", "lone")}));
  CAF_CHECK(stage.take_output().rejected.empty());
  CAF_CHECK(!stage.settled("lone").at_rest);
  // Once it has been heard, a backfill moves nothing.
  stage.on_backfill(make_batch({trade(at("09:45:00"), "10", "1", 4, "SPY", "lone")}));
  CAF_CHECK(stage.settled("lone").until == at("09:30:11"));
}

CAF_TEST(with revisions a window is settled when no late event can revise it any more) {
  auto rules = rules_of();
  rules.revise_for = 10 * second;
  bar_stage stage{rules};
  stage.on_events(0, at("09:31:00"), make_batch({trade(at("09:30:59.9"), "10", "1", 1, "SPY", "lone")}));
  CAF_CHECK(stage.settled("lone").until == at("09:30:49"));
  auto again = bar_stage::load(stage.save());
  CAF_REQUIRE(again);
  CAF_CHECK(again->settled("lone").until == at("09:30:49"));
}

CAF_TEST(of a window that is taken over nothing is published until it is settled) {
  auto rules = rules_of({second});
  rules.revise_for = 10 * second;
  bar_stage stage{rules};
  auto live = [&](std::uint64_t offset, timestamp src_ts) {
    stage.on_events(offset, src_ts, make_batch({trade(src_ts, "10", "1", 1, "SPY", "lone")}));
    std::vector<bar> out;
    for (auto& item : stage.take_output().records)
      if (auto* made = std::get_if<bar>(&item)) out.push_back(*made);
    return out;
  };
  auto withheld = [&](const window_name& x) { return stage.withheld(x) ? stage.withheld(x)->count : 99; };
  window_name closed{at("09:30:10"), second, "lone", "SPY"}, to_come{at("09:30:20"), second, "lone", "SPY"};
  live(0, at("09:30:10.5"));
  stage.on_taken_over({{closed, to_come}});
  CAF_CHECK(!stage.withheld(closed)); // while one is open they stay
  CAF_CHECK_EQUAL(live(1, at("09:30:12.1")).size(), 1u);
  stage.on_clock(at("09:30:13.5") + rules.clock.flush_timeout);
  stage.take_output();
  CAF_REQUIRE(stage.settled("lone").at_rest);
  stage.on_taken_over(
    {{closed, to_come, {at("09:29:00"), second, "lone", "SPY"}, {to_come.start, second, "other", "SPY"}}});
  CAF_CHECK_EQUAL(withheld(closed), 0u);
  CAF_CHECK_EQUAL(withheld(to_come), 0u);
  CAF_CHECK(!stage.withheld({at("09:29:00"), second, "lone", "SPY"})); // it is settled already
  auto again = bar_stage::load(stage.save());
  CAF_REQUIRE(again);
  stage = std::move(*again);
  // What comes late to the one and in time to the other is in no bar of this stage's.
  CAF_CHECK(live(2, at("09:30:10.6")).empty());
  CAF_CHECK_EQUAL(withheld(closed), 1u);
  live(3, at("09:30:20.5"));
  for (auto& made : live(4, at("09:30:22.5"))) CAF_CHECK(made.start != to_come.start);
  CAF_CHECK_EQUAL(withheld(to_come), 1u);
  CAF_CHECK_EQUAL(stage.events(), 5u);
  CAF_CHECK_EQUAL(to_string(stage.withheld(to_come)->coverage), "1"); // it was seen live
  live(5, at("09:30:40"));
  CAF_CHECK(!stage.withheld(closed) && !stage.withheld(to_come));
}

CAF_TEST(windows taken over of a source that is never live are let go by the next backfill) {
  bar_stage stage{rules_of()};
  auto bytes = stage.save().size();
  for (int day = 0; day < 5; ++day) {
    auto when = at("09:30:10.5") + day * 3600 * second;
    stage.on_backfill(make_batch({trade(when, "10", "1", 1, "SPY", "lone")}));
    window_name minute{floor_to(when, 60 * second), 60 * second, "lone", "SPY"};
    stage.on_taken_over({{minute}});
    CAF_CHECK(stage.withheld(minute) != nullptr);
    if (day > 0) CAF_CHECK_EQUAL(stage.save().size(), bytes);
    bytes = stage.save().size();
  }
}
