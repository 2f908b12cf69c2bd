// INTERNAL to runtime/store: shuts a socket when a guard over it has stood too long, so that a thread which waits in
// someone else's code comes back.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace finstream {

class hang_up_watch {
public:
  hang_up_watch(int socket, int limit_ms);
  hang_up_watch(const hang_up_watch&) = delete;
  hang_up_watch& operator=(const hang_up_watch&) = delete;
  ~hang_up_watch();

  bool has_hung_up() const;

  class guard {
  public:
    explicit guard(hang_up_watch& watch) : watch_{watch} { watch_.set(true); }
    guard(const guard&) = delete;
    guard& operator=(const guard&) = delete;
    ~guard() { watch_.set(false); }

  private:
    hang_up_watch& watch_;
  };

private:
  void set(bool guarded);
  void run();

  int socket_;
  int limit_ms_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  unsigned turns_ = 0; // of set(): the guard that is waited for may have made place for another
  bool guarded_ = false;
  bool hung_up_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

} // namespace finstream
