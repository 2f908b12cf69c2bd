// The store in PostgreSQL. A batch is copied into temporary tables, judged there against what is stored, and taken over
// in one statement a table: as fast as copying allows, and with the revision law in the database, where other writers
// cannot get between.
#include "runtime/store/postgres_schema.hpp"
#include "runtime/store/store_rules.hpp"

#include <algorithm>
#include <map>
#include <mutex>

namespace finstream {

namespace {

using postgres_schema::joined;
using postgres_schema::table_of;
using row_cells::cells;

constexpr const char* rows_a_page = "2000"; // what a read keeps in memory

// "WHERE a = $1 AND b < $2", and the values.
class conditions {
public:
  void add(const std::string& expression, std::string value) {
    values_.emplace_back(std::move(value));
    text_ += (text_.empty() ? " WHERE " : " AND ") + expression + "$" + std::to_string(values_.size());
  }
  void add_name(const std::string& column, const std::string& name) {
    if (!name.empty()) add(column + " = ", row_cells::text_to_cell(name));
  }
  template <class Query> void add_series(const Query& query, const std::string& time) {
    add_name("symbol", query.symbol);
    add_name("provider", query.provider);
    add(time + " >= ", std::to_string(query.from.ns));
    add(time + " < ", std::to_string(query.to.ns));
  }
  const std::string& text() const { return text_; }
  const cells& values() const { return values_; }

private:
  std::string text_;
  cells values_;
};

class postgres_store : public store {
public:
  explicit postgres_store(std::unique_ptr<postgres_session> session) : session_{std::move(session)} {}

  expected<void> prepare() {
    if (auto current = postgres_schema::migrate(*session_); !current) return current;
    return session_->transact("preparing to write", [](postgres_transaction& tx) -> expected<void> {
      for (auto* x : {&table_of(bar{}), &table_of(feature_vector{}), &table_of(signal{}), &table_of(job_run{}),
                      &table_of(dead_letter_entry{})})
        if (auto made = tx.run(create_incoming(*x)); !made) return tl::unexpected{made.error()};
      return {};
    });
  }

  expected<store_receipt> apply(const store_batch& batch) override {
    if (auto sound = store_rules::check(batch); !sound) return tl::unexpected{sound.error()};
    std::lock_guard guard{mutex_};
    store_receipt counts;
    auto applied = session_->transact("applying a batch", [&](postgres_transaction& tx) -> expected<void> {
      return add(tx, batch.bars, counts.bars)
        .and_then([&] { return add(tx, batch.features, counts.features); })
        .and_then([&] { return add(tx, batch.signals, counts.signals); })
        .and_then([&] { return add(tx, batch.job_runs, counts.job_runs); })
        .and_then([&] { return add(tx, batch.dead_letters, counts.dead_letters); })
        .and_then([&] { return add(tx, batch.positions); });
    });
    return applied.map([&] { return counts; });
  }

  expected<std::optional<std::uint64_t>> position(const log_stream& stream) override {
    auto found =
      ask("reading a position",
          "SELECT next_offset FROM finstream_positions WHERE epoch = $1 AND topic = $2 AND partition = $3",
          {std::to_string(stream.epoch), std::string{to_string(stream.where)}, std::to_string(stream.partition)});
    if (!found) return tl::unexpected{found.error()};
    if (found->rows.empty()) return std::optional<std::uint64_t>{};
    return std::optional{std::stoull(found->rows[0][0].value())};
  }

  expected<void> health() override {
    auto found = ask("asking for health", "SHOW transaction_read_only", {});
    if (!found) return tl::unexpected{found.error()};
    if (found->rows.at(0).at(0) != "on") return {};
    return fail(errc::config_invalid,
                "the PostgreSQL server only reads: it is a standby, or set to default_transaction_"
                "read_only; connect to the primary (target_session_attrs=read-write)");
  }

  expected<void> bars(const bar_query& query, const std::function<bool(const bar&)>& visit) override {
    return visit_rows("reading bars", of_intervals(query), visit);
  }
  expected<void> features(const feature_query& query,
                          const std::function<bool(const feature_vector&)>& visit) override {
    return visit_rows("reading features", of_intervals(query), visit);
  }
  expected<void> signals(const signal_query& query, const std::function<bool(const signal&)>& visit) override {
    conditions where;
    where.add_series(query, "ts_ns");
    where.add_name("name", query.name);
    return visit_rows("reading signals", where, visit);
  }
  expected<std::optional<signal>> find_signal(const std::string& signal_id) override {
    conditions where;
    where.add("signal_id = ", row_cells::text_to_cell(signal_id));
    std::optional<signal> found;
    auto read = visit_rows<signal>("reading a signal", where, [&](const signal& x) { return found = x, false; });
    return read.map([&] { return found; });
  }
  expected<void> job_runs(const std::function<bool(const job_run&)>& visit) override {
    return visit_rows("reading job runs", {}, visit);
  }
  expected<void> dead_letters(const std::function<bool(const dead_letter_entry&)>& visit) override {
    return visit_rows("reading dead letters", {}, visit);
  }

  expected<store_counts> counts() override {
    auto found = ask("counting",
                     "SELECT (SELECT count(*) FROM bars_ohlcv), (SELECT count(*) FROM features),"
                     " (SELECT count(*) FROM signals), (SELECT count(*) FROM job_runs),"
                     " (SELECT count(*) FROM dead_letters)",
                     {});
    if (!found) return tl::unexpected{found.error()};
    auto number = [&](std::size_t i) { return std::stoull(found->rows.at(0).at(i).value()); };
    return store_counts{number(0), number(1), number(2), number(3), number(4)};
  }

private:
  template <class Row>
  static expected<void> add(postgres_transaction& tx, const std::vector<Row>& rows, applied_rows& counts) {
    if (rows.empty()) return {};
    std::vector<cells> lines;
    for (auto* x : store_rules::settle(rows, counts)) lines.push_back(row_cells::from_row(*x));
    auto& into = table_of(Row{});
    if (auto emptied = tx.run("TRUNCATE " + into.incoming()); !emptied) return tl::unexpected{emptied.error()};
    if (auto copied = tx.copy(into.incoming(), into.columns, lines); !copied) return copied;
    auto stored = tx.run(upsert(into));
    if (!stored) return tl::unexpected{stored.error()};
    counts.applied += stored->affected;
    if (stored->affected == lines.size()) return {};
    // The rows are locked by now, those too that stayed as they were: nobody can change the answer.
    auto conflicts = tx.run(count_conflicts(into));
    if (!conflicts) return tl::unexpected{conflicts.error()};
    auto differing = std::stoull(conflicts->rows.at(0).at(0).value());
    counts.conflicts += differing;
    counts.ignored += lines.size() - stored->affected - differing;
    return {};
  }

  static expected<void> add(postgres_transaction& tx, const std::vector<stream_position>& positions) {
    std::map<log_stream, std::uint64_t> next; // in order, as the rows are: see upsert()
    for (auto& x : positions) next[x.stream] = std::max(next[x.stream], x.next);
    for (auto& [stream, offset] : next) {
      auto stored = tx.run("INSERT INTO finstream_positions AS t (epoch, topic, partition, next_offset)"
                           " VALUES ($1, $2, $3, $4) ON CONFLICT (epoch, topic, partition) DO UPDATE"
                           " SET next_offset = excluded.next_offset, updated = now()"
                           " WHERE excluded.next_offset > t.next_offset",
                           {std::to_string(stream.epoch), std::string{to_string(stream.where)},
                            std::to_string(stream.partition), std::to_string(offset)});
      if (!stored) return tl::unexpected{stored.error()};
    }
    return {};
  }

  template <class Query> static conditions of_intervals(const Query& query) {
    conditions where;
    if (query.interval != 0) where.add("interval_ns = ", std::to_string(query.interval));
    where.add_series(query, "start_ns");
    return where;
  }

  expected<postgres_result> ask(const char* what, const std::string& sql, const cells& parameters) {
    std::lock_guard guard{mutex_};
    postgres_result out;
    auto asked = session_->transact(what, [&](postgres_transaction& tx) -> expected<void> {
      auto found = tx.run(sql, parameters);
      if (!found) return tl::unexpected{found.error()};
      out = std::move(*found);
      return {};
    });
    return asked.map([&] { return std::move(out); });
  }

  // Page by page, from one snapshot of the table.
  template <class Row>
  expected<void> visit_rows(const char* what, const conditions& where, const std::function<bool(const Row&)>& visit) {
    std::lock_guard guard{mutex_};
    auto& from = table_of(Row{});
    return session_->transact(what, [&](postgres_transaction& tx) -> expected<void> {
      auto opened = tx.run("DECLARE page NO SCROLL CURSOR FOR SELECT " + joined(from.columns) + " FROM " + from.name +
                             where.text() + " ORDER BY " + joined(from.order),
                           where.values());
      if (!opened) return tl::unexpected{opened.error()};
      for (;;) {
        auto page = tx.run(std::string{"FETCH "} + rows_a_page + " FROM page");
        if (!page) return tl::unexpected{page.error()};
        if (page->rows.empty()) return {};
        for (auto& line : page->rows) {
          auto row = row_cells::to_row<Row>({line.begin(), line.end()});
          if (!row) return tl::unexpected{row.error()};
          if (!visit(*row)) return {};
        }
      }
    });
  }

  std::unique_ptr<postgres_session> session_;
  std::mutex mutex_;
};

} // namespace

expected<std::unique_ptr<store>> open_postgres_store(const postgres_options& options) {
  auto session = open_postgres_session(options);
  if (!session) return tl::unexpected{session.error()};
  auto out = std::make_unique<postgres_store>(std::move(*session));
  if (auto prepared = out->prepare(); !prepared) return tl::unexpected{prepared.error()};
  return out;
}

expected<std::string> postgres_version(const postgres_options& options) {
  auto session = open_postgres_session(options);
  if (!session) return tl::unexpected{session.error()};
  std::string version;
  auto asked = (*session)->transact("asking for the version", [&](postgres_transaction& tx) -> expected<void> {
    auto answer = tx.run("SHOW server_version");
    if (!answer) return tl::unexpected{answer.error()};
    version = answer->rows.at(0).at(0).value_or("unknown");
    return {};
  });
  if (!asked) return tl::unexpected{asked.error()};
  return version;
}

} // namespace finstream
