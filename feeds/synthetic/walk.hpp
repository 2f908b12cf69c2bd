// Made-up trades. Chance is a function of the seed and the event's number, not of what was drawn before, so any event's
// draws can be made again; only the prices are a sum, and adding up ten million steps anew takes a fraction of a
// second. All in integers: the same seed gives the same trades on every machine.
#pragma once

#include <cstdint>
#include <vector>

namespace finstream::feed {

// 64 random bits for `number`, different for each `purpose`.
constexpr std::uint64_t random_bits(std::uint64_t seed, std::uint64_t number, std::uint64_t purpose) {
  // splitmix64 (Steele, Lea, Flood 2014) over a counter.
  auto z = (seed * 0xD1342543DE82EF95u) ^ (purpose << 56);
  z += (number + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

struct trade {
  std::uint64_t number = 0; // from 1; the line's seq
  std::uint32_t symbol = 0;
  std::int64_t price_cents = 0;
  std::int64_t size = 0;
};

class walk {
public:
  walk(std::uint64_t seed, std::uint32_t symbols, double start_price, double volatility);

  trade next();

private:
  std::uint64_t seed_;
  std::uint64_t number_ = 0;
  std::int64_t start_; // 1/65536 of a cent, as are the prices
  std::int64_t step_;  // what one unit of the step's distribution is worth
  std::vector<std::int64_t> prices_;
};

} // namespace finstream::feed
