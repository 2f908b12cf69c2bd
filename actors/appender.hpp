// APPENDER: the one writer of a partition. Chunks of feeds go into the log, the passing of time too; what the window
// makes of the log is written by it, with the position up to which that holds, in one transaction. Consumers pull from
// it: what is recent they get from memory, the rest they read themselves.
//
// When the log cannot be written (disk full), it keeps what it has been given, in order, and tries again: no credit
// goes back, so the feeds come to wait. Nothing is dropped and nothing is acknowledged.
//
// Where several processes share a log, this one may write a side of the partition or none; of what it does not write it
// tells its readers when it has come.
#pragma once

#include "actors/context.hpp"
#include "actors/derived_writer.hpp"
#include "actors/letter_keeper.hpp"
#include "actors/logic/event_memory.hpp"
#include "actors/owed_windows.hpp"
#include "actors/set_aside.hpp"
#include "messages/protocols.hpp"

#include <deque>
#include <map>
#include <variant>

namespace finstream {

struct appender_state {
  using interface = appender_actor;
  static constexpr const char* name = "appender";

  explicit appender_state(actor_of<appender_state>* self) : self_{self} {}
  ~appender_state(); // the node is not ready without it
  void prepare(node_context* context, std::uint16_t partition);
  interface::behavior_type behavior();

private:
  struct part {
    chunk_part_ptr what;
    batch_ptr fresh;                      // its events without duplicates; null if none is left
    std::shared_ptr<const raw_lines> raw; // of these, or null
    std::uint64_t number = 0;
    append_listener from;
  };
  struct result {
    stage_result_ptr what;
    commit_listener from;
    std::optional<derived_writer::output> output = {}; // of it; at the first attempt to write it
  };
  struct model_answer {
    answers_ptr what;
    answer_listener from;
  };
  struct aside {
    set_aside_ptr what;
    set_aside_listener from;
  };
  struct past { // from the backfill lane
    lane_part_ptr what;
    append_listener from;
  };
  struct node_start {};
  struct rules_change {};
  struct time_passed {};
  struct part_number {
    std::uint64_t sender = 0, number = 0;
  };
  using work = std::variant<part, result, model_answer, aside, past, node_start, rules_change, time_passed>;
  struct waiting_for_entries {
    std::uint64_t offset = 0;
    entry_reader reader;
  };
  struct waiting_for_derived {
    derived_topic where;
    std::uint64_t offset = 0;
    derived_reader reader;
  };

  void recover();
  void recover_events(const log_range& range);
  void become_ready();
  std::uint64_t where_memory_begins(std::uint64_t head, std::uint64_t next, std::uint64_t horizon) const;
  void remember_events(std::uint64_t from, std::uint64_t to);
  log_entry_ptr read_back(record from, const set_aside_records& left_out);
  void on_append(chunk_part_ptr what, std::uint64_t number, append_listener from);
  void on_pull(std::uint64_t offset, entry_reader reader);
  void on_pull(derived_topic where, std::uint64_t offset, derived_reader reader);
  void on_pulse();
  void on_grown();
  void trim_what_is_followed();
  void try_again();
  void take(work what);
  void write_pending();
  bool is_written(const part& x);
  std::string last_part_key(const std::string& feed) const;
  bool write(part& x);
  bool write(result& x);
  bool write(model_answer& x);
  bool write(aside& x);
  bool write(past& x);
  bool write(node_start& x);
  bool write(rules_change& x);
  bool write(time_passed& x);
  bool write_rules(record_kind kind);
  bool write_mark(record_kind kind, const stage_rules& rules);
  bool put(transaction tx, std::vector<std::uint64_t>& offsets);
  timestamp next_log_ts();
  void expect_windows();
  bool is_time_to_pass() const;
  void remember(std::vector<std::shared_ptr<log_entry>> entries, const std::vector<std::uint64_t>& offsets);
  void serve_readers();
  batch_ptr without_duplicates(const batch_ptr& events);
  status_report status() const;

  actor_of<appender_state>* self_;
  node_context* context_ = nullptr;
  std::uint16_t partition_ = 0;
  std::string path_;
  std::optional<event_memory> memory_;
  std::optional<derived_writer> derived_;
  std::optional<letter_keeper> letters_;
  std::vector<std::uint32_t> duplicates_;
  std::deque<work> pending_; // not yet written: empty but for an instant, unless the log cannot be written
  bool recovered_ = false;
  bool stalled_ = false;
  std::map<std::string, part_number> last_part_;  // by feed
  std::map<std::string, std::uint64_t> answered_; // by model: all before it in topic features is dealt with
  timestamp last_log_ts_ = earliest;
  bool open_windows_ = false;
  timestamp windows_are_closed_at_ = earliest; // at the latest; where another process works on them
  bool writes_events_ = true, writes_outputs_ = true;
  timestamp trimmed_at_ = earliest;                // by what another process has written
  std::deque<log_entry_ptr> recent_;               // the last entries, without holes
  std::uint64_t next_event_ = 0, next_letter_ = 0; // where their topics end, as far as this actor knows
  std::vector<waiting_for_entries> readers_;
  std::vector<waiting_for_derived> derived_readers_;
  metrics::counter* written_ = nullptr;
  metrics::histogram* write_seconds_ = nullptr;
};

} // namespace finstream
