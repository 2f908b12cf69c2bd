// A STORE outside the log: what a node has made, by key and range, where other programs can ask for it. The contract
// that every driver keeps and that tests/contracts/store_contract.hpp checks on each.
//
// clang-format off
// Atomicity   apply() stores all rows and positions of a batch, or none of it, also across a crash of either side.
// Repetition  Applying the same batch again changes nothing. So whoever does not know whether a batch was stored (the
//             connection was lost before the receipt) applies it again.
// Revisions   Of two rows with one key the higher rank stays (see `rank` at each row), whichever came first. Equal rank
//             and equal content is nothing new. Equal rank and different content is a conflict: what is there stays, and
//             the receipt counts it. A signal has one rank only: the first stays.
// Positions   Only ever move forward. What position() answers covers exactly the batches that are stored.
// Texts       Any bytes are stored and read back as they were. Numbers are exact in their whole range; a double that is
//             not finite is refused with errc::invalid_argument.
// Order       Reads visit rows in the order that is named at each, texts by their bytes. (Texts that are not UTF-8, or hold
//             a zero byte, have a place in it too, but not the same with every driver.)
// Threads     Every function may be called from any thread and is answered one at a time; so `visit` must not call the
//             store.
// Deadlines   Every call ends within the driver's timeout. A store whose connection is lost stays lost: open another.
// Errors      io_failure, disk_full, timed_out, overloaded (temporary); invalid_argument, corrupt_record, config_invalid,
//             incompatible (lasting).
// clang-format on
#pragma once

#include "messages/event/bar.hpp"
#include "messages/event/feature.hpp"
#include "messages/event/job_run.hpp"
#include "messages/event/signal.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/store/bar_store.hpp"
#include "runtime/store/feature_store.hpp"
#include "runtime/store/signal_store.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

// Where in the log something lies that could not be used, and what became of it. Rank: the attempts.
struct dead_letter_entry {
  std::uint64_t epoch = 0;
  topic where = topic::dead_letters;
  std::uint16_t partition = 0;
  std::uint64_t offset = 0; // with epoch, topic and partition: the key
  std::string feed;         // the feed it came from
  std::string stage;        // what could not use it: "ingestor", "window", "store/postgres"
  errc code = errc::none;
  std::string reason;
  timestamp first_seen;
  timestamp last_seen;
  std::uint32_t attempts = 1;
  std::string bytes; // as they came, cut at dead_letter_max_bytes

  friend bool operator==(const dead_letter_entry&, const dead_letter_entry&) = default;
};
template <of<dead_letter_entry> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"epoch", x.epoch}, field{"topic", x.where}, field{"partition", x.partition}, field{"offset", x.offset},
           field{"feed", x.feed}, field{"stage", x.stage}, field{"code", x.code}, field{"reason", x.reason},
           field{"first_seen", x.first_seen}, field{"last_seen", x.last_seen}, field{"attempts", x.attempts},
           field{"bytes", x.bytes});
}

// A topic and partition of one log: offsets begin anew in each epoch.
struct log_stream {
  std::uint64_t epoch = 0;
  topic where = topic::bars;
  std::uint16_t partition = 0;

  friend auto operator<=>(const log_stream&, const log_stream&) = default;
};
struct stream_position {
  log_stream stream;
  std::uint64_t next = 0; // everything before this offset is stored
};

struct store_batch {
  std::vector<bar> bars{};                // key (interval, symbol, provider, start); rank: revision
  std::vector<feature_vector> features{}; // the same
  std::vector<signal> signals{};          // key signal_id; no rank
  std::vector<job_run> job_runs{};        // key id
  std::vector<dead_letter_entry> dead_letters{};
  std::vector<stream_position> positions{};
};

struct applied_rows {
  std::uint64_t applied = 0;   // new, or of a higher rank
  std::uint64_t ignored = 0;   // known, or of a lower rank
  std::uint64_t conflicts = 0; // of the same rank and other content

  friend bool operator==(const applied_rows&, const applied_rows&) = default;
};
struct store_receipt {
  applied_rows bars, features, signals, job_runs, dead_letters;

  friend bool operator==(const store_receipt&, const store_receipt&) = default;
};

// How many rows there are.
struct store_counts {
  std::uint64_t bars = 0, features = 0, signals = 0, job_runs = 0, dead_letters = 0;

  friend bool operator==(const store_counts&, const store_counts&) = default;
};

class store {
public:
  virtual ~store() = default;

  virtual expected<store_receipt> apply(const store_batch& batch) = 0;
  // The offset at which to go on; nothing if nothing of this stream was ever stored.
  virtual expected<std::optional<std::uint64_t>> position(const log_stream& stream) = 0;
  // Nothing, or why applying would fail now.
  virtual expected<void> health() = 0;

  // Until `visit` returns false. By interval, symbol, provider, start.
  virtual expected<void> bars(const bar_query& query, const std::function<bool(const bar&)>& visit) = 0;
  virtual expected<void> features(const feature_query& query,
                                  const std::function<bool(const feature_vector&)>& visit) = 0;
  // By symbol, provider, ts, signal_id.
  virtual expected<void> signals(const signal_query& query, const std::function<bool(const signal&)>& visit) = 0;
  virtual expected<std::optional<signal>> find_signal(const std::string& signal_id) = 0;
  // By id.
  virtual expected<void> job_runs(const std::function<bool(const job_run&)>& visit) = 0;
  // By epoch, topic (its name), partition, offset.
  virtual expected<void> dead_letters(const std::function<bool(const dead_letter_entry&)>& visit) = 0;
  virtual expected<store_counts> counts() = 0;
};

// In tables of a bus, which must live longer; bars, features and signals in those that the log itself writes. One store
// a bus: what another writes at the same time may be lost.
std::unique_ptr<store> open_embedded_store(bus& log);

struct postgres_options {
  std::string connection; // "host=... dbname=... user=...", or postgresql://...
  int connect_timeout_s = 5;
  int statement_timeout_ms = 30'000; // of each statement; where the server does not keep it, the client hangs up
};
// Brings the schema up to date first; several may do so at once. Errors: config_invalid (no such database, not allowed,
// or a build without PostgreSQL), incompatible (the schema is of a newer version), and the temporary ones.
expected<std::unique_ptr<store>> open_postgres_store(const postgres_options& options);
// Of the server that answers, such as "15.8"; nothing is written. Errors: as above.
expected<std::string> postgres_version(const postgres_options& options);

} // namespace finstream
