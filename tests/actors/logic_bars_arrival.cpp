// The order in which events come, and how they are grouped into records, is no part of a bar.
#define CAF_SUITE bars_arrival

#include "tests/support/arrival.hpp"
#include "tests/support/naive_bars.hpp"
#include "tests/support/suite.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

constexpr nanoseconds lateness = 500 * millisecond;

// One source without a pause: what it sends in the order in which it happened.
std::vector<happening> in_order(std::mt19937_64& random, std::size_t count) {
  std::vector<happening> out;
  auto now = at("09:29:57.3");
  for (std::size_t i = 0; i < count; ++i) {
    now = now + static_cast<nanoseconds>(random() % 60) * millisecond;
    out.push_back(random_event(random, "nyse", now, static_cast<std::int64_t>(i)));
    out.back().src_ts = now;
  }
  return out;
}

// Each event is held up by at most the lateness.
std::vector<happening> held_up(std::mt19937_64& random, const std::vector<happening>& events) {
  std::vector<std::pair<std::int64_t, std::size_t>> arrival;
  for (std::size_t i = 0; i < events.size(); ++i)
    arrival.emplace_back(events[i].src_ts.ns + static_cast<std::int64_t>(random() % lateness), i);
  std::sort(arrival.begin(), arrival.end());
  std::vector<happening> out;
  for (auto& a : arrival) out.push_back(events[a.second]);
  return out;
}

run fed(const bar_rules& rules, const std::vector<happening>& events, std::size_t per_record) {
  run x{rules};
  for (std::size_t i = 0; i < events.size(); i += per_record) {
    auto end = std::min(events.size(), i + per_record);
    x.events(at("09:40:00"),
             {events.begin() + static_cast<std::ptrdiff_t>(i), events.begin() + static_cast<std::ptrdiff_t>(end)});
  }
  x.take(said(at("09:40:00"), source_change::eof));
  return x;
}

bar_rules default_rules() {
  bar_rules rules;
  rules.clock.allow_late = lateness;
  return rules;
}

// Another order of arrival gives other offsets, which are in the bars.
std::vector<bar> without_offsets(std::vector<bar> bars) {
  for (auto& x : bars) x.first_offset = x.last_offset = 0;
  return bars;
}

} // namespace

CAF_TEST(any order of arrival inside the lateness gives the same bars and ends) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    std::mt19937_64 random{seed};
    auto events = in_order(random, 500);
    auto straight = fed(default_rules(), events, 50);
    CAF_CHECK(straight.rejected.empty());
    for (int i = 0; i < 3; ++i) {
      auto shuffled = fed(default_rules(), held_up(random, events), 1 + random() % 60);
      if (!shuffled.rejected.empty()) CAF_ERROR("seed " << seed << ": " << shuffled.rejected.size() << " rejected");
      if (without_offsets(shuffled.bars) != without_offsets(straight.bars))
        CAF_ERROR("seed " << seed << ": other bars");
      if (shuffled.ends != straight.ends) CAF_ERROR("seed " << seed << ": other ends of intervals");
    }
  }
}

CAF_TEST(how events are grouped into records makes no difference) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random{seed};
    auto events = held_up(random, in_order(random, 1500));
    auto one = fed(default_rules(), events, 1);
    for (std::size_t size : {7, 1000, 1500}) {
      auto many = fed(default_rules(), events, size);
      if (many.records != one.records)
        CAF_ERROR("seed " << seed << ": records of " << size << " events make a difference");
    }
    CAF_CHECK(!one.records.empty());
  }
}

CAF_TEST(how events of a source set are grouped makes no difference) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random{seed};
    auto rules = default_rules();
    rules.sets = {{"pair", {"left", "right"}}};
    auto events = held_up(random, in_order(random, 1500));
    for (auto& x : events) x.provider = random() % 3 == 0 ? "left" : "right";
    auto one = fed(rules, events, 1);
    for (std::size_t size : {7, 1000}) {
      auto many = fed(rules, events, size);
      if (many.records != one.records)
        CAF_ERROR("seed " << seed << ": records of " << size << " events make a difference");
    }
    CAF_CHECK(!one.records.empty());
  }
}

CAF_TEST(bars of several sources in one log are those of each source alone) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random{seed};
    std::vector<happening> both;
    auto nyse = in_order(random, 400), arca = in_order(random, 400);
    for (auto& x : arca) x.provider = "arca", x.src_ts = x.src_ts + 3600 * second; // an hour ahead
    for (std::size_t i = 0; i < nyse.size(); ++i) both.push_back(nyse[i]), both.push_back(arca[i]);
    run x{default_rules()}, a{default_rules()}, b{default_rules()};
    x.events(at("12:00:00"), both), a.events(at("12:00:00"), nyse), b.events(at("12:00:00"), arca);
    for (auto* r : {&x, &a, &b}) r->clock(at("18:00:00"));
    CAF_CHECK(x.rejected.empty());
    auto alone = a.bars;
    alone.insert(alone.end(), b.bars.begin(), b.bars.end());
    CAF_CHECK(without_offsets(plain(x.bars)) == without_offsets(plain(alone)));
  }
}

CAF_TEST(an event is late for all intervals or for none) {
  bar_rules rules;
  rules.intervals = {2 * second, 5 * second}; // closed by a grid of one second
  run x{rules};
  x.events(at("09:30:00"),
           {trade(at("09:30:00.1"), "1", "1"), trade(at("09:30:01.6"), "2", "1")}); // watermark 09:30:01.1
  // Both windows are open, but the first second has been closed.
  x.events(at("09:30:01"), {trade(at("09:30:00.999999999"), "9", "1"), trade(at("09:30:01"), "3", "1")});
  CAF_REQUIRE_EQUAL(x.rejected.size(), 1u);
  CAF_CHECK(x.rejected[0].code == errc::late);
  CAF_CHECK_EQUAL(x.rejected[0].lateness, 1);
  CAF_CHECK_EQUAL(x.rejected[0].offset, 2u);
  CAF_CHECK(x.rejected[0].event.src_ts == at("09:30:00.999999999"));
  x.take(said(at("09:30:02"), source_change::eof));
  CAF_CHECK_EQUAL(told(x.bars_of(2 * second).at(0)), "1/3/1/2/3/2/3");
  CAF_CHECK_EQUAL(told(x.bars_of(5 * second).at(0)), "1/3/1/2/3/2/3");
}

CAF_TEST(an event inside the lateness counts and one behind it is late) {
  run x{default_rules()};
  x.events(at("09:30:00"), {trade(at("09:30:01.4999"), "1", "1")});
  x.events(at("09:30:00"), {trade(at("09:30:00.5"), "2", "1")}); // watermark 09:30:00.9999
  CAF_CHECK(x.rejected.empty());
  x.events(at("09:30:00"), {trade(at("09:30:01.5"), "3", "1")}); // watermark 09:30:01: the first second closes
  CAF_CHECK_EQUAL(x.bars_of(second).size(), 1u);
  x.events(at("09:30:00"), {trade(at("09:30:00.9"), "4", "1")});
  CAF_CHECK_EQUAL(x.rejected.size(), 1u);
  CAF_CHECK_EQUAL(x.stage.events(), 3u);
}
