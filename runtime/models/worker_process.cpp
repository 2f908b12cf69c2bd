#include "runtime/models/worker_process.hpp"

#include "runtime/clock/clock.hpp"
#include "runtime/models/worker_frames.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <poll.h>
#include <sys/wait.h>

namespace finstream {

namespace {

constexpr nanoseconds never = std::numeric_limits<nanoseconds>::max();
constexpr std::size_t read_bytes = 64 * 1024;
// What a worker that has ended may have left in its pipe of errors; a flood beyond is not worth the wait.
constexpr int last_error_reads = 16;
// A process closes its pipes a moment before it has ended, and how it ended says more than that.
constexpr nanoseconds last_words = 100 * millisecond;

nanoseconds monotonic_now() { return system_clock().monotonic(); }

} // namespace

expected<std::unique_ptr<worker_process>> worker_process::start(const child_options& options, int wake,
                                                                std::function<void(std::string)> on_error_line) {
  auto process = spawn(options);
  if (!process) return tl::unexpected{process.error()};
  // A worker that does not read must not hold up the one who writes.
  fcntl(process->input.get(), F_SETFL, fcntl(process->input.get(), F_GETFL) | O_NONBLOCK);
  return std::unique_ptr<worker_process>{new worker_process{std::move(*process), wake, std::move(on_error_line)}};
}

worker_process::worker_process(spawned process, int wake, std::function<void(std::string)> on_error_line)
  : process_{std::move(process)}, wake_{wake}, errors_{std::move(on_error_line)} {}

worker_process::~worker_process() {
  if (pid() < 0) return;
  ::kill(-pid(), SIGKILL);
  reap();
}

expected<std::string> worker_process::exchange(std::string_view frame, nanoseconds deadline) {
  for (;;) {
    if (!frame.empty()) {
      auto n = ::write(process_.input.get(), frame.data(), frame.size());
      if (n > 0) frame.remove_prefix(static_cast<std::size_t>(n));
      if (n < 0 && errno != EAGAIN && errno != EINTR) return ended_early();
    }
    if (received_.size() >= frame_header_bytes) {
      auto length = frame_length(received_);
      if (!length) return tl::unexpected{length.error()};
      auto whole = frame_header_bytes + *length;
      if (received_.size() > whole || (received_.size() == whole && !frame.empty()))
        return fail(errc::io_failure, "the worker said more than it was asked");
      if (received_.size() == whole) return std::exchange(received_, {}).substr(frame_header_bytes);
    }
    if (ended_ || output_ended_) return ended_early();
    if (monotonic_now() >= deadline) return fail(errc::timed_out, "the worker did not answer within its deadline");
    if (turn(deadline, !frame.empty()).woken) return fail(errc::stopped, "the model is being closed");
  }
}

expected<void> worker_process::attend() {
  for (;;) {
    auto woken = turn(never, false).woken;
    if (!received_.empty()) return fail(errc::io_failure, "the worker spoke without being asked");
    if (ended_ || output_ended_) return ended_early();
    if (woken) return {};
  }
}

worker_process::turn_result worker_process::turn(nanoseconds deadline, bool wants_to_write) {
  std::array<pollfd, 5> waits{{{wake_, POLLIN, 0},
                               {output_ended_ ? -1 : process_.output.get(), POLLIN, 0},
                               {process_.errors.get(), POLLIN, 0},
                               {ended_ ? -1 : process_.process.get(), POLLIN, 0},
                               {wants_to_write ? process_.input.get() : -1, POLLOUT, 0}}};
  auto until = std::max<nanoseconds>(deadline - monotonic_now(), 0);
  timespec wait{until / second, until % second};
  if (ppoll(waits.data(), waits.size(), deadline == never ? nullptr : &wait, nullptr) < 0) {
    if (errno != EINTR) stop_on_bug("ppoll() on a worker's pipes");
    return {};
  }
  if (waits[1].revents != 0) read_output();
  if (waits[2].revents != 0) read_errors();
  // Its output was read before its end was seen, and may have grown since: an answer that is there counts.
  if (waits[3].revents != 0) {
    ended_ = true;
    if (!output_ended_) read_output();
  }
  return {waits[0].revents != 0, waits[4].revents != 0};
}

void worker_process::read_output() {
  std::array<char, read_bytes> bytes;
  // No more than a frame and a bit: a worker that floods is found out, not stored.
  while (received_.size() <= max_frame_bytes + frame_header_bytes) {
    auto n = ::read(process_.output.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n == 0 || (n < 0 && errno != EAGAIN)) output_ended_ = true;
    if (n <= 0) return;
    received_.append(bytes.data(), static_cast<std::size_t>(n));
  }
}

void worker_process::read_errors() {
  std::array<char, read_bytes> bytes;
  auto n = ::read(process_.errors.get(), bytes.data(), bytes.size());
  if (n > 0) errors_.add({bytes.data(), static_cast<std::size_t>(n)}, monotonic_now());
  if (n == 0) process_.errors.reset();
}

tl::unexpected<failure> worker_process::ended_early() {
  pollfd end{process_.process.get(), POLLIN, 0};
  timespec wait{last_words / second, last_words % second};
  if (!ended_ && ppoll(&end, 1, &wait, nullptr) <= 0) return fail(errc::io_failure, "the worker closed its pipes");
  ::kill(-pid(), SIGKILL);
  reap();
  return fail(errc::io_failure, "the worker ended: " + how_it_ended_);
}

void worker_process::finish(nanoseconds grace) {
  if (pid() < 0) return;
  process_.input.reset();
  ::kill(-pid(), SIGTERM);
  pollfd end{process_.process.get(), POLLIN, 0};
  timespec wait{grace / second, grace % second};
  while (grace > 0 && ppoll(&end, 1, &wait, nullptr) < 0 && errno == EINTR) {
  }
  ::kill(-pid(), SIGKILL); // the group goes before its leader is reaped: until then its number is nobody else's
  reap();
}

void worker_process::reap() {
  int status = 0;
  pid_t reaped;
  do reaped = waitpid(pid(), &status, 0);
  while (reaped < 0 && errno == EINTR);
  child_exit how{-1, 0};
  if (reaped == pid() && WIFEXITED(status)) how.code = WEXITSTATUS(status);
  if (reaped == pid() && WIFSIGNALED(status)) how.signal = WTERMSIG(status);
  how_it_ended_ = how.describe();
  process_.pid = -1;
  for (int i = 0; i < last_error_reads && process_.errors.open(); ++i) read_errors();
  errors_.finish();
}

} // namespace finstream
