// BACKFILL: the lane for events of the past, beside the live stages. Lines that are posted become events of their
// partitions' logs, as records that the stages pass over; then the windows they touch are healed, a piece at a time,
// and what changes goes down the line as any other record does (docs/decisions/0020). Live data goes first: while the
// windows lag behind the log, the lane takes nothing and heals nothing.
//
// It does one thing at a time, and each is one transaction of one appender. If it dies, what is owed is in the log's
// tables, and whoever posted is told to try again: an event that is there already is a duplicate.
#pragma once

#include "actors/context.hpp"
#include "actors/healer.hpp"
#include "actors/job_keeper.hpp"
#include "messages/codec/line_parser.hpp"
#include "messages/command/backfill.hpp"
#include "messages/protocols.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace finstream {

inline constexpr const char* backfill_path = "/lanes/backfill";

struct backfill_state {
  using interface = backfill_actor;
  static constexpr const char* name = "backfill";

  explicit backfill_state(actor_of<backfill_state>* self) : self_{self} {}
  ~backfill_state(); // who waits is told to try again
  void prepare(node_context* context);
  interface::behavior_type behavior();

private:
  struct underway {                                                    // to the appenders
    std::vector<std::function<void(std::uint64_t next)>> by_partition; // what to do once it is written; empty: nothing
    std::size_t missing = 0;
    std::function<void()> finish;
  };

  void recover();
  void on_post(const backfill_post_ptr& post);
  void on_appended(std::uint16_t partition, std::uint64_t next);
  void on_pulse();
  void go_on();
  void wait_for_predecessor();
  void learn_what_is_owed(std::size_t partition);
  bool is_held_up(backfill_answer& answer) const;
  nanoseconds live_lag() const;
  std::vector<intake> look_at(const backfill_post& post, parsed_chunk& parsed, backfill_answer& answer);
  void answer_next();
  void heal();
  void hand_over(std::uint16_t partition, lane_part part, std::function<void(std::uint64_t)> then);
  void end_run(const char* how);
  std::size_t owed() const;
  bool is_waiting() const;
  status_report status() const;

  actor_of<backfill_state>* self_;
  node_context* context_ = nullptr;
  std::vector<healer> healers_; // by partition
  std::deque<backfill_post_ptr> posts_;
  underway underway_;
  bool is_alone_ = false; // nothing of a lane before this one is on its way into the log
  bool heal_due_ = false;
  std::uint64_t idle_pulses_ = 0;
  nanoseconds next_post_at_ = 0; // monotonic: by the rate
  std::optional<job_teller> job_;
  nanoseconds last_post_at_ = 0; // monotonic; 0: no run is under way
  std::uint64_t taken_before_ = 0;
  std::uint64_t posted_ = 0, taken_ = 0, duplicates_ = 0;
  healed_counts healed_;
  metrics::counter* events_ = nullptr;
  metrics::counter* bars_ = nullptr;
  metrics::gauge* owed_gauge_ = nullptr;
};

} // namespace finstream
