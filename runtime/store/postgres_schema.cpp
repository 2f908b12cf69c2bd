#include "runtime/store/postgres_schema.hpp"

#include <algorithm>

namespace finstream::postgres_schema {

namespace {

constexpr const char* migration_lock = "7308895080342581358"; // "finstrea" and "n": a number no one else will think of

const table bars{"bars_ohlcv",
                 {"provider", "symbol",       "interval_ns", "start_ns",    "end_ns",      "open",
                  "high",     "low",          "close",       "volume",      "vwap",        "trades",
                  "first_ns", "last_ns",      "revision",    "state",       "coverage",    "flags",
                  "reason",   "first_offset", "last_offset", "schema_hash", "config_hash", "notional"},
                 {"interval_ns", "symbol", "provider", "start_ns"},
                 {"r.revision"},
                 {"interval_ns", "symbol", "provider", "start_ns"}};
const table features{"features",
                     {"provider", "symbol", "interval_ns", "start_ns", "end_ns", "close", "revision", "inputs_revision",
                      "first_offset", "last_offset", "feature_list", "schema_hash", "config_hash"},
                     {"interval_ns", "symbol", "provider", "start_ns"},
                     {"r.revision"},
                     {"interval_ns", "symbol", "provider", "start_ns"}};
const table signals{"signals",
                    {"ver",         "signal_id",    "provider",     "symbol",          "ts_ns",
                     "name",        "value",        "score",        "adapter",         "maker_hash",
                     "interval_ns", "bar_start_ns", "bar_revision", "inputs_start_ns", "close",
                     "inputs",      "first_offset", "last_offset",  "schema_hash",     "config_hash"},
                    {"signal_id"},
                    {},
                    {"symbol", "provider", "ts_ns", "signal_id"}};
const table job_runs{"job_runs",
                     {"id", "kind", "started_ns", "ended_ns", "row_count", "status", "config_hash", "detail"},
                     {"id"},
                     {"(r.status <> 'running')", "r.row_count"},
                     {"id"}};
const table dead_letters{"dead_letters",
                         {"epoch", "topic", "partition", "log_offset", "feed", "stage", "code", "reason",
                          "first_seen_ns", "last_seen_ns", "attempts", "bytes"},
                         {"epoch", "topic", "partition", "log_offset"},
                         {"r.attempts"},
                         {"epoch", "topic", "partition", "log_offset"}};

// The rank as a row of another name: "(t.revision)".
std::string rank_of(const table& x, const char* row) {
  std::vector<std::string> parts;
  for (auto part : x.rank) parts.push_back(part.replace(part.find("r."), 1, row));
  return "ROW(" + joined(parts) + ")";
}

std::vector<std::string> beside_key(const table& x) {
  std::vector<std::string> out;
  for (auto& c : x.columns)
    if (std::find(x.key.begin(), x.key.end(), c) == x.key.end()) out.push_back(c);
  return out;
}

} // namespace

const table& table_of(const bar&) { return bars; }
const table& table_of(const feature_vector&) { return features; }
const table& table_of(const signal&) { return signals; }
const table& table_of(const job_run&) { return job_runs; }
const table& table_of(const dead_letter_entry&) { return dead_letters; }

std::string joined(const std::vector<std::string>& parts, const char* prefix, const char* between) {
  std::string out;
  for (auto& x : parts) out += (out.empty() ? "" : between) + (prefix + x);
  return out;
}

std::string create_incoming(const table& x) {
  return "CREATE TEMPORARY TABLE " + x.incoming() + " AS SELECT " + joined(x.columns) + " FROM " + x.name +
         " WHERE false";
}

std::string count_conflicts(const table& x) {
  auto rest = beside_key(x);
  std::vector<std::string> same_key;
  for (auto& c : x.key) same_key.push_back("o." + c + " = s." + c);
  // LIMIT keeps the planner, which knows nothing of how many rows are incoming, from reading all of the table.
  auto sql = "SELECT count(*) FROM " + x.incoming() + " s, LATERAL (SELECT * FROM " + x.name + " o WHERE " +
             joined(same_key, "", " AND ") + " LIMIT 1) t WHERE ROW(" + joined(rest, "s.") + ") IS DISTINCT FROM ROW(" +
             joined(rest, "t.") + ")";
  return x.rank.empty() ? sql : sql + " AND " + rank_of(x, "s") + " = " + rank_of(x, "t");
}

std::string upsert(const table& x) {
  auto sql = "INSERT INTO " + x.name + " AS t (" + joined(x.columns) + ") SELECT " + joined(x.columns) + " FROM " +
             x.incoming() + " ORDER BY " + joined(x.key) + " ON CONFLICT (" + joined(x.key) + ") DO ";
  if (x.rank.empty()) return sql + "NOTHING";
  auto rest = beside_key(x);
  return sql + "UPDATE SET (" + joined(rest) + ") = ROW(" + joined(rest, "excluded.") + ") WHERE " +
         rank_of(x, "excluded") + " > " + rank_of(x, "t");
}

expected<void> migrate(postgres_session& session) {
  auto newest = static_cast<int>(migrations().size());
  // One migration a turn, and in the last turn none: whoever comes second finds the work done.
  for (auto done = false; !done;) {
    auto turn = session.transact("bringing the schema up to date", [&](postgres_transaction& tx) -> expected<void> {
      auto locked = tx.run(std::string{"SELECT pg_advisory_xact_lock("} + migration_lock + ")");
      if (!locked) return tl::unexpected{locked.error()};
      // Asked first, because who may not create tables may still use those that are there.
      auto known = tx.run("SELECT to_regclass('finstream_migrations')");
      if (!known) return tl::unexpected{known.error()};
      std::string before = known->rows[0][0] ? ""
                                             : "CREATE TABLE finstream_migrations (version INTEGER PRIMARY KEY,"
                                               " name TEXT NOT NULL, applied TIMESTAMPTZ NOT NULL DEFAULT now());";
      auto found = tx.run(before + "SELECT coalesce(max(version), 0) FROM finstream_migrations");
      if (!found) return tl::unexpected{found.error()};
      auto version = std::stoi(found->rows[0][0].value());
      if (version > newest)
        return fail(errc::incompatible, "the PostgreSQL database has tables of version " + std::to_string(version) +
                                          ", this program knows up to " + std::to_string(newest) +
                                          ": a newer one has used it; upgrade this one, or give it another database");
      if (done = version == newest; done) return {};
      auto& next = migrations()[static_cast<std::size_t>(version)];
      auto applied = tx.run(next.sql);
      if (!applied) return tl::unexpected{applied.error()};
      auto noted = tx.run("INSERT INTO finstream_migrations (version, name) VALUES ($1, $2)",
                          {std::to_string(next.version), next.name});
      return noted ? expected<void>{} : tl::unexpected{noted.error()};
    });
    if (!turn) return turn;
  }
  return {};
}

} // namespace finstream::postgres_schema
