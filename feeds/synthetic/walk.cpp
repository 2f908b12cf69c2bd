#include "feeds/synthetic/walk.hpp"

#include <algorithm>
#include <cmath>

namespace finstream::feed {

namespace {

constexpr std::int64_t cent = 65'536;
constexpr std::int64_t biggest_trade = 2'000;
// The sum of four 16-bit draws has this mean, and a standard deviation of 65536 * sqrt(4/12).
constexpr std::int64_t four_draws_mean = 2 * 65'535;
constexpr double four_draws_deviation = 37'837.0;
// Each step also goes this share (2^-12) of the way back, so that an endless walk stays near its start.
constexpr int pull_back_shift = 12;

} // namespace

walk::walk(std::uint64_t seed, std::uint32_t symbols, double start_price, double volatility)
  : seed_{seed}, start_{std::llround(start_price * 100) * cent}, step_{std::llround(static_cast<double>(start_) *
                                                                                    volatility / four_draws_deviation *
                                                                                    256)},
    prices_(symbols, start_) {}

trade walk::next() {
  auto number = ++number_;
  auto first = random_bits(seed_, number, 1);
  auto second = random_bits(seed_, number, 2);
  auto symbol = static_cast<std::uint32_t>(((first >> 32) * prices_.size()) >> 32);
  auto size = 1 + static_cast<std::int64_t>(((first & 0xFFFF'FFFF) * biggest_trade) >> 32);
  auto draws = (second & 0xFFFF) + (second >> 16 & 0xFFFF) + (second >> 32 & 0xFFFF) + (second >> 48);
  auto& price = prices_[symbol];
  price += ((static_cast<std::int64_t>(draws) - four_draws_mean) * step_ / 256) + ((start_ - price) >> pull_back_shift);
  price = std::max(price, cent);
  return {number, symbol, (price + cent / 2) / cent, size};
}

} // namespace finstream::feed
