// INTERNAL to runtime/store: one connection to PostgreSQL; texts in, texts out, and every failure a value. libpqxx is
// in the source of this and nowhere else.
//
// Every statement has a deadline twice: statement_timeout, which the server keeps, and five seconds later a watch that
// shuts the socket, for a server or a network that has stopped answering. After that, as after any loss of the
// connection, a session stays lost.
#pragma once

#include "runtime/store/row_cells.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace finstream {

struct postgres_options;

struct postgres_result {
  std::vector<row_cells::cells> rows;
  std::uint64_t affected = 0;
};

class postgres_transaction {
public:
  virtual ~postgres_transaction() = default;
  // Several statements may stand in `sql` where there are no parameters; $1 is the first of those.
  virtual expected<postgres_result> run(const std::string& sql, const row_cells::cells& parameters = {}) = 0;
  virtual expected<void> copy(const std::string& table, const std::vector<std::string>& columns,
                              const std::vector<row_cells::cells>& rows) = 0;
};

class postgres_session {
public:
  virtual ~postgres_session() = default;
  // All of `work` in one transaction, which is undone if it answers an error. `what` is for messages: "applying a
  // batch".
  virtual expected<void> transact(const char* what,
                                  const std::function<expected<void>(postgres_transaction&)>& work) = 0;
};

expected<std::unique_ptr<postgres_session>> open_postgres_session(const postgres_options& options);

} // namespace finstream
