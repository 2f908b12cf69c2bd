#define CAF_SUITE restart_policy

#include "tests/support/suite.hpp"

#include "actors/logic/child_spec.hpp"
#include "actors/logic/restart_policy.hpp"

#include <algorithm>
#include <set>

using namespace finstream;

CAF_TEST(so many restarts in a period are allowed and one more is not ) {
  restart_intensity x{3, 10 * second};
  CAF_CHECK(x.allow(0));
  CAF_CHECK(x.allow(1 * second));
  CAF_CHECK(x.allow(2 * second));
  CAF_CHECK(!x.allow(3 * second));
}

CAF_TEST(restarts that are long past count no more) {
  restart_intensity x{2, 10 * second};
  CAF_CHECK(x.allow(0));
  CAF_CHECK(x.allow(10 * second)); // the first is just within the period
  CAF_CHECK(!x.allow(10 * second));
  restart_intensity y{2, 10 * second};
  CAF_CHECK(y.allow(0));
  CAF_CHECK(y.allow(10 * second));
  CAF_CHECK(y.allow(10 * second + 1));
  for (int i = 2; i < 100; ++i) CAF_CHECK(y.allow(i * 20 * second));
}

CAF_TEST(none allowed means none) { CAF_CHECK(!(restart_intensity{0, second}.allow(0))); }

CAF_TEST(pauses are random below a ceiling that doubles up to the most) {
  backoff_rules rules;
  rules.initial = 100, rules.most = 1000, rules.crash_limit = 1'000'000;
  const nanoseconds ceilings[] = {100, 200, 400, 800, 1000, 1000};
  std::vector<nanoseconds> highest(std::size(ceilings), 0), lowest(std::size(ceilings), 1'000'000);
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    backoff x{rules, seed};
    for (std::size_t i = 0; i < std::size(ceilings); ++i) {
      auto pause = x.next(0, 0);
      CAF_REQUIRE(pause.has_value());
      CAF_CHECK(*pause >= 0 && *pause <= ceilings[i]);
      highest[i] = std::max(highest[i], *pause), lowest[i] = std::min(lowest[i], *pause);
    }
  }
  // Full jitter: from nothing to the ceiling.
  for (std::size_t i = 0; i < std::size(ceilings); ++i) {
    CAF_CHECK_GREATER(highest[i], ceilings[i] * 95 / 100);
    CAF_CHECK_LESS(lowest[i], ceilings[i] * 5 / 100 + 1);
  }
}

CAF_TEST(a seed gives the same pauses again) {
  backoff a{{}, 5}, b{{}, 5}, c{{}, 6};
  std::set<bool> differs;
  for (int i = 0; i < 8; ++i) {
    auto x = a.next(0, 0);
    CAF_CHECK(x == b.next(0, 0));
    differs.insert(x != c.next(0, 0));
  }
  CAF_CHECK(differs.count(true) == 1);
}

CAF_TEST(a healthy life begins again from the shortest pause) {
  backoff_rules rules;
  rules.initial = 100, rules.most = 1'000'000'000, rules.crash_limit = 1'000'000;
  backoff x{rules, 1};
  for (int i = 0; i < 20; ++i) CAF_REQUIRE(x.next(0, rules.healthy_after - 1).has_value());
  auto pause = x.next(0, rules.healthy_after).value_or(-1);
  CAF_CHECK_GREATER(pause, -1);
  CAF_CHECK_LESS(pause, 101);
}

CAF_TEST(too many crashes in a period park it and a reset tries again) {
  backoff_rules rules;
  rules.crash_limit = 3, rules.crash_period = 100 * second;
  backoff x{rules, 1};
  for (int i = 0; i < 3; ++i) CAF_CHECK(x.next(i * second, 0).has_value());
  CAF_CHECK(!x.next(3 * second, 0).has_value());
  x.reset();
  CAF_CHECK(x.next(4 * second, 0).has_value());
  backoff slow{rules, 1};
  for (int i = 0; i < 100; ++i) CAF_CHECK(slow.next(i * 50 * second, 0).has_value());
}

CAF_TEST(thousands of crashes overflow nothing) {
  backoff_rules rules;
  rules.crash_limit = 1'000'000;
  backoff x{rules, 1};
  for (int i = 0; i < 5000; ++i) {
    auto pause = x.next(i, 0);
    CAF_REQUIRE(pause.has_value());
    CAF_CHECK(*pause >= 0 && *pause <= rules.most);
  }
}

CAF_TEST(a strategy says which siblings a crash takes along) {
  using range = std::pair<std::size_t, std::size_t>;
  CAF_CHECK((taken_along(strategy::one_for_one, 1, 4) == range{1, 2}));
  CAF_CHECK((taken_along(strategy::rest_for_one, 1, 4) == range{1, 4}));
  CAF_CHECK((taken_along(strategy::one_for_all, 1, 4) == range{0, 4}));
}

CAF_TEST(a kind says whether a child comes back) {
  CAF_CHECK(comes_back(restart_kind::permanent, true) && comes_back(restart_kind::permanent, false));
  CAF_CHECK(comes_back(restart_kind::transient, true) && !comes_back(restart_kind::transient, false));
  CAF_CHECK(!comes_back(restart_kind::temporary, true) && !comes_back(restart_kind::temporary, false));
}
