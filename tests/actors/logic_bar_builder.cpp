#define CAF_SUITE bar_builder

#include "tests/support/suite.hpp"

#include "actors/logic/bar_builder.hpp"

#include <algorithm>
#include <random>
#include <vector>

using namespace finstream;

namespace {

constexpr auto most = std::numeric_limits<std::int64_t>::max();

contribution any_trade(std::mt19937_64& random, std::uint64_t offset) {
  contribution x;
  // Few times and numbers, so that every part of the order decides somewhere.
  x.order = {static_cast<std::int64_t>(random() % 4), static_cast<std::uint32_t>(random() % 2),
             static_cast<std::int64_t>(random() % 3), offset};
  x.open.units = static_cast<std::int64_t>(random() % 100) - 50;
  x.close.units = static_cast<std::int64_t>(random() % 100) - 50;
  x.high.units = std::max(x.open.units, x.close.units) + 1;
  x.low.units = std::min(x.open.units, x.close.units) - 1;
  x.volume.units = static_cast<std::int64_t>(random() % 10);
  return x;
}

contribution trade_of(std::int64_t at, std::int64_t size, std::int64_t when = 0) {
  contribution x;
  x.order = {when, 0, 0, static_cast<std::uint64_t>(when)};
  x.open.units = x.high.units = x.low.units = x.close.units = at;
  x.volume.units = size;
  return x;
}

std::string bytes_of(const bar_builder& x) {
  std::string out;
  byte_writer writer{out};
  x.save(writer);
  return out;
}

bar_builder made_of(const std::vector<contribution>& xs) {
  bar_builder out;
  for (auto& x : xs) CAF_REQUIRE(out.add(x));
  return out;
}

} // namespace

CAF_TEST(trades in any order and bars merged in any grouping give one bar) {
  std::mt19937_64 random{1};
  for (int round = 0; round < 300; ++round) {
    std::vector<contribution> trades;
    for (auto n = 1 + random() % 30; trades.size() < n;) trades.push_back(any_trade(random, trades.size()));
    auto expected_bytes = bytes_of(made_of(trades));
    for (int i = 0; i < 5; ++i) {
      std::shuffle(trades.begin(), trades.end(), random);
      CAF_CHECK(bytes_of(made_of(trades)) == expected_bytes);
      std::vector<bar_builder> groups(1 + random() % 6);
      for (auto& x : trades) CAF_REQUIRE(groups[random() % groups.size()].add(x));
      std::erase_if(groups, [](auto& g) { return g.trades == 0; });
      // Two at a time, whichever two.
      while (groups.size() > 1) {
        auto other = groups.back();
        groups.pop_back();
        groups[random() % groups.size()].merge(other);
      }
      CAF_CHECK(bytes_of(groups[0]) == expected_bytes);
    }
  }
}

CAF_TEST(open is first and close is last in the total order) {
  auto x = made_of({trade_of(5, 1, 20), trade_of(1, 1, 10), trade_of(9, 1, 30), trade_of(7, 1, 25)});
  CAF_CHECK_EQUAL(x.open.units, 1);
  CAF_CHECK_EQUAL(x.close.units, 9);
  CAF_CHECK_EQUAL(x.first.src_ts, 10);
  CAF_CHECK_EQUAL(x.last.src_ts, 30);
}

CAF_TEST(time decides before rank and rank before seq and seq before offset) {
  CAF_CHECK((event_order{1, 9, 9, 9} < event_order{2, 0, 0, 0}));
  CAF_CHECK((event_order{1, 0, 9, 9} < event_order{1, 1, 0, 0}));
  CAF_CHECK((event_order{1, 1, -5, 9} < event_order{1, 1, 0, 0}));
  CAF_CHECK((event_order{1, 1, 1, 8} < event_order{1, 1, 1, 9}));
  CAF_CHECK((event_order{-1, 0, 0, 0} < event_order{0, 0, 0, 0}));
}

CAF_TEST(merging into an empty bar keeps the start of that bar) {
  auto child = made_of({trade_of(1, 1)});
  child.start = 5;
  bar_builder parent;
  parent.start = 0;
  parent.merge(child);
  CAF_CHECK_EQUAL(parent.start, 0);
  CAF_CHECK_EQUAL(parent.trades, 1u);
}

CAF_TEST(a trade that would make the sum wrap is refused and changes nothing) {
  auto x = made_of({trade_of(most, most)}); // 2^126: one more of these fits below 2^127, two do not
  CAF_REQUIRE(x.add(trade_of(most, most)));
  auto before = bytes_of(x);
  CAF_CHECK(!x.add(trade_of(most, most)));
  CAF_CHECK(bytes_of(x) == before);
  CAF_CHECK(x.add(trade_of(most, 0)));
}

CAF_TEST(a bar whose volume does not fit says so) {
  auto x = made_of({trade_of(1, most)});
  CAF_CHECK(x.fits());
  CAF_REQUIRE(x.add(trade_of(1, 1)));
  CAF_CHECK(!x.fits());
  auto negative = made_of({trade_of(1, -most), trade_of(1, -2)});
  CAF_CHECK(!negative.fits());
}

CAF_TEST(a merge that does not fit says so and stays so) {
  auto x = made_of({trade_of(most, most), trade_of(most, most)});
  auto y = made_of({trade_of(most, most)});
  auto sum = x;
  sum.merge(y);
  CAF_CHECK(sum.overflowed);
  CAF_CHECK(!sum.fits());
  bar_builder minute;
  minute.merge(sum);
  minute.merge(made_of({trade_of(-most, most)}));
  CAF_CHECK(!minute.fits());
}

CAF_TEST(a bar is read back as it was saved) {
  std::mt19937_64 random{2};
  for (int i = 0; i < 200; ++i) {
    bar_builder x;
    x.start = static_cast<std::int64_t>(random());
    for (auto n = random() % 5; n != 0; --n) CAF_REQUIRE(x.add(any_trade(random, random())));
    x.overflowed = random() % 2 == 0;
    auto bytes = bytes_of(x);
    byte_reader in{bytes};
    bar_builder back;
    back.load(in);
    CAF_CHECK(in.done());
    CAF_CHECK(bytes_of(back) == bytes);
  }
}
