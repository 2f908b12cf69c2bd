#include "runtime/store/hang_up_watch.hpp"

#include <chrono>
#include <sys/socket.h>

namespace finstream {

hang_up_watch::hang_up_watch(int socket, int limit_ms)
  : socket_{socket}, limit_ms_{limit_ms}, thread_{[this] { run(); }} {}

hang_up_watch::~hang_up_watch() {
  {
    std::lock_guard lock{mutex_};
    stopped_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

bool hang_up_watch::has_hung_up() const {
  std::lock_guard lock{mutex_};
  return hung_up_;
}

void hang_up_watch::set(bool guarded) {
  {
    std::lock_guard lock{mutex_};
    guarded_ = guarded;
    ++turns_;
  }
  changed_.notify_one();
}

void hang_up_watch::run() {
  std::unique_lock lock{mutex_};
  while (!stopped_) {
    changed_.wait(lock, [&] { return stopped_ || (guarded_ && !hung_up_); });
    auto turn = turns_;
    auto in_time =
      changed_.wait_for(lock, std::chrono::milliseconds{limit_ms_}, [&] { return stopped_ || turns_ != turn; });
    if (in_time) continue;
    ::shutdown(socket_, SHUT_RDWR);
    hung_up_ = true;
  }
}

} // namespace finstream
