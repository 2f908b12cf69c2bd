// Batches for the codec's tests: any values there are, and realistic ones.
#pragma once

#include "messages/event/market_event.hpp"

#include <limits>
#include <random>
#include <string>

namespace finstream::test {

inline std::int64_t any_number(std::mt19937_64& random) {
  constexpr auto least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
  switch (random() % 8) {
  case 0: return least;
  case 1: return most;
  case 2: return 0;
  case 3: return -1;
  case 4: return static_cast<std::int64_t>(random() % 1000) * 1'000'000'000;
  case 5: return static_cast<std::int64_t>(random() % 1'000'000) * -10'000'000;
  default: return static_cast<std::int64_t>(random()) >> (random() % 64);
  }
}

// A row has what its kind has, and no more.
inline event_row any_row(std::mt19937_64& random, std::size_t keys, std::size_t intervals) {
  event_row row;
  row.kind = static_cast<event_kind>(random() % 3);
  row.key = static_cast<std::uint32_t>(random() % keys);
  row.src_ts.ns = any_number(random);
  row.seq = any_number(random);
  auto values = row.kind == event_kind::tick ? 2u : row.kind == event_kind::bar ? 5u : 4u;
  for (std::size_t i = 0; i < values; ++i) row.values[i] = any_number(random);
  if (row.kind == event_kind::bar) row.interval = static_cast<std::uint8_t>(random() % intervals);
  return row;
}

inline event_batch any_batch(std::mt19937_64& random) {
  event_batch batch;
  batch.feed = std::string(random() % 20, 'f');
  batch.ingest_ts.ns = any_number(random);
  auto keys = std::make_shared<std::vector<series_key>>();
  for (auto n = 1 + random() % (random() % 10 == 0 ? 3000 : 10); keys->size() < n;)
    keys->push_back({"provider" + std::to_string(random() % 3), "S" + std::to_string(keys->size())});
  for (auto n = random() % (random() % 20 == 0 ? 255 : 4); batch.intervals.size() <= n;)
    batch.intervals.push_back(std::to_string(batch.intervals.size()) + "s");
  for (auto n = random() % 200; batch.rows.size() < n;)
    batch.rows.push_back(any_row(random, keys->size(), batch.intervals.size()));
  batch.keys = std::move(keys);
  return batch;
}

// What a feed sends: `symbols` walks, prices in cents, sizes in lots, times to the microsecond.
inline event_batch market_batch(std::mt19937_64& random, std::size_t symbols, std::size_t rows, event_kind kind) {
  event_batch batch;
  batch.feed = "synthetic";
  auto keys = std::make_shared<std::vector<series_key>>();
  for (std::size_t i = 0; i < symbols; ++i) keys->push_back({"synthetic", "SYM" + std::to_string(i)});
  std::vector<std::int64_t> cents(symbols, 42'515);
  batch.intervals.push_back("1s");
  timestamp now{1'795'252'200'000'000'000};
  for (std::size_t i = 0; i < rows; ++i) {
    event_row row;
    row.kind = kind;
    row.key = static_cast<std::uint32_t>(random() % symbols);
    now = now + static_cast<nanoseconds>(random() % 2000) * 1000;
    row.src_ts = now;
    row.seq = static_cast<std::int64_t>(18'300'000 + i);
    auto at = (cents[row.key] += static_cast<std::int64_t>(random() % 21) - 10) * 10'000'000;
    auto lots = static_cast<std::int64_t>(1 + random() % 50) * 100 * units_per_one;
    if (kind == event_kind::tick) row.values = {at, lots};
    if (kind == event_kind::quote) row.values = {at, at + 10'000'000, lots, lots};
    if (kind == event_kind::bar) row.values = {at, at + 20'000'000, at - 10'000'000, at, lots}, row.interval = 1;
    batch.rows.push_back(row);
  }
  batch.ingest_ts = now;
  batch.keys = std::move(keys);
  return batch;
}

} // namespace finstream::test
