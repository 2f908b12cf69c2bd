#define CAF_SUITE feature_math

#include "actors/logic/feature_math.hpp"
#include "tests/support/suite.hpp"

#include <cmath>
#include <limits>
#include <vector>

using namespace finstream;

namespace {

bool near(std::optional<double> a, double b) { return a && std::abs(*a - b) <= 1e-12 * std::max(1.0, std::abs(b)); }

wilder_state after(const std::vector<double>& changes, std::uint32_t period) {
  wilder_state state;
  for (auto x : changes) state = wilder_step(state, x, period);
  return state;
}

} // namespace

CAF_TEST(returns are of positive prices only) {
  CAF_CHECK(near(log_return(100, 110), std::log(1.1)));
  CAF_CHECK(near(simple_return(100, 110), 0.1));
  CAF_CHECK(log_return(7, 7) == 0.0);
  CAF_CHECK(!log_return(0, 1) && !log_return(1, 0) && !log_return(-1, 1) && !log_return(-1, -2));
  CAF_CHECK(!simple_return(0, 1) && !simple_return(-37.63, 10));
  CAF_CHECK(near(simple_return(10, -37.63), -4.763)); // a price may become negative
}

CAF_TEST(the deviation is that of a sample) {
  CAF_CHECK(near(sample_deviation(std::vector<double>{2, 4, 4, 4, 5, 5, 7, 9}), std::sqrt(32.0 / 7)));
  CAF_CHECK(near(sample_deviation(std::vector<double>{1, 2}), std::sqrt(0.5)));
  CAF_CHECK(!sample_deviation(std::vector<double>{}) && !sample_deviation(std::vector<double>{1}));
}

// scipy's documentation says 0.2650554122698573 for the biased skewness of these; the others are the formulas in exact
// fractions.
CAF_TEST(skewness and kurtosis are the unbiased ones) {
  std::vector<double> numbers{2, 8, 0, 4, 1, 9, 9, 0};
  CAF_CHECK(near(adjusted_skewness(numbers), std::sqrt(8.0 * 7) / 6 * 0.2650554122698573));
  CAF_CHECK(near(adjusted_skewness(numbers), 0.33058218040797466));
  CAF_CHECK(near(excess_kurtosis(numbers), -2.09860225809608665));
}

CAF_TEST(too few numbers have no skewness and no kurtosis) {
  CAF_CHECK(!adjusted_skewness(std::vector<double>{1, 2}));
  CAF_CHECK(near(adjusted_skewness(std::vector<double>{1, 2, 3}), 0));
  CAF_CHECK(!excess_kurtosis(std::vector<double>{1, 2, 4}));
  CAF_CHECK(excess_kurtosis(std::vector<double>{1, 2, 4, 8}));
}

// Other libraries say 0 and -3. A tenth is no binary fraction: the mean of seven of them is another double.
CAF_TEST(equal numbers have a deviation of exactly zero and no skewness and no kurtosis) {
  for (auto x : {0.0, 0.1, -1e-5}) {
    std::vector<double> same(7, x);
    CAF_CHECK(sample_deviation(same) == 0.0);
    CAF_CHECK(!adjusted_skewness(same) && !excess_kurtosis(same));
  }
}

CAF_TEST(what is no number makes no number) {
  for (auto x : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    std::vector<double> xs{1, x, 3, 4, 5};
    CAF_CHECK(!sample_deviation(xs) && !adjusted_skewness(xs) && !excess_kurtosis(xs));
  }
}

CAF_TEST(relative strength is seeded by a mean and goes on by recursion) {
  CAF_CHECK(!read_rsi(after({1, -1}, 3), 3, false));
  auto seed = after({1, -2, 3}, 3); // gains 4 / 3, losses 2 / 3
  CAF_CHECK(near(seed.gain, 4.0 / 3) && near(seed.loss, 2.0 / 3));
  CAF_CHECK(near(read_rsi(seed, 3, false)->value, 100.0 * 4 / 6));
  auto next = wilder_step(seed, -1, 3); // gains (4/3 * 2 + 0) / 3, losses (2/3 * 2 + 1) / 3
  CAF_CHECK(near(next.gain, 8.0 / 9) && near(next.loss, 7.0 / 9));
  CAF_CHECK(near(read_rsi(next, 3, false)->value, 100.0 * 8 / 15));
}

CAF_TEST(without a loss strength is 100 and without a gain it is 0) {
  CAF_CHECK(read_rsi(after({0, 1, 0}, 3), 3, false)->value == 100.0);
  CAF_CHECK(read_rsi(after({0, -1, 0}, 3), 3, false)->value == 0.0);
}

// Of other libraries one says 100, one nothing, and TA-Lib 0, which can be had.
CAF_TEST(without any change strength is 50 and flat) {
  auto flat = after({0, 0, 0, 0}, 3);
  CAF_CHECK(read_rsi(flat, 3, false)->value == 50.0);
  CAF_CHECK(read_rsi(flat, 3, true)->value == 0.0);
  CAF_CHECK(read_rsi(flat, 3, false)->flat && read_rsi(flat, 3, true)->flat);
  CAF_CHECK(!read_rsi(after({0, 1, 0}, 3), 3, false)->flat);
}

CAF_TEST(a market that stands still for days keeps its strength) {
  auto state = after({1, -2, 3}, 3);
  for (int i = 0; i < 200'000; ++i) state = wilder_step(state, 0, 3);
  CAF_CHECK(std::abs(read_rsi(state, 3, false)->value - 100.0 * 4 / 6) < 1e-9);
  state = wilder_step(state, -0.000000001, 3); // the smallest change there is
  CAF_CHECK(read_rsi(state, 3, false)->value < 1e-100);
}
