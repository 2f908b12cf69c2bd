// spdlog's queue and its one thread carry a line from whoever writes it to standard error; the thread sleeps while
// there is nothing to write. Before start() and after stop() there is no thread, and a line is written by its caller.
#include "runtime/log/log.hpp"

#include "runtime/clock/clock.hpp"
#include "runtime/log/line.hpp"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/sink.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <poll.h>
#include <unistd.h>

namespace finstream::log {

namespace {

// Together they bound what the log may hold: 32 MiB at worst, 2 MiB when lines are short. A burst of some seconds fits.
constexpr std::size_t max_queued_lines = 4096;
constexpr std::size_t max_text_bytes = 8 * 1024;
constexpr std::size_t max_component_bytes = 128;
// How long a reader of standard error may stand still before its lines are dropped instead of waited for: without it, a
// stopped terminal would keep stop() from coming back.
constexpr int stuck_after_ms = 2000;
// How much a pipe that poll() calls writable takes without waiting (PIPE_BUF); also what it takes in one piece.
constexpr std::size_t pipe_room_bytes = 4096;
// While lines are being dropped, this often is enough to say so.
constexpr nanoseconds drop_notice_interval = second;

// Writes lines to standard error, one at a time.
class terminal {
public:
  void configure(bool json) {
    std::lock_guard guard{mutex_};
    json_ = json;
    colour_ = !json && is_colour_wanted();
  }

  void prefix(std::string_view erase) {
    std::lock_guard guard{mutex_};
    prefix_ = erase;
  }

  void write(const line& x) {
    std::lock_guard guard{mutex_};
    if (!put(x)) lost_.fetch_add(1, std::memory_order_relaxed);
  }

  // Lines are missing: whoever reads the log must see that.
  void say_dropped(timestamp at, std::uint64_t total, bool at_once) {
    std::lock_guard guard{mutex_};
    if (total == told_ || (!at_once && at - told_at_ < drop_notice_interval)) return;
    auto text =
      fmt::format("{} lines are missing here: they came faster than standard error takes them", total - told_);
    if (!put({at, level::warning, "log", text})) return;
    told_ = total;
    told_at_ = at;
  }

  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

private:
  static bool is_colour_wanted() { return isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr; }

  bool put(const line& x) {
    auto text = torn_ ? "\n" + prefix_ : prefix_;
    text += json_ ? json_line(x) : human_line(x, colour_);
    for (std::string_view rest = text; !rest.empty();) {
      pollfd wanted{STDERR_FILENO, POLLOUT, 0};
      auto ready = poll(&wanted, 1, stuck_ ? 0 : stuck_after_ms);
      if (ready < 0 && errno == EINTR) continue;
      stuck_ = ready <= 0;
      // With its reader gone, writing to a pipe would end the process (SIGPIPE).
      if (stuck_ || (wanted.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) return false;
      auto written = ::write(STDERR_FILENO, rest.data(), std::min(rest.size(), pipe_room_bytes));
      if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (written <= 0) return false;
      rest.remove_prefix(static_cast<std::size_t>(written));
      torn_ = !rest.empty();
    }
    return true;
  }

  std::mutex mutex_;
  bool json_ = false;
  bool colour_ = is_colour_wanted();
  bool stuck_ = false; // the last line could not be written in time
  bool torn_ = false;  // only a part of the last line was written
  std::string prefix_;
  std::uint64_t told_ = 0; // of the lines dropped
  timestamp told_at_;
  std::atomic<std::uint64_t> lost_{0};
};

struct log_state {
  std::atomic<level> threshold{level::info};
  terminal out;

  std::mutex mutex; // held while a line is put into the queue, never while one is written
  std::shared_ptr<spdlog::async_logger> logger;
  std::unique_ptr<spdlog::details::thread_pool> pool; // nothing before start() and after stop()
  std::uint64_t dropped_before = 0;                   // by pools that are gone
};

// Never destroyed: other objects may write a line while the process ends.
log_state& state() {
  static auto& instance = *new log_state;
  return instance;
}

// What spdlog's thread calls with each line.
class terminal_sink : public spdlog::sinks::sink {
public:
  void log(const spdlog::details::log_msg& x) override {
    timestamp at{std::chrono::duration_cast<std::chrono::nanoseconds>(x.time.time_since_epoch()).count()};
    state().out.say_dropped(at, dropped(), false);
    state().out.write({at,
                       static_cast<finstream::log::level>(x.level),
                       {x.logger_name.data(), x.logger_name.size()},
                       {x.payload.data(), x.payload.size()}});
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}
};
static_assert(static_cast<int>(level::trace) == SPDLOG_LEVEL_TRACE &&
              static_cast<int>(level::error) == SPDLOG_LEVEL_ERROR);

// Signals are for the threads that wait for them.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

} // namespace

void start(const options& settings) {
  auto& self = state();
  self.threshold.store(settings.threshold, std::memory_order_relaxed);
  self.out.configure(settings.json);
  std::lock_guard guard{self.mutex};
  if (self.pool != nullptr) return;
  try {
    // The logger only carries the sink to the pool's thread; lines are posted to the pool with their own component.
    self.logger = std::make_shared<spdlog::async_logger>("finstream", std::make_shared<terminal_sink>(),
                                                         std::weak_ptr<spdlog::details::thread_pool>{},
                                                         spdlog::async_overflow_policy::overrun_oldest);
    self.pool = std::make_unique<spdlog::details::thread_pool>(max_queued_lines, 1, block_signals);
  } catch (const std::exception& reason) {
    // No thread to be had: lines go on being written by their callers.
    self.out.write({system_clock().now(), level::warning, "log", reason.what()});
  }
}

void stop() {
  auto& self = state();
  std::unique_ptr<spdlog::details::thread_pool> pool;
  {
    std::lock_guard guard{self.mutex};
    if (self.pool == nullptr) return;
    pool = std::move(self.pool);
    self.dropped_before += pool->overrun_counter(); // final: nothing reaches the queue any more
  }
  pool.reset(); // waits until the thread has written what is queued
  self.out.say_dropped(system_clock().now(), dropped(), true);
}

bool enabled(level at) { return at >= state().threshold.load(std::memory_order_relaxed); }

void write(level at, std::string_view component, std::string_view text) {
  if (!enabled(at)) return;
  auto& self = state();
  auto now = system_clock().now();
  auto name = component.substr(0, max_component_bytes);
  try {
    auto cut = text.size() > max_text_bytes ? shortened(text, max_text_bytes) : std::string{};
    auto kept = cut.empty() ? text : std::string_view{cut};
    std::unique_lock guard{self.mutex};
    if (self.pool != nullptr) {
      auto since_epoch = std::chrono::duration_cast<spdlog::log_clock::duration>(std::chrono::nanoseconds{now.ns});
      spdlog::details::log_msg message{spdlog::log_clock::time_point{since_epoch},
                                       {},
                                       {name.data(), name.size()},
                                       static_cast<spdlog::level::level_enum>(at),
                                       {kept.data(), kept.size()}};
      auto logger = self.logger;
      self.pool->post_log(std::move(logger), message, spdlog::async_overflow_policy::overrun_oldest);
    } else {
      guard.unlock();
      self.out.write({now, at, name, kept});
    }
  } catch (const std::exception&) {
    // Out of memory while a line is made: the line is lost, the data is not.
  }
}

std::uint64_t dropped() {
  auto& self = state();
  std::lock_guard guard{self.mutex};
  return self.dropped_before + self.out.lost() + (self.pool == nullptr ? 0 : self.pool->overrun_counter());
}

void set_line_prefix(std::string_view erase) { state().out.prefix(erase); }

} // namespace finstream::log
