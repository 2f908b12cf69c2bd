// The arithmetic of features: statistics of a window of numbers, and Wilder's relative strength. Each is the textbook's
// formula, computed as it is written: two passes over the window, summed from the oldest to the newest. That is exact
// however long a run lasts, since nothing is carried from one window to the next, and gives the same bits wherever it
// is computed. Where libraries disagree at the edges, CONVENTIONS 6 says what holds here.
#pragma once

#include "messages/value/decimal.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace finstream {

constexpr double as_double(decimal x) { return static_cast<double>(x.units) / static_cast<double>(units_per_one); }

// to - from, rounded once: they are subtracted as decimals. The difference may need a bit more than a decimal has.
constexpr double difference(decimal from, decimal to) {
  return static_cast<double>(static_cast<int128>(to.units) - from.units) / static_cast<double>(units_per_one);
}

// ln(to / from). Nothing unless both are positive: a ratio of prices means nothing else.
std::optional<double> log_return(double from, double to);

// to / from - 1. Nothing unless `from` is positive.
std::optional<double> simple_return(double from, double to);

// The sample standard deviation, with Bessel's correction (ddof 1): sqrt(sum((x - mean)^2) / (n - 1)). Exactly 0 if all
// are equal. Nothing if n < 2.
std::optional<double> sample_deviation(std::span<const double> xs);

// The adjusted Fisher-Pearson coefficient of skewness: sqrt(n (n - 1)) / (n - 2) * m3 / m2^1.5, where mk is the mean of
// (x - mean)^k (Joanes and Gill 1998, G1; SKEW of spreadsheets; scipy.stats.skew with bias=False). Nothing if n < 3 or
// all are equal (pandas says 0).
std::optional<double> adjusted_skewness(std::span<const double> xs);

// The unbiased excess kurtosis: (n - 1) / ((n - 2) (n - 3)) * ((n + 1) (m4 / m2^2 - 3) + 6) (Joanes and Gill 1998, G2;
// KURT of spreadsheets; scipy.stats.kurtosis with bias=False). Nothing if n < 4 or all are equal (pandas says -3).
std::optional<double> excess_kurtosis(std::span<const double> xs);

// Wilder's averages after some changes of the price (J. Welles Wilder, New Concepts in Technical Trading Systems,
// 1978). The first `period` changes are added up and divided by the period: that is the seed. From there on
// average = (average * (period - 1) + x) / period.
struct wilder_state {
  double gain = 0; // until the seed: the sum of what was gained
  double loss = 0; // positive
  std::uint64_t changes = 0;

  friend bool operator==(const wilder_state&, const wilder_state&) = default;
};
wilder_state wilder_step(wilder_state state, double change, std::uint32_t period);

struct rsi_reading {
  double value = 0; // 0 to 100
  bool flat = false;
};
// 100 * gain / (gain + loss), which is Wilder's 100 - 100 / (1 + gain / loss) without its division by zero: 100 if
// there was no loss. No change at all: flat, and 50, or 0 as TA-Lib has it. Nothing before the seed.
std::optional<rsi_reading> read_rsi(const wilder_state& state, std::uint32_t period, bool talib);

} // namespace finstream
