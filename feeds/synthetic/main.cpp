// finstream-feed-synthetic: made-up trades, at a pace or flat out. See --help, and feeds/README.md for the lines.
#include "feeds/output/contract.hpp"
#include "feeds/output/line_writer.hpp"
#include "feeds/synthetic/event_lines.hpp"
#include "feeds/synthetic/faults.hpp"
#include "feeds/synthetic/options.hpp"
#include "feeds/synthetic/walk.hpp"

#include <algorithm>

namespace {

using namespace finstream;
using namespace finstream::feed;

constexpr nanoseconds heartbeat_every = 250 * millisecond; // of silence
constexpr nanoseconds most_to_catch_up =
  second; // a feed that was held up for longer does not send all of it in one burst
constexpr nanoseconds shortest_wait = 100'000;   // faster than one event in this time, several are sent at once
constexpr std::uint64_t clock_every_events = 64; // flat out, the wall clock is read this often

class synthetic_feed {
public:
  explicit synthetic_feed(const synthetic_options& options)
    : options_{options}, lines_{options}, faults_{options}, walk_{options.seed,
                                                                  static_cast<std::uint32_t>(options.symbols.size()),
                                                                  options.start_price, options.volatility},
      wall_step_{options.in_nanoseconds() ? 1 : 1000} {}

  void run() {
    out_.line(hello_line("synthetic", options_.resumed));
    out_.flush();
    skip_to(options_.resume_after);
    start_ = monotonic_time();
    last_ = options_.start_time ? simulated(number_) : wall_time();
    while (!out_.is_stopped() && (options_.count == 0 || number_ < options_.count)) {
      if (options_.rate > 0 && !wait_for_next()) return;
      send_next();
    }
    if (!out_.is_stopped()) out_.line(eof_line);
    out_.flush();
  }

private:
  // Walks on without a word.
  void skip_to(std::uint64_t target) {
    while (number_ < target && (options_.count == 0 || number_ < options_.count)) {
      auto x = walk_.next();
      number_ = x.number;
      if (options_.start_time) faults_.remember(x, simulated(number_) - faults_.lateness(number_));
    }
  }

  void send_next() {
    auto x = walk_.next();
    number_ = x.number;
    last_ = options_.start_time ? simulated(number_) : wall();
    auto src_ts = last_ - faults_.lateness(number_);
    faults_.write_before(x, src_ts, lines_, out_);
    out_.end_line(lines_.write(out_.room(lines_.max_bytes()), x, src_ts));
    faults_.remember(x, src_ts);
    ++sent_;
  }

  timestamp simulated(std::uint64_t number) const {
    return *options_.start_time + static_cast<nanoseconds>(number) * options_.step_us * 1000;
  }

  // Now, in whole steps, and always after the last.
  timestamp wall() {
    auto now = last_;
    if (options_.rate > 0 || sent_ % clock_every_events == 0) now = floor_to(wall_time(), wall_step_);
    return std::max(now, floor_to(last_, wall_step_) + wall_step_);
  }

  // Until the next event is due; false if the feed is to end.
  bool wait_for_next() {
    auto due = start_ + static_cast<nanoseconds>(static_cast<double>(sent_) / options_.rate * 1e9);
    auto now = monotonic_time();
    if (now - due > most_to_catch_up) start_ += now - due;
    if (due <= now) return !out_.is_stopped();
    for (now += heartbeat_every; now < due; now += heartbeat_every) {
      if (!out_.wait_until(now)) return false;
      // In simulated time nothing passes between two events.
      if (!options_.start_time) last_ = std::max(last_, wall_time());
      out_.line(heartbeat_line(last_));
    }
    return out_.wait_until(std::max(due, monotonic_time() + (options_.rate * shortest_wait > 1e9 ? shortest_wait : 0)));
  }

  const synthetic_options& options_;
  line_writer out_;
  event_lines lines_;
  faults faults_;
  walk walk_;
  nanoseconds wall_step_;
  nanoseconds start_ = 0; // when, by the pace, the first event was due
  std::uint64_t number_ = 0;
  std::uint64_t sent_ = 0;
  timestamp last_;
};

} // namespace

int main(int argc, char** argv) {
  auto options = read_options(argc, argv);
  if (auto code = std::get_if<int>(&options)) return *code;
  synthetic_feed{std::get<synthetic_options>(options)}.run();
  return 0;
}
