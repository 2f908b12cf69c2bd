// A FEED OF A SIMULATION: a venue that lets things happen, and the process that tells of them, without a process of the
// machine. The ingestor is the real one: it is lent a starter that makes these.
//
// What happened at the venue is a tape of lines, which grows as time passes and is never lost. A process reads it from
// where its resume token says, prints it while it has credit, and may die, hang, or go back further than it was told.
#pragma once

#include "runtime/clock/clock.hpp"
#include "runtime/process/child.hpp"
#include "tests/simulation/chance.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace finstream::simulation {

struct tape_line {
  enum class kind : std::uint8_t { event, bad, gap, heartbeat };
  kind what = kind::event;
  std::string text;     // without its end; what a process adds to it is its own
  std::string event_id; // of an event
};

class simulated_process;

class simulated_feed {
public:
  simulated_feed(std::string name, std::uint64_t seed, const clock& time);
  ~simulated_feed();

  std::string name;
  bool goes_back = false; // a process that resumes repeats some of what it was told is known
  // How an event of the tape is to be found in the log, by all that check.
  std::function<bool(const std::string& event_id)> is_in_log;
  // What the log has as its resume token; empty: none.
  std::function<std::string()> token_in_log;
  std::function<void(const std::string&)> on_broken_rule;

  void happen(int lines); // at the venue
  const std::vector<tape_line>& tape() const { return tape_; }
  bool told_all() const; // by the process that runs, and all of it confirmed
  simulated_process* running() { return running_; }

  expected<std::unique_ptr<child>> start(const child_options& options, child_events events);
  bool fails_to_start = false; // the next time
  int most_chunks_underway = 4;

private:
  friend class simulated_process;
  tape_line next_event();
  std::string event_text(const std::string& symbol, timestamp when, std::int64_t seq);

  chance chance_;
  const clock& time_;
  std::vector<tape_line> tape_;
  std::int64_t last_seq_ = 0;
  std::uint64_t runs_ = 0;
  simulated_process* running_ = nullptr; // its ingestor's
};

class simulated_process : public child {
public:
  simulated_process(simulated_feed& feed, const child_options& options, child_events events, int all_credit);
  ~simulated_process() override;

  void print(int lines); // as far as credit allows
  void die(int code, int signal);
  void hang() { hangs_ = true; } // prints nothing, and ends by force only

  int pid() const override { return static_cast<int>(run_); }
  void grant(int chunks) override;
  nanoseconds blocked_for() const override;
  bool say(const std::string&) override { return !ended_; }
  void stop(nanoseconds grace) override;
  void kill() override { die(-1, 9); }
  void look_at_time(); // a grace that has passed

private:
  friend class simulated_feed;
  void check_confirmed();

  simulated_feed& feed_;
  child_events events_;
  std::uint64_t run_ = 0;
  std::size_t next_ = 0; // line of the tape
  bool greeted_ = false;
  bool resumes_ = false;
  int credit_ = 0, all_credit_ = 0;
  std::deque<std::vector<std::string>> underway_; // by chunk that is not seen to be in the log: the ids of its events
  nanoseconds blocked_since_ = 0;
  nanoseconds end_by_ = 0;
  bool hangs_ = false, ended_ = false;
};

} // namespace finstream::simulation
