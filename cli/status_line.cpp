#include "cli/status_line.hpp"

#include "runtime/log/log.hpp"

#include <cstdio>
#include <fmt/core.h>
#include <unistd.h>

namespace finstream {

namespace {

std::string grouped(std::uint64_t x) {
  auto digits = std::to_string(x);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

} // namespace

status_line::status_line() : shown_{isatty(STDERR_FILENO) == 1} {
  if (shown_) log::set_line_prefix("\r\x1b[K");
}

status_line::~status_line() {
  if (!shown_) return;
  log::set_line_prefix("");
  std::fputs("\r\x1b[K", stderr);
}

std::string status_line::text(double events_per_second, const node_status& now) {
  return fmt::format("{} events/s  bars {}  lag p99 {:.1f} ms  clients {}  errors {}",
                     grouped(static_cast<std::uint64_t>(events_per_second)), grouped(now.bars),
                     now.lag_p99_seconds * 1e3, now.clients, grouped(now.dead_letters));
}

void status_line::refresh(const node_status& now, nanoseconds monotonic) {
  auto passed = static_cast<double>(monotonic - last_at_) / 1e9;
  auto rate = last_at_ == 0 || passed <= 0 ? 0.0 : static_cast<double>(now.events - last_events_) / passed;
  last_events_ = now.events;
  last_at_ = monotonic;
  if (shown_) fmt::print(stderr, "\r\x1b[K{}", text(rate, now)), std::fflush(stderr);
}

} // namespace finstream
