#include "runtime/clock/clock.hpp"

#include <cerrno>
#include <ctime>

namespace finstream {

namespace {

std::int64_t read(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<std::int64_t>(t.tv_sec) * second + t.tv_nsec;
}

class machine_clock : public clock {
public:
  timestamp now() const override { return {read(CLOCK_REALTIME)}; }
  nanoseconds monotonic() const override { return read(CLOCK_MONOTONIC); }
};

} // namespace

void pause(nanoseconds span) {
  timespec t{static_cast<time_t>(span / second), static_cast<long>(span % second)};
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR) {
  }
}

const clock& system_clock() {
  static const machine_clock instance;
  return instance;
}

} // namespace finstream
