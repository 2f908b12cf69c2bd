// Properties over random logs: whatever the sources do, these hold. A failure names its seed.
#define CAF_SUITE bars_random

#include "tests/support/arrival.hpp"
#include "tests/support/naive_bars.hpp"
#include "tests/support/suite.hpp"

#include <map>
#include <set>

using namespace finstream;
using namespace finstream::test;

namespace {

constexpr std::uint64_t seeds = 150;

struct world {
  explicit world(std::uint64_t seed)
    : random{seed}, rules{random_rules(random)}, log{random_log(random, rules)}, all{rules} {
    all.take_all(log);
    all.take(long_silence(log));
  }
  std::mt19937_64 random;
  bar_rules rules;
  std::vector<step> log;
  run all;
};

} // namespace

CAF_TEST(bars are those that a plain computation over the counted events gives) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    world x{seed};
    auto naive = naive_bars(x.rules, x.all.counted());
    CAF_CHECK(!naive.empty());
    if (plain(x.all.bars) != naive)
      CAF_ERROR("seed " << seed << ": " << x.all.bars.size() << " bars, " << naive.size() << " plain ones");
  }
}

CAF_TEST(no bar leaves twice) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    world x{seed};
    std::set<bar_key_text> seen;
    for (auto& b : x.all.bars)
      if (!seen.insert(key_of(b)).second) CAF_ERROR("seed " << seed << ": twice " << told(b));
    CAF_CHECK(!seen.empty());
  }
}

CAF_TEST(every counted event is in exactly one bar of each interval once all is closed) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    world x{seed};
    CAF_CHECK_EQUAL(x.all.stage.open_windows(), 0u);
    std::uint64_t due = 0;
    auto counted = x.all.counted();
    for (auto& [event, offset] : counted) due += event.kind == event_kind::quote ? 2 : 1;
    CAF_CHECK_EQUAL(x.all.stage.events(), counted.size());
    std::map<nanoseconds, std::uint64_t> found;
    for (auto& b : x.all.bars) found[b.interval] += b.trades;
    for (auto interval : x.rules.intervals)
      if (found[interval] != due)
        CAF_ERROR("seed " << seed << ": " << found[interval] << " of " << due << " events in " << interval);
  }
}

CAF_TEST(the ends of intervals of a source follow one another without a hole and without overlap) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    world x{seed};
    std::map<std::pair<std::string, nanoseconds>, timestamp> last;
    for (auto& e : x.all.ends) {
      CAF_CHECK(e.start < e.end);
      if (floor_to(e.start, e.interval) != e.start || floor_to(e.end, e.interval) != e.end)
        CAF_ERROR("seed " << seed << ": not aligned");
      if (e.reason == interval_reason::closed && e.end - e.start != e.interval)
        CAF_ERROR("seed " << seed << ": closed at once");
      auto [at, first] = last.emplace(std::make_pair(e.provider, e.interval), e.start);
      if (at->second != e.start)
        CAF_ERROR("seed " << seed << ": " << e.provider << " " << told({e}) << " after " << to_string(at->second));
      at->second = e.end;
    }
    CAF_CHECK(!last.empty());
  }
}

CAF_TEST(an interval is called closed if it has bars and otherwise not ) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    world x{seed};
    std::set<std::tuple<std::string, nanoseconds, std::int64_t>> with_bars, closed;
    for (auto& b : x.all.bars) with_bars.emplace(b.provider, b.interval, b.start.ns);
    for (auto& e : x.all.ends)
      if (e.reason == interval_reason::closed) closed.emplace(e.provider, e.interval, e.start.ns);
    if (with_bars != closed)
      CAF_ERROR("seed " << seed << ": " << with_bars.size() << " with bars, " << closed.size() << " closed");
  }
}

CAF_TEST(a bar leaves before the end of its interval is said and after the one before) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    world x{seed};
    std::map<std::pair<std::string, nanoseconds>, timestamp> said_until;
    for (auto& record : x.all.records) {
      if (auto* e = std::get_if<end_of_interval>(&record)) {
        said_until[{e->provider, e->interval}] = e->end;
      } else {
        auto& b = std::get<bar>(record);
        auto at = said_until.find({b.provider, b.interval});
        if (at != said_until.end() && b.start < at->second)
          CAF_ERROR("seed " << seed << ": a bar after its end was said");
        if (at != said_until.end() && b.start != at->second)
          CAF_ERROR("seed " << seed << ": a bar before the silence ahead of it was said");
      }
    }
    CAF_CHECK(!said_until.empty());
  }
}

CAF_TEST(sixty bars of a second merge to the bar of their minute) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    std::mt19937_64 random{seed};
    bar_rules rules;
    rules.intervals = {second, 60 * second};
    run x{rules};
    log_options options;
    options.providers = {"nyse"};
    auto log = random_log(random, rules, options);
    x.take_all(log);
    x.take(long_silence(log));
    for (auto& minute : x.bars_of(60 * second)) {
      std::vector<bar> parts;
      for (auto& b : x.bars_of(second))
        if (b.symbol == minute.symbol && b.start >= minute.start && b.end <= minute.end) parts.push_back(b);
      CAF_REQUIRE(!parts.empty());
      CAF_CHECK(parts.front().open == minute.open && parts.back().close == minute.close);
      CAF_CHECK(parts.front().first_ts == minute.first_ts && parts.back().last_ts == minute.last_ts);
      std::int64_t volume = 0;
      std::uint64_t trades = 0;
      for (auto& b : parts) {
        volume += b.volume.units, trades += b.trades;
        CAF_CHECK(b.high <= minute.high && b.low >= minute.low);
        CAF_CHECK(b.first_offset >= minute.first_offset && b.last_offset <= minute.last_offset);
      }
      CAF_CHECK_EQUAL(volume, minute.volume.units);
      CAF_CHECK_EQUAL(trades, minute.trades);
    }
  }
}

CAF_TEST(coverage is a share and the flags say when it is not whole) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    world x{seed};
    for (auto& b : x.all.bars) {
      if (b.coverage.units < 0 || b.coverage.units > units_per_one)
        CAF_ERROR("seed " << seed << ": coverage " << to_string(b.coverage));
      if (b.coverage.units < units_per_one && b.flags == 0)
        CAF_ERROR("seed " << seed << ": coverage " << to_string(b.coverage) << " without a flag");
    }
    CAF_CHECK(!x.all.bars.empty());
  }
}
