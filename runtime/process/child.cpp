// The watcher: one thread a child, which starts it, waits on its pipes, its end and our wishes in one poll(), and
// buries it. Signals are sent under a lock that burial takes too, so none can reach a stranger that got the number of a
// process gone.
#include "runtime/process/child.hpp"

#include "runtime/clock/clock.hpp"
#include "runtime/process/error_lines.hpp"
#include "runtime/process/line_cutter.hpp"
#include "runtime/process/spawn.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <future>
#include <limits>
#include <mutex>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <thread>

namespace finstream {

namespace {

// Less than this left in the pipe after a read: what was read is handed on at once. More: the chunk is filled further.
constexpr int worth_another_read_bytes = 64 * 1024;
constexpr std::size_t smallest_read_bytes = 4 * 1024;
constexpr std::size_t error_read_bytes = 16 * 1024; // at a time, between two chunks of output
// A process that says a line every little while, each in a write of its own, would make as many chunks, records in the
// log and wake-ups as lines. So when output is there so soon after the last read, and that was small, reading waits a
// moment for more. One that speaks less often than this is read at once.
constexpr nanoseconds soon_after_a_read = 400 * millisecond / 1000;
constexpr nanoseconds between_small_reads = 1 * millisecond;
constexpr std::size_t small_read_bytes = 16 * 1024;
// A process that left the group may hold the pipe after the child's end; what it writes later is not the child's.
constexpr nanoseconds linger_after_exit = 50 * millisecond;

nanoseconds monotonic_now() { return system_clock().monotonic(); }

class watched_child : public child {
public:
  watched_child(const child_options& options, child_events events)
    : options_{options}, events_{std::move(events)}, lines_{options.max_line_bytes}, errors_{[this](std::string line) {
        if (!closing_ && events_.on_error_line) events_.on_error_line(std::move(line));
      }},
      credit_{options.initial_credit} {
    // A chunk must have room for the longest line beside what is read next.
    options_.chunk_bytes = std::max(options_.chunk_bytes, options_.max_line_bytes + smallest_read_bytes);
  }

  ~watched_child() override {
    ensure(watcher_.get_id() != std::this_thread::get_id(), "a child was destroyed by one of its own callbacks");
    closing_ = true;
    kill();
    wake();
    if (watcher_.joinable()) watcher_.join();
  }

  // Starts the watcher, and waits until that has started the process or failed to.
  expected<void> start() {
    wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_.open())
      return fail(errc::start_failed, std::string{"no eventfd could be made: "} + std::strerror(errno));
    std::promise<expected<void>> started;
    auto outcome = started.get_future();
    try {
      watcher_ = std::thread{[this, promise = std::move(started)]() mutable { run(std::move(promise)); }};
    } catch (const std::system_error& e) {
      return fail(errc::start_failed, std::string{"no thread could be started to watch a process: "} + e.what());
    }
    return outcome.get();
  }

  int pid() const override { return pid_; }

  void grant(int chunks) override {
    if (credit_.fetch_add(chunks) <= 0) wake();
  }

  nanoseconds blocked_for() const override {
    auto since = blocked_since_.load();
    return since == 0 ? 0 : std::max<nanoseconds>(monotonic_now() - since, 0);
  }

  // What is no longer than PIPE_BUF goes down whole or not at all.
  bool say(const std::string& line) override {
    auto text = line + '\n';
    ensure(text.size() <= PIPE_BUF, "a line to a child is longer than a pipe takes at once");
    std::lock_guard guard{lock_};
    return input_.open() && ::write(input_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }

  void stop(nanoseconds grace) override {
    std::lock_guard guard{lock_};
    input_.reset();
    signal_group(SIGTERM);
    auto deadline = monotonic_now() + grace;
    if (kill_at_ == 0 || deadline < kill_at_) kill_at_ = deadline;
    wake();
  }

  void kill() override {
    std::lock_guard guard{lock_};
    signal_group(SIGKILL);
  }

private:
  void run(std::promise<expected<void>> started) {
    sigset_t all; // signals to this process are the main thread's business
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    auto process = spawn(options_);
    if (!process) {
      started.set_value(tl::unexpected{process.error()});
      return;
    }
    pid_ = process->pid;
    input_ = std::move(process->input);
    fcntl(input_.get(), F_SETFL, O_NONBLOCK); // what the process does not read must not hold us up
    process_ = std::move(process->process);
    output_ = std::move(process->output);
    error_output_ = std::move(process->errors);
    started.set_value({});
    watch();
    if (error_output_.open()) drain_errors();
    errors_.finish();
    if (!closing_ && events_.on_exit) events_.on_exit(exit_);
  }

  // Until the process has ended and its output has been handed on, or nobody wants it any more.
  void watch() {
    while (!(ended_ && (closing_ || !output_.open()))) {
      bool read_output = output_.open() && !closing_ && (credit_ > 0 || blocked_since_ == 0) && !is_gathering();
      std::array<pollfd, 4> waits{{{wake_.get(), POLLIN, 0},
                                   {read_output ? output_.get() : -1, POLLIN, 0},
                                   {error_output_.get(), POLLIN, 0},
                                   {ended_ ? -1 : process_.get(), POLLIN, 0}}};
      auto until = timeout();
      timespec wait{until / second, until % second};
      if (ppoll(waits.data(), waits.size(), until < 0 ? nullptr : &wait, nullptr) < 0 && errno != EINTR)
        stop_on_bug("ppoll() on a child's pipes");
      if (waits[0].revents != 0) take_wake();
      if (waits[1].revents != 0) take_output();
      if (waits[2].revents != 0) take_errors();
      if (waits[3].revents != 0) bury();
      kill_when_due();
      end_output_when_lingering();
    }
  }

  // From now until something is due; -1: nothing is.
  nanoseconds timeout() {
    std::lock_guard guard{lock_};
    constexpr auto never = std::numeric_limits<nanoseconds>::max();
    auto due = never;
    if (!ended_ && kill_at_ != 0) due = kill_at_;
    if (ended_ && blocked_since_ == 0) due = ended_at_ + linger_after_exit;
    auto now = monotonic_now();
    if (gather_until_ > now) due = std::min(due, gather_until_);
    return due == never ? -1 : std::max<nanoseconds>(due - now, 0);
  }

  bool is_gathering() const { return monotonic_now() < gather_until_; }

  // True once for what comes soon after a small read: it waits until `between_small_reads` have passed.
  bool starts_gathering() {
    if (std::exchange(gather_until_, 0) != 0) return false;
    if (last_read_bytes_ >= small_read_bytes || monotonic_now() - last_read_at_ >= soon_after_a_read) return false;
    gather_until_ = last_read_at_ + between_small_reads;
    return true;
  }

  void take_wake() {
    std::uint64_t count;
    while (::read(wake_.get(), &count, sizeof count) > 0) {
    }
    if (credit_ > 0) blocked_since_ = 0;
  }

  // There is output, or its end. Without credit that is only noted, and the pipe is left to fill.
  void take_output() {
    if (credit_ <= 0) {
      int waiting = 0;
      ioctl(output_.get(), FIONREAD, &waiting);
      if (waiting > 0 || lines_.has_rest()) {
        note_blocked();
        return;
      }
    } else {
      blocked_since_ = 0;
      if (starts_gathering()) return;
    }
    auto chunk = lines_.take_carry();
    auto carried = chunk.size();
    bool at_end = !fill(chunk);
    last_read_at_ = monotonic_now();
    last_read_bytes_ = chunk.size() - carried;
    if (ended_) read_after_exit_ += last_read_bytes_;
    hand_on(lines_.cut(std::move(chunk), carried));
    if (at_end || (ended_ && read_after_exit_ >= output_pipe_bytes)) end_output();
  }

  void note_blocked() {
    blocked_since_ = monotonic_now();
    // A grant between our look at the credit and this line has woken us already or is about to: see take_wake().
    if (credit_ > 0) blocked_since_ = 0;
  }

  // Reads behind what `chunk` holds, as long as that is worth it. False at the end of the output.
  bool fill(std::string& chunk) {
    auto used = chunk.size();
    bool at_end = false;
    for (;;) {
      int waiting = 0;
      ioctl(output_.get(), FIONREAD, &waiting);
      auto room = options_.chunk_bytes - used;
      if (waiting >= worth_another_read_bytes) chunk.reserve(options_.chunk_bytes);
      // Only as much as is there, so that small reads do not pay for clearing a large buffer.
      chunk.resize(used + std::min(room, std::max(static_cast<std::size_t>(waiting), smallest_read_bytes)));
      auto n = ::read(output_.get(), chunk.data() + used, chunk.size() - used);
      if (n < 0 && errno == EINTR) continue;
      at_end = n == 0 || (n < 0 && errno != EAGAIN);
      if (n <= 0) break;
      used += static_cast<std::size_t>(n);
      if (used == options_.chunk_bytes) break;
      if (ioctl(output_.get(), FIONREAD, &waiting) != 0 || waiting < worth_another_read_bytes) break;
    }
    chunk.resize(used);
    return !at_end;
  }

  void hand_on(cut_lines cut) {
    for (auto& line : cut.given_up) {
      if (closing_) return;
      --credit_;
      if (events_.on_long_line) events_.on_long_line(std::move(line.first_bytes), line.total_bytes);
    }
    if (cut.lines.empty() || closing_) return;
    --credit_;
    if (events_.on_lines) events_.on_lines(std::move(cut.lines));
  }

  // The rest without a newline is handed on under credit too; while there is none, the pipe stays open for it.
  void end_output() {
    if (credit_ <= 0 && lines_.has_rest() && !closing_) {
      note_blocked();
      return;
    }
    hand_on(lines_.finish());
    output_.reset();
    blocked_since_ = 0;
  }

  void end_output_when_lingering() {
    if (!ended_ || !output_.open() || blocked_since_ != 0) return;
    if (monotonic_now() - ended_at_ >= linger_after_exit) {
      int waiting = 0;
      ioctl(output_.get(), FIONREAD, &waiting);
      if (waiting == 0) end_output();
    }
  }

  // One read a turn, so that a flood here leaves every other turn to the output.
  bool take_errors() {
    std::array<char, error_read_bytes> bytes;
    auto n = ::read(error_output_.get(), bytes.data(), bytes.size());
    if (n > 0) errors_.add({bytes.data(), static_cast<std::size_t>(n)}, monotonic_now());
    if (n == 0) error_output_.reset();
    return n > 0;
  }

  void drain_errors() {
    for (int read = 0; read < output_pipe_bytes && error_output_.open(); read += static_cast<int>(error_read_bytes))
      if (!take_errors()) return;
  }

  // The group goes before its leader is reaped: until then its number cannot be given to another.
  void bury() {
    std::lock_guard guard{lock_};
    signal_group(SIGKILL);
    int status = 0;
    pid_t reaped;
    do reaped = waitpid(pid_, &status, 0);
    while (reaped < 0 && errno == EINTR);
    exit_.code = -1;
    if (reaped == pid_ && WIFEXITED(status)) exit_.code = WEXITSTATUS(status);
    if (reaped == pid_ && WIFSIGNALED(status)) exit_.signal = WTERMSIG(status);
    ended_ = true;
    ended_at_ = monotonic_now();
    input_.reset();
  }

  void kill_when_due() {
    std::lock_guard guard{lock_};
    if (ended_ || kill_at_ == 0 || monotonic_now() < kill_at_) return;
    signal_group(SIGKILL);
    kill_at_ = 0;
  }

  void signal_group(int signal) {
    if (!ended_ && pid_ > 0) ::kill(-pid_, signal);
  }

  void wake() {
    std::uint64_t one = 1;
    [[maybe_unused]] auto n = ::write(wake_.get(), &one, sizeof one); // full means that a wake is under way
  }

  child_options options_;
  child_events events_;
  line_cutter lines_;
  error_lines errors_;
  std::atomic<int> credit_;
  std::atomic<nanoseconds> blocked_since_{0}; // 0: the output is not held up
  std::atomic<bool> closing_{false};
  descriptor wake_;

  std::mutex lock_; // held to signal, and to bury
  descriptor input_;
  nanoseconds kill_at_ = 0; // 0: never
  int pid_ = -1;            // written before start() returns, then constant
  bool ended_ = false;      // written by the watcher, under the lock

  // The watcher's own.
  descriptor process_, output_, error_output_;
  nanoseconds last_read_at_ = 0;
  std::size_t last_read_bytes_ = 0;
  nanoseconds gather_until_ = 0; // 0: what is there is read at once
  std::uint64_t read_after_exit_ = 0;
  nanoseconds ended_at_ = 0;
  child_exit exit_;
  std::thread watcher_;
};

} // namespace

std::string child_exit::describe() const {
  if (signal != 0) {
    auto name = sigabbrev_np(signal);
    return name != nullptr ? std::string{"killed by SIG"} + name : "killed by signal " + std::to_string(signal);
  }
  return code < 0 ? "ended, and nobody knows how" : "exit code " + std::to_string(code);
}

expected<std::unique_ptr<child>> start_child(const child_options& options, child_events events) {
  auto started = std::make_unique<watched_child>(options, std::move(events));
  if (auto ok = started->start(); !ok) return tl::unexpected{ok.error()};
  return started;
}

} // namespace finstream
