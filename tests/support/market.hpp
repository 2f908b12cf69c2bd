// The language of tests about events and bars: a step is one record of a partition's log, a run is a bars stage that
// takes steps and keeps all that came of them.
#pragma once

#include "actors/logic/bar_stage.hpp"
#include "messages/codec/msgpack.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace finstream::test {

// at("09:30:01.5") of one day; the day begins on a minute as every day does.
inline timestamp at(const std::string& time_of_day, const std::string& day = "2026-01-05") {
  auto t = parse_timestamp(day + "T" + time_of_day + "Z");
  ensure(t.has_value(), "a test names a time");
  return *t;
}

inline std::int64_t units(const std::string& number) {
  auto x = parse_decimal(number);
  ensure(x.has_value(), "a test names a number");
  return x->units;
}

// One event, its names spelled out.
struct happening {
  std::string provider;
  std::string symbol;
  event_kind kind = event_kind::tick;
  timestamp src_ts;
  std::int64_t seq = 0;
  std::array<std::int64_t, 5> values{};
  std::string interval;
};

inline happening trade(timestamp when, const std::string& price, const std::string& size, std::int64_t seq = 0,
                       std::string symbol = "SPY", std::string provider = "nyse") {
  return {std::move(provider), std::move(symbol), event_kind::tick, when, seq, {units(price), units(size)}, ""};
}
inline happening quote(timestamp when, const std::string& bid, const std::string& ask, const std::string& bid_size,
                       const std::string& ask_size) {
  return {"nyse", "SPY", event_kind::quote, when, 0, {units(bid), units(ask), units(bid_size), units(ask_size)}, ""};
}

inline event_batch make_batch(const std::vector<happening>& events, const std::string& feed = "feed") {
  event_batch out;
  out.feed = feed;
  auto keys = std::make_shared<std::vector<series_key>>();
  for (auto& x : events) {
    series_key key{x.provider, x.symbol};
    auto at_key = std::find(keys->begin(), keys->end(), key);
    if (at_key == keys->end()) at_key = keys->insert(at_key, key);
    auto at_interval = std::find(out.intervals.begin(), out.intervals.end(), x.interval);
    if (at_interval == out.intervals.end()) at_interval = out.intervals.insert(at_interval, x.interval);
    out.rows.push_back({x.src_ts, x.seq, x.values, static_cast<std::uint32_t>(at_key - keys->begin()), x.kind,
                        static_cast<std::uint8_t>(at_interval - out.intervals.begin())});
    out.ingest_ts = std::max(out.ingest_ts, x.src_ts);
  }
  out.keys = std::move(keys);
  return out;
}

// A record of the log: events, a source's word, the node's start, or else the passing of time.
struct step {
  timestamp log_ts;
  std::vector<happening> events;
  std::optional<source_event> source;
  std::optional<bar_rules> start;
  std::string feed = "feed"; // of the events
};

inline step said(timestamp log_ts, source_change what, timestamp when = {}, timestamp from = {}, bool resumed = false,
                 std::string provider = "nyse", std::string feed = "feed") {
  return {log_ts, {}, source_event{std::move(feed), std::move(provider), what, when, from, resumed, ""}, {}, {}};
}

class run {
public:
  explicit run(bar_rules rules = {}) : stage{std::move(rules)} {}

  // What this step gave; it is also kept.
  stage_output take(const step& x) {
    if (x.start)
      stage.on_start(x.log_ts, *x.start);
    else if (x.source)
      stage.on_source(x.log_ts, *x.source);
    else if (x.events.empty())
      stage.on_clock(x.log_ts);
    else
      stage.on_events(next_offset, x.log_ts, make_batch(x.events, x.feed));
    for (auto& event : x.events) offered.emplace_back(event, next_offset++);
    auto out = stage.take_output();
    for (auto& record : out.records) {
      if (auto* made = std::get_if<bar>(&record))
        bars.push_back(*made);
      else
        ends.push_back(std::get<end_of_interval>(record));
    }
    records.insert(records.end(), out.records.begin(), out.records.end());
    rejected.insert(rejected.end(), out.rejected.begin(), out.rejected.end());
    return out;
  }
  void take_all(const std::vector<step>& log) {
    for (auto& x : log) take(x);
  }
  void events(timestamp log_ts, std::vector<happening> xs) { take({log_ts, std::move(xs), {}, {}, "feed"}); }
  void clock(timestamp log_ts) { take({log_ts, {}, {}, {}, {}}); }
  // Goes on from a checkpoint.
  void stop_and_load() {
    auto loaded = bar_stage::load(stage.save());
    ensure(loaded.has_value(), "a checkpoint can be loaded");
    stage = std::move(*loaded);
  }

  std::vector<bar> bars_of(nanoseconds interval) const {
    std::vector<bar> out;
    for (auto& x : bars)
      if (x.interval == interval) out.push_back(x);
    return out;
  }
  std::vector<end_of_interval> ends_of(nanoseconds interval, const std::string& provider = "nyse") const {
    std::vector<end_of_interval> out;
    for (auto& x : ends)
      if (x.interval == interval && x.provider == provider) out.push_back(x);
    return out;
  }
  // Events that were offered and not refused, with their offsets.
  std::vector<std::pair<happening, std::uint64_t>> counted() const {
    auto out = offered;
    std::erase_if(out, [&](auto& x) {
      return std::any_of(rejected.begin(), rejected.end(), [&](auto& r) {
        return r.offset == x.second && r.event.symbol == x.first.symbol && r.event.src_ts == x.first.src_ts;
      });
    });
    return out;
  }

  bar_stage stage;
  std::uint64_t next_offset = 0;
  std::vector<std::pair<happening, std::uint64_t>> offered;
  std::vector<bar> bars;
  std::vector<end_of_interval> ends;
  std::vector<derived> records;
  std::vector<rejected_event> rejected;
};

// "09:30:00-09:30:01 closed; ..."
inline std::string told(const std::vector<end_of_interval>& ends) {
  auto short_time = [](timestamp t) { return to_string(t).substr(11, to_string(t).size() - 12); };
  std::string out;
  for (auto& x : ends)
    out += (out.empty() ? "" : "; ") + short_time(x.start) + "-" + short_time(x.end) + " " +
           std::string{to_string(x.reason)};
  return out;
}
// "open/high/low/close/volume/vwap/trades"
inline std::string told(const bar& x) {
  return to_string(x.open) + "/" + to_string(x.high) + "/" + to_string(x.low) + "/" + to_string(x.close) + "/" +
         to_string(x.volume) + "/" + (x.vwap ? to_string(*x.vwap) : "null") + "/" + std::to_string(x.trades);
}

} // namespace finstream::test
