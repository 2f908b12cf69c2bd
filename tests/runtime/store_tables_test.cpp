#define CAF_SUITE store_tables

#include "runtime/store/bar_store.hpp"
#include "runtime/store/feature_store.hpp"
#include "runtime/store/signal_store.hpp"
#include "tests/runtime/bus_language.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

struct store_tables {
  std::unique_ptr<bus> log = open_memory_bus();

  void write(std::vector<table_write> rows) { must(log->write({{}, std::move(rows), {}})); }
  void feature(nanoseconds interval, std::string symbol, std::string provider, std::int64_t start) {
    feature_vector x;
    x.provider = std::move(provider), x.symbol = std::move(symbol), x.interval = interval * second;
    x.start = at(start), x.end = at(start + interval);
    x.values.emplace_back().name = "vol_5m";
    write({feature_write(x)});
  }
  void signal_of(std::string symbol, std::string provider, std::int64_t ts, std::string id, std::string name = "up") {
    signal x;
    x.provider = std::move(provider), x.symbol = std::move(symbol), x.ts = at(ts);
    x.signal_id = std::move(id), x.name = std::move(name);
    write({signal_write(x), signal_id_write(x)});
  }
  std::string features(const feature_query& query, std::size_t most = 99) {
    std::string out;
    must(scan_features(*log, query, [&](const feature_vector& x) {
      out += std::to_string(x.interval / second) + x.symbol + x.provider + std::to_string((x.start - at(0)) / second);
      return out += ' ', --most != 0;
    }));
    return out;
  }
  std::string signals(const signal_query& query) {
    std::string out;
    must(scan_signals(*log, query, [&](const signal& x) { return out += x.signal_id + " ", true; }));
    return out;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(store_tables_tests, store_tables)

CAF_TEST(features are found by series and time in the order of their keys) {
  for (auto start : {2, 0, 1})
    for (auto* symbol : {"B", "A"})
      for (auto* provider : {"y", "x"}) feature(1, symbol, provider, start);
  feature(60, "A", "x", 0);
  CAF_CHECK_EQUAL(features({}), "1Ax0 1Ax1 1Ax2 1Ay0 1Ay1 1Ay2 1Bx0 1Bx1 1Bx2 1By0 1By1 1By2 60Ax0 ");
  CAF_CHECK_EQUAL(features({.symbol = "A", .interval = second}), "1Ax0 1Ax1 1Ax2 1Ay0 1Ay1 1Ay2 ");
  CAF_CHECK_EQUAL(features({.symbol = "A"}, 1), "1Ax0 ");
  CAF_CHECK_EQUAL(features({.symbol = "B", .provider = "y", .from = at(1), .to = at(2)}), "1By1 ");
  CAF_CHECK_EQUAL(features({.symbol = "B", .from = at(2)}), "1Bx2 1By2 ");
  CAF_CHECK_EQUAL(features({.provider = "y", .to = at(1)}), "1Ay0 1By0 ");
  CAF_CHECK_EQUAL(features({.symbol = "C"}), "");
}

CAF_TEST(signals are found by series and time and by name) {
  signal_of("A", "x", 2, "c"), signal_of("A", "x", 1, "b"), signal_of("A", "x", 1, "a", "down");
  signal_of("A", "w", 9, "d"), signal_of("B", "x", 0, "e");
  CAF_CHECK_EQUAL(signals({}), "d a b c e ");
  CAF_CHECK_EQUAL(signals({.symbol = "A", .from = at(2)}), "d c ");
  CAF_CHECK_EQUAL(signals({.symbol = "A", .provider = "x", .name = "up", .to = at(2)}), "b ");
}

CAF_TEST(a signal is found by its id) {
  signal_of("A", "x", 2, "c"), signal_of("B", "x", 2, "d");
  CAF_CHECK_EQUAL(must(find_signal(*log, "d"))->symbol, "B");
  CAF_CHECK(!must(find_signal(*log, "e")));
}

CAF_TEST(an id that leads nowhere is a corrupt log) {
  put(*log, signal_ids_table, "d", "nowhere");
  CAF_CHECK(code_of(find_signal(*log, "d")) == errc::corrupt_record);
}

CAF_TEST(no two names share a row and an empty one is a name) {
  std::string zero("A\0x", 3);
  for (auto& symbol : {std::string{"A"}, zero, std::string{"A\1x"}, std::string{}, std::string{"\xff"}})
    for (auto& provider : {std::string{"x"}, zero, std::string{}}) feature(1, symbol, provider, 0);
  auto count = 0;
  must(scan_features(*log, {}, [&](const feature_vector&) { return ++count, true; }));
  CAF_CHECK_EQUAL(count, 15);
  count = 0;
  must(scan_features(*log, {.symbol = zero}, [&](const feature_vector&) { return ++count, true; }));
  CAF_CHECK_EQUAL(count, 3);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(a query is split by series and each of these gives its rows in order of time) {
  store_tables t;
  t.feature(1, "SPY", "nyse", 1), t.feature(1, "SPY", "arca", 2), t.feature(5, "SPY", "nyse", 0);
  t.feature(1, "SPYX", "nyse", 1);
  auto split = [&](const feature_query& query) {
    std::string out;
    for (auto& x : must(each_series(*t.log, query)))
      out += std::to_string(x.interval / second) + x.symbol + "/" + x.provider + " ";
    return out;
  };
  feature_query query;
  query.symbol = "SPY";
  CAF_CHECK_EQUAL(split(query), "1SPY/arca 1SPY/nyse 5SPY/nyse ");
  query.provider = "arca";
  CAF_CHECK_EQUAL(split({}), "1SPY/arca 1SPY/nyse 1SPYX/nyse 5SPY/nyse ");
  query.interval = second;
  CAF_CHECK_EQUAL(split(query), "1SPY/arca ");
  auto found = must(find_features(*t.log, query, at(2)));
  CAF_REQUIRE(found.has_value());
  CAF_CHECK_EQUAL(found->provider, "arca");
  CAF_CHECK(!must(find_features(*t.log, query, at(1))).has_value());
  t.signal_of("SPY", "nyse", 1, "a"), t.signal_of("SPY", "arca", 1, "b"), t.signal_of("QQQ", "arca", 1, "c");
  signal_query signals;
  signals.provider = "arca";
  CAF_CHECK_EQUAL(must(each_series(*t.log, signals)).size(), 2u);
  signals.symbol = "NONE", signals.provider = "";
  CAF_CHECK(must(each_series(*t.log, signals)).empty());
}
