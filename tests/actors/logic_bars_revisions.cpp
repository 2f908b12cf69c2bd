// Late events within `revise_for`: the last that is published of each bar is what all counted events together make.
#define CAF_SUITE bars_revisions

#include "tests/support/arrival.hpp"
#include "tests/support/naive_bars.hpp"
#include "tests/support/suite.hpp"

#include <limits>
#include <map>

using namespace finstream;
using namespace finstream::test;

namespace {

bar_rules revising_rules(nanoseconds revise_for = 10 * second) {
  bar_rules rules;
  rules.intervals = {second, 5 * second};
  rules.clock.allow_late = 0;
  rules.revise_for = revise_for;
  return rules;
}

step sent(timestamp now, std::vector<happening> events) { return {now, std::move(events), {}, {}, "feed"}; }

// What a store holds in the end. Revisions must rise by one.
std::map<bar_key_text, bar> last_of_each(const std::vector<bar>& bars) {
  std::map<bar_key_text, bar> out;
  for (auto& x : bars) {
    auto [at, first] = out.emplace(key_of(x), x);
    if (first) continue;
    CAF_CHECK_EQUAL(x.revision, at->second.revision + 1);
    CAF_CHECK(x.state == bar_state::revised);
    at->second = x;
  }
  return out;
}

std::vector<bar> without_revisions(const std::map<bar_key_text, bar>& bars) {
  std::vector<bar> out;
  for (auto& [key, x] : bars) {
    out.push_back(x);
    out.back().revision = 0, out.back().state = bar_state::final_bar, out.back().reason.clear();
  }
  return plain(std::move(out));
}

} // namespace

CAF_TEST(a late event revises the bars it belongs to) {
  run x{revising_rules()};
  x.take(sent(at("09:30:00.5"), {trade(at("09:30:00.5"), "10", "1", 1)}));
  x.take(sent(at("09:30:06"), {trade(at("09:30:06"), "11", "1", 2)})); // closes 1 s and 5 s
  CAF_REQUIRE_EQUAL(x.bars.size(), 2u);
  x.bars.clear();
  x.take(sent(at("09:30:06.1"), {trade(at("09:30:00.7"), "12", "2", 3), trade(at("09:30:00.6"), "9", "1", 4)}));
  CAF_REQUIRE_EQUAL(x.bars.size(), 2u); // once a record
  for (auto& b : x.bars) {
    CAF_CHECK_EQUAL(told(b), "10/12/9/12/4/10.75/3");
    CAF_CHECK_EQUAL(b.revision, 1u);
    CAF_CHECK(b.state == bar_state::revised);
    CAF_CHECK_EQUAL(b.reason, "late events");
  }
  CAF_CHECK(x.rejected.empty());
}

CAF_TEST(a window that was silent gets its bar as a first revision) {
  run x{revising_rules()};
  x.take(sent(at("09:30:00.5"), {trade(at("09:30:00.5"), "10", "1", 1)}));
  x.take(sent(at("09:30:03"), {trade(at("09:30:03"), "11", "1", 2)}));
  x.bars.clear();
  x.take(sent(at("09:30:03.1"), {trade(at("09:30:01.5"), "12", "2", 3)}));
  CAF_REQUIRE_EQUAL(x.bars.size(), 1u); // the bar of 5 s is open yet, and takes it in
  CAF_CHECK_EQUAL(x.bars[0].revision, 1u);
  x.bars.clear();
  x.take(sent(at("09:30:05"), {trade(at("09:30:05"), "11", "1", 4)}));
  CAF_REQUIRE_EQUAL(x.bars.size(), 2u);
  CAF_CHECK_EQUAL(told(x.bars[1]), "10/12/10/11/4/11.25/3");
  CAF_CHECK_EQUAL(x.bars[1].revision, 0u);
}

CAF_TEST(what comes later than that is late) {
  run x{revising_rules(2 * second)};
  x.take(sent(at("09:30:00.5"), {trade(at("09:30:00.5"), "10", "1", 1)}));
  x.take(sent(at("09:30:10"), {trade(at("09:30:10"), "11", "1", 2)}));
  x.take(sent(at("09:30:10.1"), {trade(at("09:30:07.999"), "12", "2", 3), trade(at("09:30:08"), "12", "2", 4)}));
  CAF_REQUIRE_EQUAL(x.rejected.size(), 1u);
  CAF_CHECK_EQUAL(x.rejected[0].event.seq, 3);
}

CAF_TEST(a late quote of which one side does not fit counts on neither) {
  run x{revising_rules()};
  auto most = std::numeric_limits<std::int64_t>::max();
  auto dear = [&](timestamp when, std::int64_t seq) {
    auto out = quote(when, "1", "1", "1", "1");
    out.seq = seq, out.values[1] = most, out.values[3] = most;
    return out;
  };
  x.take(sent(at("09:30:00.1"), {dear(at("09:30:00.1"), 1)}));
  x.take(sent(at("09:30:06"), {dear(at("09:30:06"), 2)}));
  x.bars.clear(), x.rejected.clear();
  x.take(sent(at("09:30:06.1"), {dear(at("09:30:00.2"), 3), dear(at("09:30:00.3"), 4)})); // a third is too much
  CAF_REQUIRE(!x.rejected.empty()); // the asks' bars too: no field holds so large a volume
  CAF_CHECK_EQUAL(x.rejected[0].event.seq, 4);
  CAF_CHECK(x.rejected[0].code == errc::overflow);
  CAF_CHECK_EQUAL(x.bars.size(), 2u); // the bids', 1 s and 5 s
  for (auto& b : x.bars) CAF_CHECK_EQUAL(b.trades, 2u);
}

CAF_TEST(when revisions begin what was closed before is not touched) {
  auto rules = revising_rules(0);
  run x{rules};
  x.take(sent(at("09:30:00.5"), {trade(at("09:30:00.5"), "10", "1", 1)}));
  x.take(sent(at("09:30:02"), {trade(at("09:30:02"), "11", "1", 2)}));
  rules.revise_for = 10 * second;
  x.take({at("09:30:02.1"), {}, {}, rules, {}});
  x.take(sent(at("09:30:02.2"), {trade(at("09:30:00.6"), "12", "2", 3)}));
  CAF_CHECK_EQUAL(x.rejected.size(), 1u);
  x.take(sent(at("09:30:04"), {trade(at("09:30:04"), "11", "1", 4)}));
  x.bars.clear();
  x.take(sent(at("09:30:04.1"), {trade(at("09:30:02.5"), "12", "2", 5)}));
  CAF_REQUIRE_EQUAL(x.bars.size(), 1u);
  CAF_CHECK_EQUAL(told(x.bars[0]), "11/12/11/12/3/11.666666667/2");
}

CAF_TEST(whatever arrives when the last of each bar is that of all counted events) {
  std::uint64_t revised = 0, late = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    std::mt19937_64 random{seed};
    auto rules = random_rules(random);
    rules.revise_for = static_cast<nanoseconds>(1 + random() % 20) * second;
    log_options options;
    options.most_delay = 12 * second;
    auto log = random_log(random, rules, options);
    run all{rules};
    all.take_all(log);
    all.take(long_silence(log));
    auto last = last_of_each(all.bars);
    auto naive = naive_bars(rules, all.counted());
    if (without_revisions(last) != plain(naive))
      CAF_ERROR("seed " << seed << ": " << last.size() << " bars, " << naive.size() << " plain ones");
    for (auto& [key, x] : last) revised += x.revision != 0 ? 1 : 0;
    late += all.rejected.size();
  }
  CAF_CHECK_LESS(1000u, revised);
  CAF_CHECK_LESS(100u, late);
}

CAF_TEST(any order of arrival within the horizon gives the same last bars) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::mt19937_64 random{seed};
    auto rules = revising_rules(60 * second);
    std::vector<happening> events;
    for (int i = 0; i < 200; ++i)
      events.push_back(random_event(random, "nyse", at("09:30:00") + i * 250 * millisecond, i));
    auto last_after = [&](const std::vector<happening>& order) {
      run x{rules};
      auto now = at("09:31:00");
      for (std::size_t i = 0; i < order.size(); i += 5) {
        auto end = std::min(order.size(), i + 5);
        x.take(sent(now = now + millisecond, {order.begin() + static_cast<std::ptrdiff_t>(i),
                                              order.begin() + static_cast<std::ptrdiff_t>(end)}));
      }
      x.take({now + 86'400 * second, {}, {}, {}, {}});
      CAF_CHECK(x.rejected.empty());
      auto bars = without_revisions(last_of_each(x.bars));
      for (auto& b : bars) b.first_offset = b.last_offset = 0; // places in another log
      return bars;
    };
    auto in_order = last_after(events);
    std::shuffle(events.begin(), events.end(), random);
    if (last_after(events) != in_order) CAF_ERROR("seed " << seed << ": other bars");
  }
}
