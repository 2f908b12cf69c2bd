// Chance of a simulation: all of it comes from one seed, in one order, so that a seed is a run.
#pragma once

#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <random>
#include <vector>

namespace finstream::simulation {

class chance {
public:
  explicit chance(std::uint64_t seed) : random_{seed} {}

  std::uint64_t below(std::uint64_t end) { return random_() % end; } // end > 0
  std::int64_t between(std::int64_t first, std::int64_t last) {
    return first + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(last - first + 1)));
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  bool per_mille(std::uint64_t n) { return n != 0 && below(1000) < n; } // what never happens draws nothing
  template <class T> const T& of(const std::vector<T>& xs) { return xs[below(xs.size())]; }

private:
  std::mt19937_64 random_;
};

} // namespace finstream::simulation
