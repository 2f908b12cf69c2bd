// STORE WRITER: the derived topics and the dead letters -> a store outside the log. It is a consumer like any other: it
// reads the log from where the store says it is, and the store keeps rows and position in one transaction. So nothing
// is lost or doubled, whichever of the two is killed.
//
// While the database is away the log is what waits: the writer's position is a consumer group's, and the log is not
// trimmed past it. When the database is back, the writer goes on where the store is, in order. Nobody else notices.
//
// A row that the store refuses for what is in it would be refused for ever. After some attempts at its batch each row
// is tried alone; those that are refused become dead letters of their partition, and when these are in the log, the
// store is told that it has come past them. A crash in between repeats it, to the same end.
#pragma once

#include "actors/context.hpp"
#include "actors/refused_rows.hpp"
#include "messages/protocols.hpp"
#include "runtime/store/store.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace finstream {

using store_opener = std::function<expected<std::unique_ptr<store>>()>;

struct store_writer_state {
  using interface = store_writer_actor;
  static constexpr const char* name = "store_writer";

  explicit store_writer_state(actor_of<store_writer_state>* self) : self_{self} {}
  void prepare(node_context* context, std::string store_name, store_opener open);
  interface::behavior_type behavior();

private:
  struct stream {
    log_stream where;
    std::uint64_t next = 0;
  };
  struct gathered {
    std::vector<refusable_row> rows;
    std::vector<stream> reached;
    std::vector<stream_position> positions; // of those that have moved
  };

  void on_pulse();
  expected<void> open();
  expected<std::uint64_t> begin_of(const log_stream& where) const;
  expected<void> write_jobs();
  expected<bool> write_batch(); // false: there was nothing to write
  expected<gathered> gather() const;
  expected<std::uint64_t> gather(const stream& from, std::vector<refusable_row>& into) const;
  expected<bool> write_without_refused(gathered batch, const failure& why);
  expected<void> finish(const gathered& batch);
  expected<void> pass(const std::vector<stream>& reached); // the store has come so far
  tl::unexpected<failure> lose(const failure& why);
  void send_set_aside(const set_aside_ptr& what);
  expected<void> commit(const std::vector<stream>& reached);
  void note_failure(const failure& why);
  void count(const store_receipt& receipt);
  std::uint64_t lag() const;
  status_report status() const;

  actor_of<store_writer_state>* self_;
  node_context* context_ = nullptr;
  std::string store_name_; // "postgres": of the consumer group, in metrics and in the tree
  std::string path_;
  store_opener open_;
  std::unique_ptr<store> store_; // null while there is no connection
  std::vector<stream> streams_;
  std::uint64_t jobs_seen_ = 0;                                      // of figures->jobs_written
  std::map<std::string, std::pair<job_status, std::uint64_t>> jobs_; // status and rows of those the store has
  int failures_ = 0;                                                 // in a row
  int refusals_ = 0;                                                 // of the same batch
  timestamp first_refusal_;
  std::map<std::string, set_aside_ptr> waiting_; // letters that are not in the log yet, by key
  std::optional<gathered> without_refused_;      // stored but for its positions, which wait for the letters
  std::string last_failure_;
  std::uint64_t rows_ = 0; // applied since the start
  metrics::gauge* lag_items_ = nullptr;
  metrics::histogram* write_seconds_ = nullptr;
};

} // namespace finstream
