// A condition over named numbers, such as `rsi < 30 && vwap_1m > close`: compiled once, then asked at every bar.
//
// What a condition may say is less than what its engine could compute, so that a slip is an error and not a wrong
// signal: nothing can be set (`=`), no comparison is compared (`0 < x < 1`), there is no chance and no time in it. So
// the same numbers give the same answer, always.
#pragma once

#include "messages/errors.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

inline constexpr std::size_t max_condition_bytes = 4096; // what a person writes and reads is far shorter

class expression {
public:
  struct variable {
    std::string name;      // as the condition writes it
    std::size_t known = 0; // which of the known names it is
  };

  // A known name with dots can be written with underscores in their place too. Errors: invalid_argument, a sentence
  // with the column and the condition; of a name that is not known it says the nearest and all that are.
  static expected<expression> compile(std::string_view condition, const std::vector<std::string>& known);

  expression(expression&&) noexcept;
  expression& operator=(expression&&) noexcept;
  ~expression();

  // What it uses, in the order of first use.
  const std::vector<variable>& variables() const;
  // `values` are those of variables(), in their order. A condition over a value that is not there (or is not a number)
  // is false.
  bool evaluate(std::span<const std::optional<double>> values) const;

private:
  struct engine;
  explicit expression(std::unique_ptr<engine> ready);

  std::unique_ptr<engine> engine_;
};

} // namespace finstream
