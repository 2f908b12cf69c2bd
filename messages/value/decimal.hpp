// Exact decimal numbers: a signed 64-bit count of 1e-9, the fixed point of CONVENTIONS 1. `price` and `quantity` are
// decimals that cannot be mixed; their product is a `notional`, 128 bits of 1e-18. Nothing here ever wraps: what does
// not fit is an error.
#pragma once

#include "messages/errors.hpp"

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace finstream {

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

inline constexpr std::int64_t units_per_one = 1'000'000'000;

// What to do with more than 9 decimals.
enum class rounding : std::uint8_t { reject, half_even };

struct decimal {
  std::int64_t units = 0; // 1e-9

  friend constexpr auto operator<=>(const decimal&, const decimal&) = default;
};

// Strong types over the same representation.
struct price : decimal {
  friend constexpr auto operator<=>(const price&, const price&) = default;
};
struct quantity : decimal {
  friend constexpr auto operator<=>(const quantity&, const quantity&) = default;
};

// Sum of price * quantity, in units of 1e-18.
struct notional {
  int128 units = 0;
  friend constexpr auto operator<=>(const notional&, const notional&) = default;
};

// Reads one JSON number (sign, digits, fraction, exponent), all of `text`, from its characters: never through a double.
// Decimals beyond the ninth that are zero lose nothing and are accepted. Errors: bad_field, precision, overflow.
expected<decimal> parse_decimal(std::string_view text, rounding mode = rounding::reject);

// Shortest exact text, in up to 18 places.
std::string to_string(notional value);
// Shortest exact text: "425.15", "1200", "-0.000000001".
std::string to_string(decimal value);
// The same into `out` (at least 24 bytes); returns the end.
char* write_decimal(char* out, decimal value);

[[nodiscard]] inline bool checked_add(std::int64_t a, std::int64_t b, std::int64_t& sum) {
  return !__builtin_add_overflow(a, b, &sum);
}
[[nodiscard]] inline bool checked_add(notional a, notional b, notional& sum) {
  return !__builtin_add_overflow(a.units, b.units, &sum.units);
}
// Cannot overflow: 63 + 63 bits fit in 127.
inline constexpr notional multiply(price p, quantity q) { return {static_cast<int128>(p.units) * q.units}; }

// total / volume, rounded half-even to 1e-9; nothing at zero volume or where the quotient does not fit.
std::optional<price> volume_weighted_average(notional total, quantity volume);

// n / d rounded half to even. d must be positive.
constexpr int128 divide_half_even(int128 n, int128 d) {
  int128 q = n / d, r = n % d;
  if (r < 0) r += d, --q; // floor
  auto twice = r * 2;
  if (twice > d || (twice == d && (q & 1) != 0)) ++q;
  return q;
}

} // namespace finstream
