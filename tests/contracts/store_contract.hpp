// What every driver of a store must do, as sentences. A suite includes this after it has defined
//
//   struct store_home {                                            // where the rows of one test are
//     explicit store_home(const std::string& directory);           // empty; `directory` is the driver's
//     std::unique_ptr<finstream::store> open();                    // again and again, one at a time
//   };
//
// and its CAF_SUITE, and so runs all of it on its driver.
#pragma once

#include "tests/runtime/store_language.hpp"
#include "tests/support/temp_dir.hpp"

#include <cmath>
#include <thread>

namespace {

struct store_contract {
  finstream::test::temp_dir directory;
  store_home home{directory.path()};
  std::unique_ptr<finstream::store> rows = home.open();

  finstream::store_receipt apply(const finstream::store_batch& batch) {
    return finstream::test::must(rows->apply(batch));
  }
  std::vector<finstream::bar> stored_bars() {
    std::vector<finstream::bar> out;
    finstream::test::must(rows->bars({}, [&](const finstream::bar& x) { return out.push_back(x), true; }));
    return out;
  }
  std::string bars(const finstream::bar_query& query) {
    std::string out;
    finstream::test::must(rows->bars(query, [&](const finstream::bar& x) {
      out += std::to_string(x.interval / finstream::second) + x.symbol + x.provider;
      return out += std::to_string((x.start - finstream::test::at(0)) / finstream::second) + " ", true;
    }));
    return out;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(store_contract_tests, store_contract)

using namespace finstream;
using namespace finstream::test;

CAF_TEST(a new store is healthy and empty) {
  CAF_CHECK(rows->health().has_value());
  CAF_CHECK(must(rows->counts()) == store_counts{});
  CAF_CHECK(!must(rows->position({7, topic::bars, 0})));
  CAF_CHECK(!must(rows->find_signal("none")));
  CAF_CHECK(rows_of(*rows).all.empty());
}

CAF_TEST(an empty batch changes nothing) {
  CAF_CHECK(apply({}) == store_receipt{});
  CAF_CHECK(must(rows->counts()) == store_counts{});
}

CAF_TEST(rows and positions are there when the store is opened again) {
  auto batch = position_at(5);
  batch.bars = {make_bar(1)}, batch.features = {make_features(1)}, batch.signals = {make_signal("s")};
  batch.job_runs = {make_run("r", job_status::done, 3)}, batch.dead_letters = {make_dead_letter(4)};
  auto receipt = apply(batch);
  CAF_CHECK(receipt == (store_receipt{{1, 0, 0}, {1, 0, 0}, {1, 0, 0}, {1, 0, 0}, {1, 0, 0}}));
  auto before = rows_of(*rows);
  rows.reset();
  rows = home.open();
  CAF_CHECK(rows_of(*rows) == before);
  CAF_CHECK(must(rows->counts()) == (store_counts{1, 1, 1, 1, 1}));
  CAF_CHECK_EQUAL(next_of(*rows, {7, topic::bars, 0}), 5u);
  CAF_CHECK(must(rows->find_signal("s")) == batch.signals[0]);
}

CAF_TEST(applying a batch again changes nothing) {
  random_rows chance{4711};
  for (int i = 0; i < 10; ++i) {
    auto batch = chance.batch();
    batch.positions = {{{7, topic::bars, 0}, static_cast<std::uint64_t>(i)}};
    apply(batch);
    auto before = rows_of(*rows);
    auto again = apply(batch);
    for (auto& x : {again.bars, again.features, again.signals, again.job_runs, again.dead_letters})
      CAF_CHECK(x.applied == 0 && x.conflicts == 0);
    CAF_CHECK_EQUAL(again.bars.ignored, batch.bars.size());
    CAF_CHECK(rows_of(*rows) == before);
  }
}

CAF_TEST(of two revisions the higher stays whichever came first) {
  auto revised = make_bar(1, 1);
  revised.close = {{42}};
  CAF_CHECK(apply({.bars = {make_bar(1), make_bar(2, 1)}}).bars == (applied_rows{2, 0, 0}));
  CAF_CHECK(apply({.bars = {revised, make_bar(2, 0)}}).bars == (applied_rows{1, 1, 0}));
  CAF_CHECK(stored_bars() == (std::vector{revised, make_bar(2, 1)}));
  CAF_CHECK(apply({.features = {make_features(1, 1)}}).features == (applied_rows{1, 0, 0}));
  CAF_CHECK(apply({.features = {make_features(1, 0)}}).features == (applied_rows{0, 1, 0}));
}

CAF_TEST(equal revision and other content is a conflict and the first stays) {
  auto other = make_bar(1);
  other.close = {{42}};
  apply({.bars = {make_bar(1)}});
  CAF_CHECK(apply({.bars = {other}}).bars == (applied_rows{0, 0, 1}));
  CAF_CHECK(stored_bars() == std::vector{make_bar(1)});
  // Also where the difference is that one has nothing.
  other = make_bar(1), other.vwap = price{{0}};
  CAF_CHECK(apply({.bars = {other}}).bars == (applied_rows{0, 0, 1}));
  auto features = make_features(1);
  apply({.features = {features}});
  features.values[0].value.reset();
  CAF_CHECK(apply({.features = {features}}).features == (applied_rows{0, 0, 1}));
}

CAF_TEST(a signal never changes) {
  apply({.signals = {make_signal("s", 1)}});
  CAF_CHECK(apply({.signals = {make_signal("s", 1)}}).signals == (applied_rows{0, 1, 0}));
  CAF_CHECK(apply({.signals = {make_signal("s", 2)}}).signals == (applied_rows{0, 0, 1}));
  CAF_CHECK(must(rows->find_signal("s")) == make_signal("s", 1));
  CAF_CHECK_EQUAL(must(rows->counts()).signals, 1u);
}

CAF_TEST(a run that is over stays over) {
  apply({.job_runs = {make_run("r", job_status::running, 5)}});
  CAF_CHECK(apply({.job_runs = {make_run("r", job_status::done, 3)}}).job_runs == (applied_rows{1, 0, 0}));
  CAF_CHECK(apply({.job_runs = {make_run("r", job_status::running, 9)}}).job_runs == (applied_rows{0, 1, 0}));
  CAF_CHECK(apply({.job_runs = {make_run("r", job_status::failed, 3)}}).job_runs == (applied_rows{0, 0, 1}));
}

CAF_TEST(one batch may hold several revisions of a row) {
  auto other = make_bar(1, 2);
  other.close = {{42}};
  auto receipt = apply({.bars = {make_bar(1, 1), make_bar(1, 0), make_bar(1, 2), other, make_bar(1, 2)}});
  CAF_CHECK(receipt.bars == (applied_rows{1, 3, 1}));
  CAF_CHECK(stored_bars() == std::vector{make_bar(1, 2)});
}

CAF_TEST(positions are of one stream and never go back) {
  store_batch batch;
  batch.positions = {{{7, topic::bars, 0}, 5},
                     {{7, topic::bars, 1}, 6},
                     {{8, topic::bars, 0}, 1},
                     {{7, topic::dead_letters, 0}, ~std::uint64_t{0}}};
  apply(batch);
  apply(position_at(4));
  CAF_CHECK_EQUAL(next_of(*rows, {7, topic::bars, 0}), 5u);
  CAF_CHECK_EQUAL(next_of(*rows, {7, topic::bars, 1}), 6u);
  CAF_CHECK_EQUAL(next_of(*rows, {8, topic::bars, 0}), 1u);
  CAF_CHECK_EQUAL(next_of(*rows, {7, topic::dead_letters, 0}), ~std::uint64_t{0});
  CAF_CHECK(!must(rows->position({7, topic::events, 0})));
}

CAF_TEST(a batch with a number that cannot be kept leaves no trace) {
  auto batch = position_at(5);
  batch.bars = {make_bar(1)}, batch.signals = {make_signal("s")};
  batch.signals[0].score = std::nan("");
  auto refused = rows->apply(batch);
  CAF_CHECK(code_of(refused) == errc::invalid_argument);
  CAF_CHECK(message_of(refused).find("signal s cannot be stored: score") != std::string::npos);
  CAF_CHECK(must(rows->counts()) == store_counts{});
  CAF_CHECK(!must(rows->position({7, topic::bars, 0})));
  batch.signals.clear(), batch.features = {make_features(1)};
  batch.features[0].values[0].value = std::numeric_limits<double>::infinity();
  CAF_CHECK(code_of(rows->apply(batch)) == errc::invalid_argument);
}

CAF_TEST(bars are read by series and time in the order of their keys) {
  store_batch batch;
  for (auto start : {2, 0, 1})
    for (auto* symbol : {"b", "B", "A"})
      for (auto* provider : {"y", "x"}) batch.bars.push_back(make_bar(start, 0, symbol, provider));
  batch.bars.push_back(make_bar(0, 0, "A", "x", 60 * second));
  apply(batch);
  CAF_CHECK_EQUAL(bars({}), "1Ax0 1Ax1 1Ax2 1Ay0 1Ay1 1Ay2 1Bx0 1Bx1 1Bx2 1By0 1By1 1By2 1bx0 1bx1 1bx2 1by0 1by1 1by2 "
                            "60Ax0 ");
  CAF_CHECK_EQUAL(bars({.symbol = "A", .interval = second}), "1Ax0 1Ax1 1Ax2 1Ay0 1Ay1 1Ay2 ");
  CAF_CHECK_EQUAL(bars({.symbol = "B", .provider = "y", .from = at(1), .to = at(2)}), "1By1 ");
  CAF_CHECK_EQUAL(bars({.provider = "y", .to = at(1)}), "1Ay0 1By0 1by0 ");
  auto seen = 0;
  must(rows->bars({}, [&](const bar&) { return ++seen != 4; }));
  CAF_CHECK_EQUAL(seen, 4);
}

CAF_TEST(signals are read by series and time and by name) {
  apply({.signals = {make_signal("c", 2), make_signal("b", 1), make_signal("a", 1, "down"), make_signal("d", 3)}});
  auto read = [&](const signal_query& query) {
    std::string out;
    must(rows->signals(query, [&](const finstream::signal& x) { return out += x.signal_id, true; }));
    return out;
  };
  CAF_CHECK_EQUAL(read({}), "abcd");
  CAF_CHECK_EQUAL(read({.symbol = "SPY", .name = "up", .to = at(3)}), "bc");
  CAF_CHECK_EQUAL(read({.provider = "arca"}), "");
}

CAF_TEST(more rows than a page are all read) {
  store_batch batch;
  for (int i = 0; i < 5001; ++i) batch.bars.push_back(make_bar(i));
  CAF_CHECK_EQUAL(apply(batch).bars.applied, 5001u);
  std::int64_t next = 0;
  must(rows->bars({}, [&](const bar& x) { return x == make_bar(next++); }));
  CAF_CHECK_EQUAL(next, 5001);
}

CAF_TEST(any text is read back as it was and keeps its row apart) {
  store_batch batch;
  for (auto& x : hostile_texts()) {
    batch.bars.push_back(make_bar(1, 0, x, x));
    batch.signals.push_back(make_signal(x, 1, x));
    batch.job_runs.push_back(make_run(x, job_status::done, 1));
    batch.dead_letters.push_back(make_dead_letter(batch.dead_letters.size()));
    batch.dead_letters.back().bytes = batch.dead_letters.back().reason = x;
  }
  auto n = hostile_texts().size();
  CAF_CHECK(apply(batch).bars == (applied_rows{n, 0, 0}));
  CAF_CHECK(must(rows->counts()) == (store_counts{n, 0, n, n, n}));
  store_model model;
  model.apply(batch);
  CAF_CHECK(rows_of(*rows) == model.rows());
  for (auto& x : hostile_texts()) {
    CAF_CHECK(must(rows->find_signal(x)) == make_signal(x, 1, x));
    auto found = 0;
    if (x.empty()) continue; // of a query: any
    must(rows->bars({.symbol = x, .provider = x}, [&](const bar& b) { return ++found, b.symbol == x; }));
    CAF_CHECK_EQUAL(found, 1);
  }
}

CAF_TEST(random batches in any order give the rows of the model) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAF_MESSAGE("seed " << seed);
    std::vector<store_batch> batches;
    random_rows chance{seed};
    for (int i = 0; i < 12; ++i) batches.push_back(chance.batch());
    store_model model;
    for (auto& x : batches) model.apply(x);
    std::mt19937_64 order{seed};
    std::shuffle(batches.begin(), batches.end(), order);
    temp_dir place;
    store_home other{place.path()};
    auto into = other.open();
    for (auto& x : batches) must(into->apply(x));
    CAF_CHECK(rows_of(*into) == model.rows());
  }
}

CAF_TEST(random batches with contradictions are judged as by the embedded store in memory) {
  for (std::uint64_t seed = 11; seed <= 14; ++seed) {
    CAF_MESSAGE("seed " << seed);
    random_rows chance{seed, 2};
    auto memory = open_memory_bus();
    auto reference = open_embedded_store(*memory);
    temp_dir place;
    store_home other{place.path()};
    auto into = other.open();
    store_model model;
    for (int i = 0; i < 12; ++i) {
      auto batch = chance.batch();
      CAF_CHECK(must(into->apply(batch)) == must(reference->apply(batch)));
      model.apply(batch);
    }
    CAF_CHECK(rows_of(*into) == rows_of(*reference));
    CAF_CHECK(rows_of(*into) == model.rows());
  }
}

CAF_TEST(several threads may apply at once) {
  std::vector<std::thread> writers;
  std::vector<std::uint64_t> applied(4);
  for (std::size_t i = 0; i < 4; ++i)
    writers.emplace_back([&, i] {
      for (int k = 0; k < 20; ++k)
        if (auto receipt = rows->apply({.bars = {make_bar(k)}})) applied[i] += receipt->bars.applied;
    });
  for (auto& x : writers) x.join();
  CAF_CHECK_EQUAL(applied[0] + applied[1] + applied[2] + applied[3], 20u);
}

CAF_TEST_FIXTURE_SCOPE_END()
