// The thread that looks after an open log: some time after a write it makes it durable (level `interval`), and while
// the log is in trouble it tries again and again to mend it. It sleeps without a deadline while there is nothing to do.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace finstream {

class keeper {
public:
  struct duties {
    std::chrono::milliseconds sync_interval{100};
    std::chrono::milliseconds mend_interval{250};
    std::function<void()> sync;
    std::function<bool()> mend; // whether all is well again
  };

  explicit keeper(duties work) : duties_{std::move(work)}, thread_{[this] { run(); }} {}
  keeper(const keeper&) = delete;
  keeper& operator=(const keeper&) = delete;

  ~keeper() { stop(); }

  // What is not synced yet is left to the owner. After this it may still be told things, and does nothing.
  void stop() {
    if (!thread_.joinable()) return;
    {
      std::lock_guard guard{mutex_};
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void written() { wake(dirty_); }
  void troubled() { wake(trouble_); }

private:
  void wake(std::atomic<bool>& flag) {
    if (flag.exchange(true, std::memory_order_acq_rel)) return; // the thread knows already
    std::lock_guard guard{mutex_};
    changed_.notify_all();
  }

  void run() {
    std::unique_lock guard{mutex_};
    while (true) {
      changed_.wait(guard, [this] { return stopping_ || dirty_ || trouble_; });
      auto pause = trouble_ ? duties_.mend_interval : duties_.sync_interval;
      if (changed_.wait_for(guard, pause, [this] { return stopping_; })) return;
      guard.unlock();
      // The flags are lowered first: what happens during the work is for the next round.
      if (trouble_.exchange(false, std::memory_order_acq_rel)) {
        if (!duties_.mend()) trouble_ = true;
      } else if (dirty_.exchange(false, std::memory_order_acq_rel)) {
        duties_.sync();
      }
      guard.lock();
    }
  }

  const duties duties_;
  std::atomic<bool> dirty_{false};
  std::atomic<bool> trouble_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false; // under mutex_
  std::thread thread_;    // last: it uses all of the above
};

} // namespace finstream
