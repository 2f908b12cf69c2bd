// What storing bars and features costs, beside plain INSERTs, a statement a row, and beside what the server needs to
// write rows that it has already into a table without a judge. store_bench CONNECTION: the database's tables are
// filled, so give it one of its own.
#include "runtime/clock/clock.hpp"
#include "runtime/store/row_cells.hpp"
#include "runtime/store/store.hpp"

#include <cstdio>
#include <cstdlib>
#include <pqxx/pqxx>
#include <string>
#include <vector>

namespace {

using namespace finstream;

constexpr std::size_t rows_a_case = 60'000;
constexpr timestamp begin{1'795'252'200'000'000'000};

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "store_bench: %s\n", why.c_str());
  std::exit(1);
}
template <class T> T must(expected<T> x) {
  if (!x) give_up(x.error().message);
  return std::move(*x);
}

// Of 100 symbols, second after second; `series` keeps the cases apart.
bar make_bar(std::size_t i, const std::string& series) {
  bar x;
  x.provider = series, x.symbol = "SYM" + std::to_string(i % 100), x.interval = second;
  x.start = begin + static_cast<std::int64_t>(i / 100) * second, x.end = x.start + second;
  auto units = static_cast<std::int64_t>(42'515 + i % 97) * 10'000'000;
  x.open = x.high = x.low = x.close = {{units}};
  x.volume = {{1200 * units_per_one}}, x.vwap = x.close, x.traded = multiply(x.close, x.volume);
  x.trades = 40, x.first_ts = x.start, x.last_ts = x.end, x.first_offset = i * 40, x.last_offset = i * 40 + 39;
  x.schema = 0x1234567890abcdef, x.config_hash = 0xfedcba0987654321;
  return x;
}
feature_vector make_features(std::size_t i, const std::string& series) {
  feature_vector x;
  auto of = make_bar(i, series);
  x.provider = of.provider, x.symbol = of.symbol, x.interval = of.interval, x.start = of.start, x.end = of.end;
  x.close = of.close, x.first_offset = of.first_offset, x.last_offset = of.last_offset;
  for (int k = 0; k < 10; ++k) {
    auto& v = x.values.emplace_back();
    v.name = "feature_" + std::to_string(k) + "_5m", v.value = 0.001 * static_cast<double>(i % 1000) + k, v.n = 300;
    v.window_start = x.end - 300 * second;
  }
  return x;
}

void measure(const char* name, std::size_t rows, auto work) {
  auto before = system_clock().monotonic();
  work();
  auto seconds = static_cast<double>(system_clock().monotonic() - before) * 1e-9;
  std::printf("{\"name\":\"%s\",\"rows_per_second\":%.0f}\n", name, static_cast<double>(rows) / seconds);
}

void apply_all(store& into, std::size_t rows, std::size_t rows_a_batch, const std::string& series, bool features) {
  for (std::size_t i = 0; i < rows; i += rows_a_batch) {
    store_batch batch;
    for (auto k = i; k < i + rows_a_batch; ++k)
      features ? batch.features.push_back(make_features(k, series)) : batch.bars.push_back(make_bar(k, series));
    batch.positions = {{{1, topic::bars, 0}, i}};
    must(into.apply(batch));
  }
}

constexpr const char* columns =
  "provider, symbol, interval_ns, start_ns, end_ns, open, high, low, close, volume, vwap, "
  "trades, first_ns, last_ns, revision, state, coverage, flags, reason, first_offset, "
  "last_offset, schema_hash, config_hash, notional";

void insert_all(pqxx::connection& to, const std::string& statement, std::size_t rows, std::size_t rows_a_transaction,
                const std::string& series) {
  to.prepare(statement, [] {
    std::string sql = std::string{"INSERT INTO bars_ohlcv ("} + columns + ") VALUES (";
    for (int i = 1; i <= 24; ++i) sql += (i == 1 ? "$" : ", $") + std::to_string(i);
    return sql + ")";
  }());
  for (std::size_t i = 0; i < rows; i += rows_a_transaction) {
    pqxx::work tx{to};
    for (auto k = i; k < i + rows_a_transaction; ++k) {
      auto cells = row_cells::from_row(make_bar(k, series));
      std::vector<const char*> values;
      for (auto& x : cells) values.push_back(x ? x->c_str() : nullptr);
      tx.exec_prepared(statement, pqxx::prepare::make_dynamic_params(values));
    }
    tx.commit();
  }
}

} // namespace

int main(int argc, char** argv) try {
  if (argc != 2) give_up("usage: store_bench CONNECTION, such as \"host=/run/postgresql dbname=bench\"");
  auto rows = must(open_postgres_store({argv[1]}));
  pqxx::connection plain{argv[1]};
  auto bars = [&](std::size_t n, std::size_t batch, const char* series) {
    return [&rows, n, batch, series] { apply_all(*rows, n, batch, series, false); };
  };
  measure("bars, batches of 5000", rows_a_case, bars(rows_a_case, 5000, "a"));
  measure("bars, batches of 1000", rows_a_case, bars(rows_a_case, 1000, "b"));
  measure("bars, batches of 100", rows_a_case / 4, bars(rows_a_case / 4, 100, "c"));
  measure("bars, batches of 10", rows_a_case / 20, bars(rows_a_case / 20, 10, "d"));
  measure("bars that are there already, batches of 1000", rows_a_case, bars(rows_a_case, 1000, "b"));
  measure("feature vectors of 10 values, batches of 1000", rows_a_case / 2,
          [&] { apply_all(*rows, rows_a_case / 2, 1000, "a", true); });
  measure("plain INSERT of bars, prepared, transactions of 1000", rows_a_case / 4,
          [&] { insert_all(plain, "by_thousand", rows_a_case / 4, 1000, "e"); });
  measure("plain INSERT of bars, prepared, a transaction each", rows_a_case / 20,
          [&] { insert_all(plain, "by_one", rows_a_case / 20, 1, "f"); });
  measure("from table to table inside the server", rows_a_case, [&] {
    pqxx::work tx{plain};
    tx.exec("CREATE TEMPORARY TABLE twin (LIKE bars_ohlcv INCLUDING ALL)");
    tx.exec(std::string{"INSERT INTO twin ("} + columns + ") SELECT " + columns +
            " FROM bars_ohlcv WHERE provider = 'b'");
    tx.commit();
  });
  auto memory = open_memory_bus();
  auto embedded = open_embedded_store(*memory);
  measure("embedded in memory, batches of 1000", rows_a_case,
          [&] { apply_all(*embedded, rows_a_case, 1000, "a", false); });
  return 0;
} catch (const std::exception& e) {
  give_up(e.what());
}
