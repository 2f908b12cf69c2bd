// PostgreSQL in use: what its operators and its failures do to a store.
#define CAF_SUITE store_postgres_operation

#include "tests/runtime/store_language.hpp"
#include "tests/support/postgres_server.hpp"

#include <atomic>

using namespace finstream;
using namespace finstream::test;

namespace {

postgres_server& server() {
  static postgres_server one;
  return one;
}

std::string ask(const std::string& connection, const std::string& sql) {
  pqxx::connection to{connection};
  pqxx::nontransaction tx{to};
  std::string out;
  for (auto row : tx.exec(sql))
    for (auto cell : row) out += (out.empty() ? "" : " ") + (cell.is_null() ? "null" : std::string{cell.c_str()});
  return out;
}

expected<std::unique_ptr<store>> open(const std::string& connection, int statement_timeout_ms = 30'000) {
  return open_postgres_store({connection, 5, statement_timeout_ms});
}
bool says(const failure& e, const std::string& words) { return e.message.find(words) != std::string::npos; }

// The process that serves the store which is open on this database.
pid_t backend_of(const std::string& connection) {
  return std::stoi(ask(connection, "SELECT pid FROM pg_stat_activity WHERE application_name = 'finstream'"
                                   " AND datname = current_database()"));
}

// Batch number n: some rows, and the position after it.
constexpr std::uint64_t rows_a_batch = 400;
store_batch numbered_batch(std::uint64_t n) {
  auto out = position_at(n + 1);
  for (std::uint64_t i = 0; i < rows_a_batch; ++i)
    out.bars.push_back(make_bar(static_cast<std::int64_t>(n * rows_a_batch + i)));
  out.signals = {make_signal(std::to_string(n))};
  return out;
}

} // namespace

CAF_TEST(rows and position agree when the server is killed in the middle) {
  auto connection = server().database();
  std::uint64_t next = 0;
  std::mt19937 chance{4711};
  for (int round = 0; round < 4; ++round) {
    std::atomic<std::uint64_t> acknowledged{next};
    std::thread writer{[&, first = next] {
      auto rows = open(connection);
      for (auto n = first; rows; ++n) {
        if (!(*rows)->apply(numbered_batch(n))) return;
        acknowledged = n + 1;
      }
    }};
    while (acknowledged < next + 3) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    std::this_thread::sleep_for(std::chrono::microseconds{chance() % 20'000});
    server().kill();
    writer.join();
    server().start();
    auto rows = must(open(connection));
    next = next_of(*rows, {7, topic::bars, 0});
    // All that was acknowledged, and perhaps the one whose receipt did not come.
    CAF_CHECK(next >= acknowledged && next <= acknowledged + 1);
    auto counts = must(rows->counts());
    CAF_CHECK_EQUAL(counts.bars, next * rows_a_batch);
    CAF_CHECK_EQUAL(counts.signals, next);
  }
}

CAF_TEST(opening several times at once runs each migration once) {
  auto connection = server().database();
  std::vector<std::thread> openers;
  std::vector<std::string> outcomes(6);
  for (auto& x : outcomes)
    openers.emplace_back([&connection, &x] {
      auto opened = open(connection);
      x = opened ? "open" : opened.error().message;
    });
  for (auto& x : openers) x.join();
  for (auto& x : outcomes) CAF_CHECK_EQUAL(x, "open");
  CAF_CHECK_EQUAL(ask(connection, "SELECT version, name FROM finstream_migrations ORDER BY version"),
                  "1 tables 2 hypertables");
}

CAF_TEST(a database of a newer version is refused with both versions) {
  auto connection = server().database();
  must(open(connection));
  ask(connection, "INSERT INTO finstream_migrations (version, name) VALUES (999, 'from_the_future')");
  auto refused = open(connection);
  CAF_REQUIRE(!refused);
  CAF_CHECK(refused.error().code == errc::incompatible);
  CAF_CHECK(says(refused.error(), "has tables of version 999, this program knows up to 2: a newer one has used it"));
  CAF_CHECK(!is_temporary(refused.error().code));
}

CAF_TEST(what an operator must correct is no reason to try again) {
  auto connection = server().database();
  auto code = [](const std::string& x) { return code_of(open(x)); };
  CAF_CHECK(code(server().connection("nosuchdatabase")) == errc::config_invalid);
  CAF_CHECK(code(connection + " user=nobody_there") == errc::config_invalid);
  CAF_CHECK(code("what is this") == errc::config_invalid);
  CAF_CHECK(code("hots=localhost") == errc::config_invalid);
  auto latin = server().database("ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
  auto refused = open(latin);
  CAF_REQUIRE(!refused);
  CAF_CHECK(refused.error().code == errc::config_invalid);
  CAF_CHECK(says(refused.error(), "encoding LATIN1; create it with ENCODING 'UTF8'"));
  // Where there is no server there may be one soon.
  temp_dir empty;
  CAF_CHECK(code("host=" + empty.path() + " dbname=x") == errc::io_failure);
}

CAF_TEST(a role needs to own nothing once the tables are there) {
  auto connection = server().database();
  ask(connection, "DROP ROLE IF EXISTS writer; DROP ROLE IF EXISTS stranger;"
                  "CREATE ROLE writer LOGIN; CREATE ROLE stranger LOGIN");
  must(open(connection));
  ask(connection, "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
                  "GRANT SELECT ON finstream_migrations TO writer;"
                  "GRANT SELECT, INSERT, UPDATE ON bars_ohlcv, features, signals, job_runs, dead_letters,"
                  " finstream_positions TO writer");
  auto rows = must(open(connection + " user=writer"));
  CAF_CHECK_EQUAL(must(rows->apply(numbered_batch(0))).bars.applied, rows_a_batch);
  auto refused = open(connection + " user=stranger");
  CAF_REQUIRE(!refused);
  CAF_CHECK(refused.error().code == errc::config_invalid);
  CAF_CHECK(says(refused.error(), "permission denied"));
}

CAF_TEST(a batch that waits too long for a lock leaves no trace and can be applied later) {
  auto connection = server().database();
  auto rows = must(open(connection, 300));
  must(rows->apply(numbered_batch(0)));
  {
    pqxx::connection other{connection};
    pqxx::work tx{other};
    tx.exec("LOCK TABLE finstream_positions"); // the last that a batch touches
    auto late = rows->apply(numbered_batch(1));
    CAF_REQUIRE(!late);
    CAF_CHECK(late.error().code == errc::timed_out);
    CAF_CHECK(says(late.error(), "applying a batch in PostgreSQL failed"));
  }
  CAF_CHECK_EQUAL(must(rows->counts()).bars, rows_a_batch);
  CAF_CHECK_EQUAL(must(rows->apply(numbered_batch(1))).bars.applied, rows_a_batch);
}

CAF_TEST(a server that is frozen is given up) {
  auto connection = server().database();
  auto rows = must(open(connection, 100));
  auto backend = backend_of(connection);
  ::kill(backend, SIGSTOP);
  auto late = rows->apply(numbered_batch(0));
  ::kill(backend, SIGCONT);
  CAF_REQUIRE(!late);
  CAF_CHECK(late.error().code == errc::timed_out);
  CAF_CHECK(code_of(rows->health()) == errc::io_failure); // and stays lost
  rows = must(open(connection));
  CAF_CHECK_EQUAL(must(rows->apply(numbered_batch(0))).bars.applied, rows_a_batch);
}

CAF_TEST(a lost connection is said and another goes on) {
  auto connection = server().database();
  auto rows = must(open(connection));
  must(rows->apply(numbered_batch(0)));
  ask(connection, "SELECT pg_terminate_backend(" + std::to_string(backend_of(connection)) + ")");
  auto lost = rows->apply(numbered_batch(1));
  CAF_CHECK(code_of(lost) == errc::io_failure);
  CAF_CHECK(is_temporary(code_of(lost)));
  CAF_CHECK(message_of(rows->health()).find("open another") != std::string::npos);
  rows = must(open(connection));
  CAF_CHECK_EQUAL(next_of(*rows, {7, topic::bars, 0}), 1u);
}

CAF_TEST(a server that only reads is refused) {
  auto connection = server().database();
  auto rows = must(open(connection));
  auto refused = open(connection + " options='-c default_transaction_read_only=on'");
  CAF_CHECK(code_of(refused) == errc::config_invalid);
  CAF_CHECK(rows->health().has_value());
}

CAF_TEST(people find times and values in columns of their own) {
  auto connection = server().database();
  auto rows = must(open(connection));
  store_batch batch;
  auto x = make_bar(0);
  x.start = must(parse_timestamp("2026-11-21T14:02:01.123456789Z"));
  x.close = {{425'150'000'000}}, x.config_hash = 0xab;
  batch.bars = {x}, batch.features = {make_features(1)};
  must(rows->apply(batch));
  CAF_CHECK_EQUAL(ask(connection, "SELECT start_time AT TIME ZONE 'UTC', start_ns % 1000, close, vwap, config_hash"
                                  " FROM bars_ohlcv"),
                  "2026-11-21 14:02:01.123456 789 425.150000000 null 00000000000000ab");
  CAF_CHECK_EQUAL(ask(connection, "SELECT symbol, name, value, warm FROM feature_values"), "SPY vol_5m 0.25 f");
}

CAF_TEST(a connection may be given as an address) {
  auto settings = server().database();
  auto host = settings.substr(5, settings.find(' ') - 5);
  auto name = settings.substr(settings.rfind('=') + 1);
  CAF_CHECK(code_of(open("postgresql://finstream@/" + name + "?host=" + host)) == errc::none);
  CAF_CHECK(code_of(open("postgres://finstream@/nosuchdatabase?connect_timeout=9&host=" + host)) ==
            errc::config_invalid);
}

CAF_TEST(the queries of the documentation run) {
  auto connection = server().database();
  must(open(connection));
  std::stringstream page;
  page << std::ifstream{FINSTREAM_SOURCE_DIR "/docs/stores.md"}.rdbuf();
  auto text = page.str();
  auto queries = 0;
  const std::string begin = "```sql\n";
  for (auto at = text.find(begin); at != text.npos; at = text.find(begin, at + 1), ++queries)
    ask(connection, text.substr(at + begin.size(), text.find("```", at + begin.size()) - at - begin.size()));
  CAF_CHECK_EQUAL(queries, 6);
}
