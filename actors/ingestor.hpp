// INGESTOR: one feed process. It starts the process, reads its lines while the appenders give credit, parses a chunk at
// a time, and hands each partition its part. It ends the process that is not ready in time or whose output cannot be
// taken, and starts it again after a pause; after too many crashes it is parked until someone says otherwise.
//
// A part that an appender has not confirmed is kept: when an appender comes back after a crash it is sent again, and
// what was in the log already is recognised there.
#pragma once

#include "actors/context.hpp"
#include "actors/job_keeper.hpp"
#include "actors/logic/restart_policy.hpp"
#include "actors/logic/seldom_told.hpp"
#include "messages/codec/line_parser.hpp"
#include "messages/protocols.hpp"
#include "runtime/process/child.hpp"

#include <map>
#include <optional>

namespace finstream {

struct ingestor_state {
  using interface = ingestor_actor;
  static constexpr const char* name = "ingestor";

  explicit ingestor_state(actor_of<ingestor_state>* self) : self_{self} {}
  void prepare(node_context* context, const feed_settings* feed, child_starter start_process = start_child);
  interface::behavior_type behavior();

private:
  enum class phase : std::uint8_t { waiting, starting, up, stopping, finished, parked };
  struct chunk {
    std::map<std::uint16_t, chunk_part_ptr> parts; // those not confirmed
    std::optional<resume_point> resume;            // what is in the log once they all are
    int credit = 0;                                // to give back then
  };

  void pulse_later();
  void start();
  void on_lines(const feed_lines& what);
  void on_long_line(const feed_long_line& what);
  void on_error_line(const feed_error_line& what);
  void on_exit(const feed_exit& what);
  void on_appended(std::uint16_t partition, std::uint64_t number);
  void on_pulse();
  void on_stop();
  void on_appender_down(const caf::down_msg& down);

  void take(parsed_chunk parsed, int credit);
  void tell_source_change(source_change change, const std::string& reason);
  void hand_over(std::vector<std::shared_ptr<chunk_part>> parts, std::optional<resume_point> resume, int credit);
  void send_part(std::uint16_t partition, std::uint64_t number, const chunk_part_ptr& part);
  void find_successor(std::uint16_t partition);
  void save_resume_point();
  void become_ready();
  void note_bad_lines(const std::vector<dead_letter>& letters);
  std::string why_not_ready() const;
  void plan_restart(const std::string& why);
  void finish_if_drained();
  void on_start_failed(const failure& why);
  expected<std::vector<std::pair<std::string, std::string>>> resume_environment();
  std::vector<std::pair<std::string, std::string>> pacing_environment() const;
  void on_paces(const std::vector<pace_line>& all);
  void tell_pacer(const pace_line& what);
  void ask_new_pacer();
  void on_grant(std::uint64_t run, std::uint32_t requests);
  std::string phase_text() const;
  void announce(sys_kind kind, const std::string& reason);
  status_report status() const;

  actor_of<ingestor_state>* self_;
  node_context* context_ = nullptr;
  const feed_settings* feed_ = nullptr;
  child_starter start_process_;
  std::string path_;
  phase phase_ = phase::waiting;
  std::unique_ptr<child> process_;
  std::uint64_t run_ = 0;      // starts of the process
  nanoseconds started_at_ = 0; // monotonic
  nanoseconds start_again_at_ = 0;
  std::optional<backoff> backoff_;
  std::optional<line_parser> parser_;
  bool said_eof_ = false;
  std::string kill_reason_;
  std::string last_end_;
  std::optional<job_teller> job_;
  std::uint64_t run_events_ = 0; // of this run of the process
  std::uint64_t bad_lines_ = 0;  // of this run of the process
  std::string last_bad_line_;    // why it is bad
  seldom_told bad_lines_told_;
  std::uint32_t ungranted_ = 0; // requests the process asks for and waits for
  caf::actor_addr pacer_;
  std::uint64_t next_number_ = 1;
  std::map<std::uint64_t, chunk> underway_;
  std::optional<resume_point> unsaved_resume_; // newest that is wholly in the log, not yet written down
  std::vector<caf::actor_addr> appenders_;     // monitored, by partition
  std::vector<bool> appender_lost_;
  metrics::counter* events_ = nullptr;
  metrics::counter* lines_ = nullptr;
  metrics::counter* restarts_ = nullptr;
  metrics::gauge* up_ = nullptr;
};

} // namespace finstream
