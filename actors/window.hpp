// WINDOW: the bars of one partition. It pulls the log's entries from the appender, or reads them from the log where it
// is behind, gives them to the pure stage, and hands what comes of it to the features, which hand it on: so it comes to
// the appender with the outputs of all stages, and is written at once.
//
// It keeps at most one result underway, so nothing can pile up. A restart loads the last snapshot and goes over the log
// from there; what is already written is computed again and recognised by the appender. The stages behind it begin
// where its first result says, so the states of all of them are always of the same place in the log. A record that has
// crashed one of them too often is set aside by the new window, before it reads on.
#pragma once

#include "actors/context.hpp"
#include "actors/job_keeper.hpp"
#include "actors/log_entries.hpp"
#include "actors/stages.hpp"
#include "messages/protocols.hpp"

namespace finstream {

struct window_state {
  using interface = window_actor;
  static constexpr const char* name = "window";

  explicit window_state(actor_of<window_state>* self) : self_{self} {}
  ~window_state(); // the node is not ready without it
  void prepare(node_context* context, std::uint16_t partition);
  interface::behavior_type behavior();

private:
  void recover();
  void set_poison_aside();
  void send_set_aside();
  std::optional<stage_states> load_snapshot();
  void on_entries(const fresh_entries& fresh);
  void on_committed(std::uint64_t dealt_with);
  void on_set_aside(bool done);
  void on_pulse();
  void on_stop();
  void finish();
  void pull();
  void see_whether_caught_up();
  void read_from_log();
  template <class Work> auto at_work_on(std::uint64_t offset, Work work);
  void apply(const log_entry& entry);
  void hand_in();
  status_report status() const;

  actor_of<window_state>* self_;
  node_context* context_ = nullptr;
  std::uint16_t partition_ = 0;
  std::string path_;
  window_stage stage_;
  set_aside_records aside_;
  std::uint64_t next_ = 0; // offset of the next entry to look at
  stage_result result_;    // being put together
  bool underway_ = false;  // a result is with the appender
  bool pulling_ = false;
  set_aside_ptr setting_aside_; // until it is done, nothing more is looked at
  bool snapshot_due_ = false;
  bool stopping_ = false;
  bool caught_up_ = false;
  bool said_open_ = false;
  std::uint64_t snapshot_at_ = 0; // offset of the last snapshot
  std::optional<job_teller> job_;
  std::uint64_t made_ = 0; // bars and ends of intervals, since the start
  metrics::histogram* lag_seconds_ = nullptr;
  metrics::histogram* latency_ms_ = nullptr;
  metrics::gauge* open_windows_ = nullptr;
  metrics::gauge* consumer_lag_ms_ = nullptr;
};

} // namespace finstream
