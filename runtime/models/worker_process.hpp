// The life of one worker: started in a process group of its own, asked one frame at a time, killed with its group, and
// always reaped. All of it happens on one thread, the one that starts it: the kernel kills the worker when that ends.
#pragma once

#include "messages/errors.hpp"
#include "messages/value/timestamp.hpp"
#include "runtime/process/error_lines.hpp"
#include "runtime/process/spawn.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace finstream {

class worker_process {
public:
  // `wake`: a descriptor that ends every wait when it can be read. `on_error_line`: of standard error, on this thread.
  // Errors: start_failed.
  static expected<std::unique_ptr<worker_process>> start(const child_options& options, int wake,
                                                         std::function<void(std::string)> on_error_line);
  worker_process(const worker_process&) = delete;
  worker_process& operator=(const worker_process&) = delete;
  ~worker_process(); // kills the group if finish() did not

  int pid() const { return process_.pid; }
  // Writes `frame` (nothing where it is empty), and waits for the body of the one frame that answers it. Errors:
  // timed_out, stopped (woken), io_failure (it ended, or said what is not one frame). After any, no other can be asked.
  expected<std::string> exchange(std::string_view frame, nanoseconds deadline);
  // Waits until woken. Errors: io_failure: it ended, or spoke without being asked.
  expected<void> attend();
  // Closes its standard input and sends SIGTERM to the group, then SIGKILL after `grace`, and reaps.
  void finish(nanoseconds grace);

private:
  worker_process(spawned process, int wake, std::function<void(std::string)> on_error_line);
  struct turn_result {
    bool woken = false;
    bool can_write = false;
  };
  // One wait on everything, until `deadline` at the latest, and what there is to read is read.
  turn_result turn(nanoseconds deadline, bool wants_to_write);
  void read_output();
  void read_errors();
  tl::unexpected<failure> ended_early();
  void reap();

  spawned process_;
  int wake_;
  error_lines errors_;
  std::string received_;
  bool output_ended_ = false;
  bool ended_ = false; // the process, not yet reaped
  std::string how_it_ended_;
};

} // namespace finstream
