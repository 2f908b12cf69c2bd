// One external process: started in a process group of its own, its output read in large chunks while there is credit,
// its end always reaped. A thread per child does the waiting; what it finds it tells through `events`, on that thread.
#pragma once

#include "messages/errors.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace finstream {

struct child_options {
  std::vector<std::string> command;                             // program and arguments; looked up in PATH
  std::vector<std::pair<std::string, std::string>> environment; // added to this process's own
  std::string working_directory;                                // empty: this process's own
  std::size_t chunk_bytes = 256 * 1024;                         // the largest chunk handed on
  std::size_t max_line_bytes = 64 * 1024;                       // a longer line is given up: see on_long_line
  int initial_credit = 2; // chunks that may be underway before credit is given back
};

struct child_exit {
  int code = 0;                 // exit code, or -1
  int signal = 0;               // the signal that ended it, or 0
  std::string describe() const; // "exit code 3", "killed by SIGKILL"
};

// Called on the child's own thread, one at a time, in order; on_exit is the last, after all output has been handed on.
struct child_events {
  // Whole lines (ending in '\n', but for the very last of the output). Takes one credit; give it back with grant().
  std::function<void(std::string lines)> on_lines;
  // The start of a line that had no end within max_line_bytes, and how long it was in all. Takes one credit too; one
  // chunk may end several such lines, and takes more than there is.
  std::function<void(std::string first_bytes, std::uint64_t total_bytes)> on_long_line;
  std::function<void(std::string line)> on_error_line; // of standard error, without its '\n', cut at 8 KiB
  std::function<void(child_exit)> on_exit;
};

class child {
public:
  virtual ~child() = default; // kills the whole group and reaps, without waiting for a grace period

  virtual int pid() const = 0;
  // One more chunk may be read. Without credit the pipe is not read, so the process comes to wait in its write.
  virtual void grant(int chunks = 1) = 0;
  // How long the process's output has been held up for want of credit, now; 0 if it is not.
  virtual nanoseconds blocked_for() const = 0;
  // Writes a line (its '\n' is added; 4 KiB at most with it) to the process's standard input. False, and none of it is
  // written: the process has ended, is being stopped, or does not read and the pipe is full. This process ignores
  // SIGPIPE.
  virtual bool say(const std::string& line) = 0;
  // Close standard input, SIGTERM to the group, after `grace` SIGKILL to the group. Returns at once.
  virtual void stop(nanoseconds grace) = 0;
  virtual void kill() = 0; // SIGKILL to the group, at once
};

// Errors: start_failed (with the reason, such as "no such program").
expected<std::unique_ptr<child>> start_child(const child_options& options, child_events events);

// Who starts processes is passed in, like a clock: a simulation has none of the machine's.
using child_starter = std::function<expected<std::unique_ptr<child>>(const child_options&, child_events)>;

} // namespace finstream
