// What the bars stage costs for events that are already in memory, beside its floor: a bare loop over the same rows
// that makes one dense OHLCV update per symbol and knows no time, no order and no names. And what stands around it:
// remembering events against duplicates, packing them for the log and unpacking them.
#include "actors/logic/bar_stage.hpp"
#include "actors/logic/event_memory.hpp"
#include "messages/codec/event_codec.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace finstream;

constexpr std::size_t rows_a_batch = 1500; // as many lines as one read of a feed's pipe holds
constexpr std::size_t batches_a_round = 1000;
constexpr double seconds_a_case = 1.0;
constexpr timestamp begin{1'795'252'200'000'000'000};
constexpr std::uint64_t dedup_horizon_events = 1'000'000;

struct series_of_batches {
  std::vector<event_batch> batches;
  nanoseconds length = 0; // of the whole, so that a round can follow the one before
};

// The same batches on every run: `next` is a linear congruence, good enough for prices.
series_of_batches make_batches(std::size_t symbols, nanoseconds step) {
  std::uint64_t state = 42;
  auto next = [&](std::uint64_t below) {
    state = state * 6364136223846793005 + 1442695040888963407;
    return (state >> 33) % below;
  };
  auto keys = std::make_shared<std::vector<series_key>>();
  for (std::size_t i = 0; i < symbols; ++i) keys->push_back({"synthetic", "SYM" + std::to_string(i)});
  std::vector<std::int64_t> cents(symbols, 42'515);
  series_of_batches out;
  std::int64_t seq = 0;
  auto when = begin;
  for (std::size_t b = 0; b < batches_a_round; ++b) {
    auto& batch = out.batches.emplace_back();
    batch.feed = "synthetic";
    batch.keys = keys;
    batch.rows.resize(rows_a_batch);
    for (auto& row : batch.rows) {
      when = when + step + static_cast<nanoseconds>(next(static_cast<std::uint64_t>(step) / 10));
      row.src_ts = when;
      row.seq = ++seq;
      row.key = static_cast<std::uint32_t>(next(symbols));
      cents[row.key] += static_cast<std::int64_t>(next(21)) - 10;
      row.values = {cents[row.key] * 10'000'000, static_cast<std::int64_t>(1 + next(5000)) * units_per_one};
    }
    batch.ingest_ts = when;
  }
  out.length = when - begin;
  return out;
}

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// The best of the rounds that fit into the time: what disturbed the others is not ours. `round` goes over all batches,
// and `prepare` is not counted.
double nanoseconds_an_event(const std::function<void()>& prepare, const std::function<void()>& round) {
  double best = 1e9;
  double spent = 0;
  do {
    prepare();
    auto before = cpu_seconds();
    round();
    auto took = cpu_seconds() - before;
    spent += took;
    best = std::min(best, took * 1e9 / static_cast<double>(rows_a_batch * batches_a_round));
  } while (spent < seconds_a_case);
  return best;
}

struct dense_bar {
  std::int64_t open = 0, high = 0, low = 0, close = 0, volume = 0, trades = 0;
  int128 traded = 0;
};

void dense_update(std::vector<dense_bar>& bars, const event_batch& batch) {
  for (auto& row : batch.rows) {
    auto& x = bars[row.key];
    auto price = row.values[0], size = row.values[1];
    if (x.trades++ == 0) x.open = x.high = x.low = price;
    x.high = std::max(x.high, price);
    x.low = std::min(x.low, price);
    x.close = price;
    x.volume += size;
    x.traded += static_cast<int128>(price) * size;
  }
}

void report(const std::string& name, double ns, double floor_ns, const std::string& more = "") {
  std::printf(R"({"name":"%s","ns_per_event":%.1f,"events_per_cpu_second":%.0f,"floor_ratio":%.2f%s})"
              "\n",
              name.c_str(), ns, 1e9 / ns, ns / floor_ns, more.c_str());
  std::fflush(stdout);
}

double measure_floor(const std::vector<event_batch>& batches, std::size_t symbols) {
  std::vector<dense_bar> bars(symbols);
  auto ns = nanoseconds_an_event([] {},
                                 [&] {
                                   for (auto& batch : batches) dense_update(bars, batch);
                                 });
  std::int64_t trades = 0;
  for (auto& x : bars) trades += x.trades;
  if (trades == 0 || bars[0].close == 0) std::abort(); // what is not read could be left out
  return ns;
}

double measure_windows(series_of_batches& what, std::uint64_t& records) {
  bar_rules rules;
  bar_stage stage{rules};
  std::uint64_t offset = 0, rounds = 0;
  // Each round goes on where the one before ended: time never turns back.
  auto prepare = [&] {
    if (rounds++ == 0) return;
    for (auto& batch : what.batches)
      for (auto& row : batch.rows) row.src_ts = row.src_ts + what.length;
  };
  auto ns = nanoseconds_an_event(prepare, [&] {
    records = 0;
    for (auto& batch : what.batches) {
      stage.on_events(offset, batch.rows.back().src_ts, batch);
      offset += batch.rows.size();
      auto out = stage.take_output();
      if (!out.rejected.empty()) std::abort(); // not what is to be measured
      records += out.records.size();
    }
  });
  if (stage.events() != offset) std::abort();
  return ns;
}

double measure_memory(series_of_batches& what) {
  event_memory memory{dedup_horizon_events};
  std::vector<std::uint32_t> duplicates;
  std::uint64_t rounds = 0;
  auto prepare = [&] {
    if (rounds++ == 0) return;
    for (auto& batch : what.batches)
      for (auto& row : batch.rows) row.src_ts = row.src_ts + what.length;
  };
  return nanoseconds_an_event(prepare, [&] {
    for (auto& batch : what.batches) {
      memory.insert(batch, duplicates);
      if (!duplicates.empty()) std::abort();
    }
  });
}

void measure(std::size_t symbols, nanoseconds step, const char* step_name) {
  auto what = make_batches(symbols, step);
  auto suffix = "_" + std::to_string(symbols) + "_symbols_" + step_name;
  auto floor_ns = measure_floor(what.batches, symbols);
  report("window_floor" + suffix, floor_ns, floor_ns);
  std::uint64_t records = 0;
  auto ns = measure_windows(what, records);
  auto events = static_cast<double>(rows_a_batch * batches_a_round);
  char more[64];
  std::snprintf(more, sizeof(more), R"(,"records_per_event":%.4f)", static_cast<double>(records) / events);
  report("window_stage" + suffix, ns, floor_ns, more);
  report("event_memory" + suffix, measure_memory(what), floor_ns);

  std::vector<std::string> packed(what.batches.size());
  auto encode_ns = nanoseconds_an_event([] {},
                                        [&] {
                                          for (std::size_t i = 0; i < packed.size(); ++i)
                                            packed[i] = encode_events(what.batches[i]);
                                        });
  double bytes = 0;
  for (auto& x : packed) bytes += static_cast<double>(x.size());
  std::snprintf(more, sizeof(more), R"(,"bytes_per_event":%.1f)", bytes / events);
  report("event_encode" + suffix, encode_ns, floor_ns, more);
  auto decode_ns = nanoseconds_an_event([] {},
                                        [&] {
                                          for (auto& x : packed)
                                            if (!decode_events(x)) std::abort();
                                        });
  report("event_decode" + suffix, decode_ns, floor_ns);
}

} // namespace

int main() {
  for (auto symbols : {std::size_t{100}, std::size_t{10'000}}) {
    measure(symbols, 1'000, "1us");
    measure(symbols, millisecond, "1ms");
  }
}
