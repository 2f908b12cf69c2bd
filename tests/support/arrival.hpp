// How a log comes to be, at random from a seed: sources that send, fall silent, stop, come back, say heartbeats and
// gaps; and in which order events arrive.
#pragma once

#include "tests/support/market.hpp"

#include <map>
#include <random>

namespace finstream::test {

struct log_options {
  std::vector<std::string> providers{"nyse", "arca", "left", "right"};
  std::size_t steps = 300;
  timestamp begin = at("09:29:58.7");
  nanoseconds most_delay = 900 * millisecond; // of an event's arrival; over the lateness some come late
  bool sources_speak = true;                  // heartbeats, gaps, ends, restarts, eof
  bool node_restarts = true;
  bool pauses = true; // log time jumps, and sources fall idle
};

// "left" and "right" are one set.
inline bar_rules random_rules(std::mt19937_64& random) {
  static const std::vector<std::vector<nanoseconds>> choices{{1, 2, 5, 60}, {2, 5}, {1}, {60}, {2, 3, 6}, {5, 10, 30}};
  bar_rules rules;
  rules.intervals = choices[random() % choices.size()];
  for (auto& x : rules.intervals) x *= second;
  rules.sets = {{"pair", {"left", "right"}}};
  rules.clock.allow_late = static_cast<nanoseconds>(random() % 3) * 250 * millisecond;
  rules.schema = random(), rules.config_hash = random();
  return rules;
}

inline happening random_event(std::mt19937_64& random, const std::string& provider, timestamp when, std::int64_t seq) {
  happening x;
  x.provider = provider;
  x.symbol = std::string{"ABC"[random() % 3]};
  x.kind = random() % 10 == 0 ? event_kind::quote : random() % 10 == 0 ? event_kind::bar : event_kind::tick;
  // On a coarse grid, so that equal times, ticks on an end and equal prices are common.
  x.src_ts = random() % 3 == 0 ? floor_to(when, 250 * millisecond) : when;
  x.seq = seq;
  auto cents = [&](std::int64_t around) {
    return (around + static_cast<std::int64_t>(random() % 21) - 10) * 10'000'000;
  };
  auto size = [&] { return static_cast<std::int64_t>(random() % 5) * units_per_one / (random() % 2 == 0 ? 1 : 3); };
  std::int64_t around = random() % 4 == 0 ? -100 : 42'515;
  if (x.kind == event_kind::tick) x.values = {cents(around), size()};
  if (x.kind == event_kind::quote) x.values = {cents(around), cents(around), size(), size()};
  if (x.kind == event_kind::bar)
    x.values = {cents(around), (around + 20) * 10'000'000, (around - 20) * 10'000'000, cents(around), size()};
  if (x.kind == event_kind::bar) x.interval = "1s";
  return x;
}

// "left" and "right" come by one feed, which sometimes speaks for itself and so for both.
inline std::string feed_of(const std::string& provider) {
  return provider == "left" || provider == "right" ? "duo" : provider;
}

inline step random_word(std::mt19937_64& random, const std::string& of, timestamp now) {
  auto feed = feed_of(of), provider = random() % 3 == 0 ? feed : of;
  auto ago = [&] { return now - static_cast<nanoseconds>(random() % 3000) * millisecond; };
  switch (random() % 8) {
  case 0: return said(now, source_change::down, {}, {}, false, provider, feed);
  case 1: return said(now, source_change::restarting, {}, {}, false, provider, feed);
  case 2:
  case 3: return said(now, source_change::up, {}, {}, random() % 2 == 0, provider, feed);
  case 4: {
    auto from = ago();
    return said(now, source_change::gap, from + static_cast<nanoseconds>(random() % 2000) * millisecond, from, false,
                provider);
  }
  case 5: return said(now, source_change::eof, {}, {}, false, provider, feed);
  case 6: return said(now, source_change::heartbeat, earliest, {}, false, provider, feed);
  default: return said(now, source_change::heartbeat, ago(), {}, false, provider, feed);
  }
}

inline std::vector<step> random_log(std::mt19937_64& random, const bar_rules& rules, const log_options& options = {}) {
  std::vector<step> log;
  auto now = options.begin;
  std::int64_t seq = 0;
  while (log.size() < options.steps) {
    auto pause = options.pauses && random() % 25 == 0 ? random() % 15'000 : random() % 200;
    now = now + static_cast<nanoseconds>(pause) * millisecond;
    auto& provider = options.providers[random() % options.providers.size()];
    if (random() % 8 == 0) {
      log.push_back({now, {}, {}, {}, {}});
    } else if (options.sources_speak && random() % 12 == 0) {
      log.push_back(random_word(random, provider, now));
    } else if (options.node_restarts && random() % 80 == 0) {
      log.push_back({now, {}, {}, rules, {}});
    } else {
      step x{now, {}, {}, {}, feed_of(provider)};
      for (auto n = 1 + random() % 12; n != 0; --n) {
        auto delay = static_cast<nanoseconds>(random() % static_cast<std::uint64_t>(options.most_delay + 1));
        x.events.push_back(random_event(random, provider, now - delay, seq++));
      }
      log.push_back(std::move(x));
    }
  }
  return log;
}

// Everything that is open closes: nothing has been heard of any source for a day.
inline step long_silence(const std::vector<step>& log) { return {log.back().log_ts + 86'400 * second, {}, {}, {}, {}}; }

} // namespace finstream::test
