#define CAF_SUITE request_pacing

#include "actors/logic/request_pacing.hpp"
#include "tests/support/suite.hpp"

#include <map>
#include <random>

using namespace finstream;

namespace {

std::uint64_t total(const std::vector<request_pacing::grant>& grants) {
  std::uint64_t out = 0;
  for (auto& x : grants) out += x.requests;
  return out;
}

} // namespace

CAF_TEST(a rate becomes the time for one more request) {
  CAF_CHECK_EQUAL(make_pacing_rules(4, 2).per_request, 250 * millisecond);
  CAF_CHECK_EQUAL(make_pacing_rules(0.2, 2).per_request, 5 * second);
  CAF_CHECK(make_pacing_rules(3, 1).per_request * 3 >= second); // rounded so that the rate is never exceeded
}

CAF_TEST(the bucket begins empty and saves no more than a burst) {
  request_pacing x{{100 * millisecond, 3}, 0};
  for (std::uint64_t asker = 1; asker <= 9; ++asker) CAF_CHECK(x.ask(asker, 1));
  CAF_CHECK(x.give(0).empty());
  CAF_CHECK(x.give(99 * millisecond).empty());
  CAF_CHECK(x.next() == 100 * millisecond);
  auto first = x.give(100 * millisecond);
  CAF_REQUIRE_EQUAL(first.size(), 1u);
  CAF_CHECK_EQUAL(first[0].asker, 1u);
  CAF_CHECK_EQUAL(total(x.give(3600 * second)), 3u);
  CAF_CHECK_EQUAL(x.waiting(), 5u);
}

CAF_TEST(what is larger than a burst is given in parts and in turn) {
  request_pacing x{{10 * millisecond, 4}, 0};
  CAF_CHECK(x.ask(1, 10));
  CAF_CHECK(x.ask(2, 1));
  auto give = [&](nanoseconds at) {
    std::map<std::uint64_t, std::uint32_t> out;
    for (auto& grant : x.give(at)) out[grant.asker] += grant.requests;
    return out;
  };
  using grants = std::map<std::uint64_t, std::uint32_t>;
  CAF_CHECK(give(39 * millisecond).empty());
  CAF_CHECK((give(40 * millisecond) == grants{{1, 4}}));
  CAF_CHECK((give(80 * millisecond) == grants{{1, 4}}));
  CAF_CHECK((give(100 * millisecond) == grants{{1, 2}}));
  CAF_CHECK((give(110 * millisecond) == grants{{2, 1}}));
  CAF_CHECK(!x.next());
}

CAF_TEST(requests that nobody granted are counted and paid for) {
  request_pacing x{{second, 2}, 0};
  CAF_CHECK_EQUAL(x.note_made(2, 10 * second), 0u); // the burst was saved up
  CAF_CHECK_EQUAL(x.note_made(3, 10 * second), 3u);
  CAF_CHECK(x.ask(1, 1));
  CAF_CHECK(x.next() == 14 * second); // three are owed, the fourth is this one
}

CAF_TEST(what is owed has an end however slow the provider) {
  request_pacing x{make_pacing_rules(1e-5, 1), 0};
  for (int n = 0; n < 10'000; ++n) CAF_CHECK(x.note_made(1000, second) > 0);
  CAF_CHECK(x.ask(1, 1));
  CAF_CHECK(x.next() > 0);
}

CAF_TEST(after a refusal nobody is given anything for a while) {
  request_pacing x{{second, 5}, 0};
  x.close_for(30 * second, 100 * second);
  CAF_CHECK(x.ask(1, 1));
  CAF_CHECK(x.give(130 * second).empty());
  CAF_CHECK_EQUAL(total(x.give(131 * second)), 1u);
}

CAF_TEST(who withdraws no longer waits and the line has an end) {
  request_pacing x{{second, 5}, 0};
  CAF_CHECK(x.ask(1, 4000));
  CAF_CHECK(x.ask(2, 6000));
  CAF_CHECK(!x.ask(3, 1));
  x.withdraw(1);
  CAF_CHECK_EQUAL(x.waiting(), 6000u);
  auto given = x.give(3600 * second);
  CAF_REQUIRE_EQUAL(given.size(), 1u);
  CAF_CHECK_EQUAL(given[0].asker, 2u);
}

CAF_TEST(in no span of time is more given than the limit allows) {
  for (std::uint32_t seed = 1; seed <= 50; ++seed) {
    std::mt19937 random{seed};
    auto upto = [&](int most) { return static_cast<int>(random() % static_cast<unsigned>(most)); };
    pacing_rules rules{(1 + upto(50)) * millisecond, static_cast<std::uint64_t>(1 + upto(20))};
    request_pacing x{rules, 0};
    std::vector<std::pair<nanoseconds, std::uint64_t>> given;
    nanoseconds now = 0;
    for (int step = 0; step < 300; ++step) {
      now += upto(40) * millisecond;
      if (upto(3) == 0) x.ask(static_cast<std::uint64_t>(upto(5)), static_cast<std::uint32_t>(1 + upto(30)));
      if (auto n = total(x.give(now)); n != 0) given.emplace_back(now, n);
    }
    CAF_REQUIRE(!given.empty());
    for (std::size_t first = 0; first < given.size(); ++first) {
      std::uint64_t sum = 0;
      for (std::size_t last = first; last < given.size(); ++last) {
        sum += given[last].second;
        auto span = given[last].first - given[first].first;
        CAF_REQUIRE(sum <= rules.burst + static_cast<std::uint64_t>(span / rules.per_request));
      }
    }
  }
}
