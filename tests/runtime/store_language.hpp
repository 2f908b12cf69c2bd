// The small language that tests of a store are written in: rows by a few words, rows by chance, and a model of the
// contract that is too simple to be wrong.
#pragma once

#include "runtime/store/row_cells.hpp"
#include "runtime/store/store_rules.hpp"
#include "tests/runtime/bus_language.hpp"

#include <algorithm>
#include <map>
#include <random>

namespace finstream::test {

using namespace std::string_literals;

inline bar make_bar(std::int64_t start, std::uint32_t revision = 0, std::string symbol = "SPY",
                    std::string provider = "nyse", nanoseconds interval = second) {
  bar x;
  x.provider = std::move(provider), x.symbol = std::move(symbol), x.interval = interval;
  x.start = at(start), x.end = at(start) + interval, x.revision = revision;
  return x;
}
inline feature_vector make_features(std::int64_t start, std::uint32_t revision = 0, std::string symbol = "SPY") {
  feature_vector x;
  x.provider = "nyse", x.symbol = std::move(symbol), x.interval = second;
  x.start = at(start), x.end = at(start + 1), x.revision = revision;
  auto& value = x.values.emplace_back();
  value.name = "vol_5m", value.value = 0.25;
  return x;
}
inline signal make_signal(std::string id, std::int64_t ts = 0, std::string name = "up") {
  signal x;
  x.provider = "nyse", x.symbol = "SPY", x.ts = at(ts), x.signal_id = std::move(id), x.name = std::move(name);
  return x;
}
inline job_run make_run(std::string id, job_status status, std::uint64_t rows) {
  job_run x;
  x.id = std::move(id), x.kind = job_kind::replay, x.started = at(1), x.rows = rows, x.status = status;
  if (status != job_status::running) x.ended = at(2);
  return x;
}
inline dead_letter_entry make_dead_letter(std::uint64_t offset, std::uint32_t attempts = 1) {
  dead_letter_entry x;
  x.epoch = 7, x.offset = offset, x.attempts = attempts, x.feed = "nyse", x.code = errc::bad_field;
  return x;
}
inline store_batch position_at(std::uint64_t next, std::uint64_t epoch = 7) {
  store_batch out;
  out.positions.push_back({{epoch, topic::bars, 0}, next});
  return out;
}

inline std::uint64_t next_of(store& rows, const log_stream& stream) {
  auto found = must(rows.position(stream));
  CAF_REQUIRE(found.has_value());
  return *found;
}

// All rows of a store, so that two can be compared; in the order of their own bytes, which is none of the contract's.
struct stored_rows {
  std::vector<row_cells::cells> all;
  friend bool operator==(const stored_rows&, const stored_rows&) = default;

  template <class Row> void add(const Row& x) { all.push_back(row_cells::from_row(x)); }
  stored_rows& sort() { return std::sort(all.begin(), all.end()), *this; }
};
inline stored_rows rows_of(store& from) {
  stored_rows out;
  auto keep = [&](const auto& x) { return out.add(x), true; };
  must(from.bars({}, keep)), must(from.features({}, keep)), must(from.signals({}, keep));
  must(from.job_runs(keep)), must(from.dead_letters(keep));
  return out.sort();
}

// What the contract says, row by row.
class store_model {
public:
  void apply(const store_batch& batch) {
    for (auto& x : batch.bars) put(bars_, x);
    for (auto& x : batch.features) put(features_, x);
    for (auto& x : batch.signals) put(signals_, x);
    for (auto& x : batch.job_runs) put(job_runs_, x);
    for (auto& x : batch.dead_letters) put(dead_letters_, x);
  }
  stored_rows rows() const {
    stored_rows out;
    for (auto& [key, x] : bars_) out.add(x);
    for (auto& [key, x] : features_) out.add(x);
    for (auto& [key, x] : signals_) out.add(x);
    for (auto& [key, x] : job_runs_) out.add(x);
    for (auto& [key, x] : dead_letters_) out.add(x);
    return out.sort();
  }

private:
  template <class Row> using table = std::map<std::string, Row>;
  template <class Row> static void put(table<Row>& into, const Row& x) {
    auto [there, fresh] = into.try_emplace(store_rules::key(x), x);
    if (!fresh && store_rules::rank(x) > store_rules::rank(there->second)) there->second = x;
  }
  table<bar> bars_;
  table<feature_vector> features_;
  table<signal> signals_;
  table<job_run> job_runs_;
  table<dead_letter_entry> dead_letters_;
};

// What has broken others: quotes, what COPY reads as commands, zero bytes, bytes that are no text, our own escape.
inline const std::vector<std::string>& hostile_texts() {
  static const std::vector<std::string> all{"",
                                            "O'Brien \"q\" $1; DROP TABLE bars_ohlcv; --",
                                            "tab\there\nline\r\nend",
                                            "\\N",
                                            "\\.",
                                            "back\\slash\\t\\",
                                            "a\0b"s,
                                            "\0"s,
                                            "\xff\xfe",
                                            "\xc3",
                                            "\xed\xa0\x80",
                                            "\xf4\x90\x80\x80",
                                            "\xc0\x80",
                                            "株式 Ünï 🚀",
                                            "\xe2\x90\x9b",
                                            "\xe2\x90\x9b"
                                            "00",
                                            "\x01\x02\x1b\x7f",
                                            "{\"a\":[1,null]}",
                                            "NULL",
                                            "\xe2\x90",
                                            " space "};
  return all;
}

// Rows by chance, the same from the same seed. What a row holds follows from its key and rank and `variant`, so that
// without variants no two rows contradict each other.
class random_rows {
public:
  explicit random_rows(std::uint64_t seed, std::uint64_t variants = 1) : chance_{seed}, variants_{variants} {}

  store_batch batch() {
    store_batch out;
    for (auto n = below(12); n != 0; --n) {
      auto x = make_bar(number(below(3)), static_cast<std::uint32_t>(below(3)), name(), name(),
                        (1 + number(below(2))) * second);
      out.bars.push_back(filled(x, store_rules::key(x) + std::to_string(x.revision)));
    }
    for (auto n = below(6); n != 0; --n) {
      auto x = make_features(number(below(3)), static_cast<std::uint32_t>(below(3)), name());
      out.features.push_back(filled(x, store_rules::key(x) + std::to_string(x.revision)));
    }
    for (auto n = below(6); n != 0; --n) {
      auto x = make_signal(name() + std::to_string(below(4)));
      x.inputs.resize(2);
      out.signals.push_back(filled(x, x.signal_id));
    }
    for (auto n = below(4); n != 0; --n) {
      auto x = make_run(name(), static_cast<job_status>(below(2)), below(3));
      out.job_runs.push_back(filled(x, x.id + std::to_string(x.rows) + std::string{to_string(x.status)}));
    }
    for (auto n = below(4); n != 0; --n) {
      auto x = make_dead_letter(below(5), static_cast<std::uint32_t>(below(3)));
      out.dead_letters.push_back(filled(x, store_rules::key(x) + std::to_string(x.attempts)));
    }
    return out;
  }
  std::uint64_t below(std::uint64_t n) { return chance_() % n; }

private:
  using generator = std::mt19937_64;
  static std::int64_t number(std::uint64_t x) { return static_cast<std::int64_t>(x); }
  const std::string& name() { return hostile_texts()[below(hostile_texts().size())]; }

  template <class Row> Row filled(Row x, const std::string& identity) {
    generator content{std::hash<std::string>{}(identity) + below(variants_)};
    fill(x, content);
    return x;
  }

  // All that is no part of a key or a rank.
  static void fill(bar& x, generator& g) {
    set(x.open, g), set(x.high, g), set(x.low, g), set(x.close, g), set(x.volume, g);
    if (g() % 2 == 0) set(x.vwap.emplace(), g);
    set(x.trades, g), set(x.first_ts.ns, g), set(x.last_ts.ns, g), set(x.coverage, g), set(x.flags, g);
    set(x.reason, g), set(x.first_offset, g), set(x.last_offset, g), set(x.schema, g), set(x.config_hash, g);
    x.state = static_cast<bar_state>(g() % 2);
    constexpr auto largest = static_cast<int128>(~uint128{0} >> 1);
    x.traded.units = g() % 3 == 0 ? largest : g() % 2 == 0 ? -largest - 1 : static_cast<int128>(g()) * -7;
  }
  static void fill(feature_vector& x, generator& g) {
    set(x.close, g), set(x.inputs_revision, g), set(x.first_offset, g), set(x.last_offset, g);
    set(x.schema, g), set(x.config_hash, g);
    x.values.resize(g() % 4);
    for (auto& v : x.values) {
      set(v.name, g), set(v.n, g), set(v.window_start.ns, g), set(v.inputs_revision, g);
      if (g() % 2 == 0) set(v.value.emplace(), g);
      if (g() % 2 == 0) set(v.exact.emplace(), g);
      if (g() % 2 == 0) set(v.factor.emplace(), g);
      v.warm = g() % 2 == 0, v.flat = g() % 2 == 0;
    }
  }
  static void fill(signal& x, generator& g) {
    set(x.ver, g), set(x.provider, g), set(x.symbol, g), set(x.name, g), set(x.value, g), set(x.score, g);
    set(x.adapter, g), set(x.maker, g), set(x.interval, g), set(x.bar_start.ns, g), set(x.bar_revision, g);
    set(x.inputs_start.ns, g), set(x.close, g), set(x.first_offset, g), set(x.last_offset, g), set(x.schema, g);
    for (auto& v : x.inputs) set(v.name, g), g() % 2 == 0 ? set(v.value.emplace(), g) : void();
  }
  static void fill(job_run& x, generator& g) {
    set(x.started.ns, g), set(x.config_hash, g), set(x.detail, g);
    x.kind = static_cast<job_kind>(g() % 4);
  }
  static void fill(dead_letter_entry& x, generator& g) {
    set(x.feed, g), set(x.stage, g), set(x.reason, g), set(x.first_seen.ns, g), set(x.last_seen.ns, g), set(x.bytes, g);
    x.code = static_cast<errc>(g() % 24);
  }

  static void set(std::string& x, generator& g) { x = hostile_texts()[g() % hostile_texts().size()]; }
  static void set(decimal& x, generator& g) { set(x.units, g); }
  static void set(double& x, generator& g) {
    constexpr double all[] = {0, -1.5, 0.1, 5e-324, 1.7976931348623157e308, -2.2250738585072014e-308, 1e17, 123456.789};
    x = all[g() % std::size(all)];
  }
  template <class T>
  requires std::is_integral_v<T>
  static void set(T& x, generator& g) {
    using limits = std::numeric_limits<T>;
    auto kind = g() % 4;
    x = kind == 0 ? limits::min() : kind == 1 ? limits::max() : static_cast<T>(g());
  }

  generator chance_;
  std::uint64_t variants_;
};

} // namespace finstream::test
