#include "feeds/output/line_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace finstream::feed {

namespace {

volatile std::sig_atomic_t asked_to_stop = 0;

std::int64_t read_clock(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<std::int64_t>(t.tv_sec) * second + t.tv_nsec;
}

} // namespace

timestamp wall_time() { return {read_clock(CLOCK_REALTIME)}; }
nanoseconds monotonic_time() { return read_clock(CLOCK_MONOTONIC); }

line_writer::line_writer() : buffer_(write_bytes + max_line_bytes) {
  std::signal(SIGPIPE, SIG_IGN); // a write tells it as well
  struct sigaction action {};
  action.sa_handler = [](int) { asked_to_stop = 1; };
  sigset_t ends;
  sigemptyset(&ends);
  for (int s : {SIGTERM, SIGINT}) {
    sigaction(s, &action, nullptr); // without SA_RESTART: a write that waits for its reader must return
    sigaddset(&ends, s);
  }
  // They are let in while this waits or writes only, so that none slips in between a look and a wait.
  sigprocmask(SIG_BLOCK, &ends, &mask_while_waiting_);
  for (int s : {SIGTERM, SIGINT}) sigdelset(&mask_while_waiting_, s);
  prctl(PR_SET_TIMERSLACK, 1UL); // wake when due, not 50 us later
  // A node holds the other end of a pipe. Started by hand, from a terminal or with no input, a feed runs all the same.
  struct stat input {};
  watch_input_ = fstat(STDIN_FILENO, &input) == 0 && (S_ISFIFO(input.st_mode) || S_ISSOCK(input.st_mode));
}

void line_writer::line(std::string_view text) {
  auto out = room(text.size() + 1);
  std::memcpy(out, text.data(), text.size());
  out[text.size()] = '\n';
  end_line(out + text.size() + 1);
}

void line_writer::flush() {
  look_for_stop();
  std::size_t done = 0;
  auto goal = stopped_ ? 0 : used_;
  sigset_t before;
  sigprocmask(SIG_SETMASK, &mask_while_waiting_, &before);
  while (done < goal) {
    auto n = ::write(STDOUT_FILENO, buffer_.data() + done, goal - done);
    if (n > 0) done += static_cast<std::size_t>(n);
    if (n < 0 && errno != EINTR) {
      stopped_ = true; // nobody reads any more
      break;
    }
    if (asked_to_stop != 0 && !stopped_) {
      // What was written may end inside a line: only that line is finished.
      stopped_ = true;
      auto end = done == 0 || buffer_[done - 1] == '\n'
                   ? nullptr
                   : static_cast<const char*>(std::memchr(buffer_.data() + done, '\n', goal - done));
      goal = end == nullptr ? done : static_cast<std::size_t>(end - buffer_.data()) + 1;
    }
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  used_ = 0;
}

bool line_writer::wait_until(nanoseconds monotonic) {
  flush();
  while (!stopped_) {
    auto left = monotonic - monotonic_time();
    if (left <= 0) return true;
    timespec span{left / second, left % second};
    pollfd input{watch_input_ ? STDIN_FILENO : -1, POLLIN, 0};
    if (ppoll(&input, 1, &span, &mask_while_waiting_) > 0) read_input();
    stopped_ = stopped_ || asked_to_stop != 0;
  }
  return false;
}

void line_writer::look_for_stop() {
  pollfd input{watch_input_ ? STDIN_FILENO : -1, POLLIN, 0};
  timespec none{0, 0};
  if (!stopped_ && ppoll(&input, 1, &none, &mask_while_waiting_) > 0) read_input();
  stopped_ = stopped_ || asked_to_stop != 0;
}

// What comes in means nothing to a feed; that nothing can come any more is the sign.
void line_writer::read_input() {
  char ignored[4096];
  if (::read(STDIN_FILENO, ignored, sizeof ignored) <= 0) stopped_ = true;
}

} // namespace finstream::feed
