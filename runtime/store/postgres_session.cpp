#include "runtime/store/postgres_session.hpp"

#include "runtime/store/hang_up_watch.hpp"
#include "runtime/store/store.hpp"

#include <pqxx/pqxx>
#include <pqxx/tablewriter>

namespace finstream {

namespace {

constexpr int hang_up_after_ms = 5000; // after the server should have given up by itself

// Ours first: of two settings with one name libpq takes the later. In an address they go to the end, if they are not
// there yet.
std::string with_limits(const postgres_options& options) {
  std::vector<std::pair<std::string, std::string>> ours{
    {"connect_timeout", std::to_string(options.connect_timeout_s)},
    {"application_name", "finstream"},
    {"keepalives_idle", "10"},
    {"tcp_user_timeout", std::to_string(options.statement_timeout_ms + hang_up_after_ms)}};
  auto out = options.connection;
  if (out.starts_with("postgres://") || out.starts_with("postgresql://")) {
    for (auto& [name, value] : ours)
      if (out.find(name + "=") == out.npos) out += (out.find('?') == out.npos ? "?" : "&") + name + "=" + value;
    return out;
  }
  for (auto& [name, value] : ours) out = name + "=" + value + " " + out;
  return out;
}

std::string first_line(std::string text) {
  text.erase(std::min(text.find('\n'), text.size()));
  return text;
}

// libpq gives no code for what goes wrong while connecting, only the sentence of the server: a refusal begins with
// FATAL.
failure connecting_failed(const std::string& why) {
  auto says = [&](const char* words) { return why.find(words) != why.npos; };
  auto message = "connecting to PostgreSQL failed: " + first_line(why);
  if (says("too many") || says("remaining connection slots")) return {errc::overloaded, message};
  if (says("starting up") || says("shutting down") || says("recovery")) return {errc::io_failure, message};
  if (says("timeout expired")) return {errc::timed_out, message};
  if (says("FATAL") || says("invalid") || says("missing") || says("no password supplied") || says("authentication"))
    return {errc::config_invalid, message + "; correct the connection string, or what the server allows"};
  return {errc::io_failure, message};
}

// By SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html
errc code_of(const std::string& state) {
  auto in = [&](const char* prefix) { return state.starts_with(prefix); };
  if (state == "53100") return errc::disk_full;
  if (in("53") || in("55P03") || in("40")) return errc::overloaded; // resources, locks, deadlocks: again later
  if (state == "57014") return errc::timed_out;
  if (in("42501") || in("28") || in("3D") || in("3F") || in("25006") || in("0A")) return errc::config_invalid;
  if (in("42")) return errc::incompatible; // a table or a column is not as we made it
  // What a row is, a rule of the operator's (a check, a trigger), or how much fits: the same row is refused again.
  if (in("22") || in("23") || in("44") || in("54") || in("P0")) return errc::invalid_argument;
  if (in("XX001") || in("XX002")) return errc::corrupt_record;
  return errc::io_failure;
}

template <class T> bool is(const std::exception& e) { return dynamic_cast<const T*>(&e) != nullptr; }

// Not every exception of libpqxx carries the code that the server gave: then the code that its type stands for. Empty
// if the server gave none, which is when it is gone.
std::string state_of(const std::exception& e) {
  if (auto* sql = dynamic_cast<const pqxx::sql_error*>(&e); sql != nullptr && !sql->sqlstate().empty())
    return sql->sqlstate();
  if (is<pqxx::insufficient_privilege>(e)) return "42501";
  if (is<pqxx::disk_full>(e)) return "53100";
  if (is<pqxx::insufficient_resources>(e)) return "53000";
  if (is<pqxx::feature_not_supported>(e)) return "0A000";
  if (is<pqxx::syntax_error>(e)) return "42601";
  if (is<pqxx::data_exception>(e)) return "22000";
  if (is<pqxx::integrity_constraint_violation>(e)) return "23000";
  if (is<pqxx::transaction_rollback>(e)) return "40000";
  return {};
}

const char* advice(errc code) {
  switch (code) {
  case errc::config_invalid: return "; docs/stores.md says what the role must be allowed to do";
  case errc::incompatible: return "; the tables are not those that this version made";
  case errc::disk_full: return "; free space on the server";
  default: return "";
  }
}

// As COPY reads it: tabs between cells, a backslash before what would end one.
std::string copy_line(const row_cells::cells& row) {
  std::string out;
  for (auto& cell : row) {
    if (&cell != row.data()) out += '\t';
    if (!cell) {
      out += "\\N";
      continue;
    }
    for (auto c : *cell) {
      switch (c) {
      case '\\': out += "\\\\"; break;
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      default: out += c;
      }
    }
  }
  return out;
}

class session : public postgres_session {
public:
  explicit session(const postgres_options& options)
    : connection_{with_limits(options)}, watch_{connection_.sock(), options.statement_timeout_ms + hang_up_after_ms} {}

  expected<void> transact(const char* what, const std::function<expected<void>(postgres_transaction&)>& work) override {
    // libpqxx would connect anew by itself, to a session without our settings.
    if (lost_ || !connection_.is_open())
      return fail(errc::io_failure, std::string{what} + " in PostgreSQL failed: the connection is lost; open another");
    try {
      return in_transaction(what, work);
    } catch (const std::exception& e) {
      return tl::unexpected{failure_of(what, e)};
    }
  }

private:
  class open_transaction : public postgres_transaction {
  public:
    open_transaction(session& owner, pqxx::work& tx, const char* what) : owner_{owner}, tx_{tx}, what_{what} {}

    expected<postgres_result> run(const std::string& sql, const row_cells::cells& parameters) override try {
      hang_up_watch::guard limit{owner_.watch_};
      std::vector<const char*> values;
      for (auto& x : parameters) values.push_back(x ? x->c_str() : nullptr);
      auto found =
        parameters.empty() ? tx_.exec(sql) : tx_.exec_params(sql, pqxx::prepare::make_dynamic_params(values));
      postgres_result out;
      out.affected = found.affected_rows();
      out.rows.reserve(found.size());
      for (auto row : found) {
        auto& cells = out.rows.emplace_back();
        for (auto cell : row)
          cells.push_back(cell.is_null() ? row_cells::cell{} : std::string{cell.c_str(), cell.size()});
      }
      return out;
    } catch (const std::exception& e) {
      return tl::unexpected{owner_.failure_of(what_, e)};
    }

    expected<void> copy(const std::string& table, const std::vector<std::string>& columns,
                        const std::vector<row_cells::cells>& rows) override try {
      hang_up_watch::guard limit{owner_.watch_};
// Of libpqxx's two ways to copy, the older: it takes a line as it is, the newer only rows whose width the compiler
// knows.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
      pqxx::tablewriter to{tx_, table, columns.begin(), columns.end()};
#pragma GCC diagnostic pop
      for (auto& row : rows) to.write_raw_line(copy_line(row));
      to.complete();
      return {};
    } catch (const std::exception& e) {
      return tl::unexpected{owner_.failure_of(what_, e)};
    }

  private:
    session& owner_;
    pqxx::work& tx_;
    const char* what_;
  };

  expected<void> in_transaction(const char* what, const std::function<expected<void>(postgres_transaction&)>& work) {
    std::unique_ptr<pqxx::work> tx;
    {
      hang_up_watch::guard limit{watch_};
      tx = std::make_unique<pqxx::work>(connection_);
    }
    open_transaction open{*this, *tx, what};
    auto outcome = work(open);
    hang_up_watch::guard limit{watch_}; // also over the rollback
    if (outcome) tx->commit();
    tx.reset();
    return outcome;
  }

  failure failure_of(const char* what, const std::exception& e) {
    auto message = std::string{what} + " in PostgreSQL failed: ";
    if (watch_.has_hung_up()) {
      lost_ = true;
      return {errc::timed_out, message + "no answer within the deadline; the connection was given up"};
    }
    if (is<pqxx::in_doubt_error>(e)) {
      lost_ = true;
      return {errc::io_failure, message + "the connection was lost while it was stored, so it may be; apply it again"};
    }
    if (auto state = state_of(e); !state.empty()) {
      auto code = code_of(state);
      lost_ = lost_ || state.starts_with("57P") || state.starts_with("08");
      return {code, message + first_line(e.what()) + " (" + state + ")" + advice(code)};
    }
    // Without a code: the server is gone, or the driver no longer knows what it talks about.
    lost_ = true;
    return {errc::io_failure, message + first_line(e.what())};
  }

  pqxx::connection connection_;
  hang_up_watch watch_;
  bool lost_ = false;
};

} // namespace

expected<std::unique_ptr<postgres_session>> open_postgres_session(const postgres_options& options) {
  std::unique_ptr<session> out;
  try {
    out = std::make_unique<session>(options);
  } catch (const std::exception& e) {
    return tl::unexpected{connecting_failed(e.what())};
  }
  auto set_up = out->transact("setting up a session", [&](postgres_transaction& tx) -> expected<void> {
    auto encoding = tx.run("SHOW server_encoding");
    if (!encoding) return tl::unexpected{encoding.error()};
    if (encoding->rows.at(0).at(0) != "UTF8")
      return fail(errc::config_invalid, "the PostgreSQL database has the encoding " + *encoding->rows[0][0] +
                                          "; create it with ENCODING 'UTF8'");
    auto limit = std::to_string(options.statement_timeout_ms);
    // What is sent is what is meant, whatever the role has been given as defaults.
    auto set = tx.run("SET client_encoding = 'UTF8'; SET client_min_messages = warning; SET TimeZone = 'UTC';"
                      "SET standard_conforming_strings = on; SET extra_float_digits = 1; SET bytea_output = 'hex';"
                      "SET statement_timeout = " +
                      limit + "; SET idle_in_transaction_session_timeout = " + limit);
    return set ? expected<void>{} : tl::unexpected{set.error()};
  });
  if (!set_up) return tl::unexpected{set_up.error()};
  return out;
}

} // namespace finstream
