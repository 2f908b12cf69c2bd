// INTERNAL to runtime/store: the tables of PostgreSQL as the driver sees them, and how a database is brought to this
// version of them. The tables themselves are made by migrations/NNNN_name.sql, which the build puts into the binary.
#pragma once

#include "runtime/store/postgres_session.hpp"
#include "runtime/store/store.hpp"

#include <span>
#include <string>
#include <vector>

namespace finstream::postgres_schema {

struct migration {
  int version;
  const char* name;
  const char* sql;
};
// In order of version, from 1, without holes. The build writes this function.
std::span<const migration> migrations();
// Each in a transaction of its own, under a lock that all nodes respect. Errors: incompatible, as for statements.
expected<void> migrate(postgres_session& session);

struct table {
  std::string name;
  std::vector<std::string> columns; // one for each field of the message, in its order
  std::vector<std::string> key;     // of those
  std::vector<std::string> rank;    // expressions over a row r; empty: the first row stays
  std::vector<std::string> order;   // in which rows are read

  std::string incoming() const { return "incoming_" + name; }
};
const table& table_of(const bar&);
const table& table_of(const feature_vector&);
const table& table_of(const signal&);
const table& table_of(const job_run&);
const table& table_of(const dead_letter_entry&);

// What a batch is copied into before it is judged; gone with the session. Emptied before each use and not at each
// commit, which would empty all five for a batch that needs one.
std::string create_incoming(const table& x);
// How many incoming rows have the key and rank of one that is there, and other content.
std::string count_conflicts(const table& x);
// Stores those incoming rows that are new or of a higher rank. In order of the keys, so that two writers that meet wait
// for each other and do not deadlock.
std::string upsert(const table& x);

std::string joined(const std::vector<std::string>& parts, const char* prefix = "", const char* between = ", ");

} // namespace finstream::postgres_schema
