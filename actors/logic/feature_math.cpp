#include "actors/logic/feature_math.hpp"

#include <algorithm>
#include <cmath>

namespace finstream {

namespace {

double mean(std::span<const double> xs) {
  double sum = 0;
  for (auto x : xs) sum += x;
  return sum / static_cast<double>(xs.size());
}

// Asked of the numbers themselves: their mean is rounded, so that the sum of squares of equal ones need not be zero.
bool all_equal(std::span<const double> xs) {
  return std::all_of(xs.begin(), xs.end(), [&](double x) { return x == xs.front(); });
}

std::optional<double> finite(double x) { return std::isfinite(x) ? std::optional{x} : std::nullopt; }

} // namespace

std::optional<double> log_return(double from, double to) {
  if (!(from > 0 && to > 0)) return std::nullopt;
  return finite(std::log(to / from));
}

std::optional<double> simple_return(double from, double to) {
  if (!(from > 0)) return std::nullopt;
  return finite(to / from - 1);
}

std::optional<double> sample_deviation(std::span<const double> xs) {
  if (xs.size() < 2) return std::nullopt;
  if (all_equal(xs)) return 0;
  auto center = mean(xs);
  double squares = 0;
  for (auto x : xs) squares += (x - center) * (x - center);
  return finite(std::sqrt(squares / static_cast<double>(xs.size() - 1)));
}

std::optional<double> adjusted_skewness(std::span<const double> xs) {
  if (xs.size() < 3 || all_equal(xs)) return std::nullopt;
  auto center = mean(xs);
  double squares = 0, cubes = 0;
  for (auto x : xs) {
    auto d = x - center;
    squares += d * d;
    cubes += d * d * d;
  }
  auto n = static_cast<double>(xs.size());
  auto m2 = squares / n, m3 = cubes / n;
  return finite(std::sqrt(n * (n - 1)) / (n - 2) * (m3 / (m2 * std::sqrt(m2))));
}

std::optional<double> excess_kurtosis(std::span<const double> xs) {
  if (xs.size() < 4 || all_equal(xs)) return std::nullopt;
  auto center = mean(xs);
  double squares = 0, fourths = 0;
  for (auto x : xs) {
    auto square = (x - center) * (x - center);
    squares += square;
    fourths += square * square;
  }
  auto n = static_cast<double>(xs.size());
  auto m2 = squares / n, m4 = fourths / n;
  return finite((n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / (m2 * m2) - 3) + 6));
}

wilder_state wilder_step(wilder_state state, double change, std::uint32_t period) {
  // Where nothing moves for thousands of bars the averages fade away while their ratio stays. Far below what any change
  // of a price could be added to they fade no further, since the smallest doubles would lose the ratio too.
  constexpr double faded = 1e-200;
  auto n = static_cast<double>(period);
  auto gained = std::max(change, 0.0), lost = std::max(-change, 0.0);
  ++state.changes;
  if (state.changes <= period) {
    state.gain += gained, state.loss += lost;
    if (state.changes == period) state.gain /= n, state.loss /= n;
  } else if (change != 0 || state.gain + state.loss >= faded) {
    state.gain = (state.gain * (n - 1) + gained) / n;
    state.loss = (state.loss * (n - 1) + lost) / n;
  }
  return state;
}

std::optional<rsi_reading> read_rsi(const wilder_state& state, std::uint32_t period, bool talib) {
  if (state.changes < period) return std::nullopt;
  auto both = state.gain + state.loss;
  if (both == 0) return rsi_reading{talib ? 0.0 : 50.0, true};
  auto value = finite(100 * (state.gain / both));
  if (!value) return std::nullopt;
  return rsi_reading{*value, false};
}

} // namespace finstream
