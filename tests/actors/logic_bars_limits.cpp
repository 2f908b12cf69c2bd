// What is bounded, and what happens at the bound.
#define CAF_SUITE bars_limits

#include "tests/support/arrival.hpp"
#include "tests/support/naive_bars.hpp"
#include "tests/support/suite.hpp"

#include <set>

using namespace finstream;
using namespace finstream::test;

namespace {

bar_rules rules_with(std::uint64_t most_windows) {
  bar_rules rules;
  rules.intervals = {second, 60 * second};
  rules.max_open_windows = most_windows;
  return rules;
}

happening of_symbol(std::uint64_t number, const std::string& when) {
  return trade(at(when), "1", "1", 0, "S" + std::to_string(number));
}

} // namespace

CAF_TEST(no more windows are open than the limit) {
  run x{rules_with(100)};
  std::uint64_t symbol = 0;
  for (auto when : {"09:30:00.1", "09:30:01.1", "09:30:02.1", "09:30:03.1", "09:30:30", "09:31:10"}) {
    for (int i = 0; i < 300; ++i) {
      x.events(at(when), {of_symbol(symbol++, when)});
      if (x.stage.open_windows() > 100) CAF_ERROR("at " << when << " " << x.stage.open_windows() << " are open");
    }
  }
  x.take(said(at("09:32:00"), source_change::eof));
  // Nothing is dropped without a word: what is in no bar is a late event.
  std::uint64_t counted = 0;
  for (auto& b : x.bars_of(second)) counted += b.trades;
  CAF_CHECK_EQUAL(counted + x.rejected.size(), symbol);
  CAF_CHECK_EQUAL(x.stage.events(), counted);
}

CAF_TEST(under the limit nothing closes early) {
  run x{rules_with(100)};
  for (std::uint64_t i = 0; i < 100; ++i) x.events(at("09:30:00.1"), {of_symbol(i, "09:30:00.1")});
  CAF_CHECK(x.records.empty());
  CAF_CHECK_EQUAL(x.stage.open_windows(), 100u);
  x.events(at("09:30:00.1"), {of_symbol(7, "09:30:00.2")}); // a window that is open already
  CAF_CHECK(x.records.empty());
}

CAF_TEST(at the limit no bar leaves twice and none is wrong) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::mt19937_64 random{seed};
    auto rules = random_rules(random);
    rules.max_open_windows = 1 + random() % 12;
    auto log = random_log(random, rules);
    run x{rules};
    for (auto& s : log) {
      x.take(s);
      CAF_CHECK(x.stage.open_windows() <= rules.max_open_windows);
    }
    x.take(long_silence(log));
    std::set<bar_key_text> seen;
    for (auto& b : x.bars)
      if (!seen.insert(key_of(b)).second) CAF_ERROR("seed " << seed << ": twice");
    if (plain(x.bars) != naive_bars(rules, x.counted())) CAF_ERROR("seed " << seed << ": other bars");
  }
}

CAF_TEST(many gaps take little memory and still count) {
  bar_rules rules;
  rules.intervals = {second};
  run x{rules};
  x.events(at("09:30:00"), {trade(at("09:30:00"), "1", "1")});
  auto empty = x.stage.save().size();
  for (int i = 0; i < 100'000; ++i) {
    auto from = at("09:30:00") + i * 10'000;
    x.take(said(at("09:30:00"), source_change::gap, from + 5'000, from));
  }
  CAF_CHECK_LESS(x.stage.save().size(), empty + 100'000);
  x.events(at("09:30:00"), {trade(at("09:30:02"), "1", "1")});
  CAF_CHECK_EQUAL(x.bars.at(0).flags, static_cast<std::uint32_t>(gap));
  CAF_CHECK(x.bars.at(0).coverage.units <= units_per_one / 2); // what was merged to save memory counts as missing
}
