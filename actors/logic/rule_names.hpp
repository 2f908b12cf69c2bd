// The names a rule's condition can use, and what each is bound to: the values of the windows there are, and plain names
// such as `rsi`, which are the first window of their kind.
#pragma once

#include "actors/logic/feature_window.hpp"
#include "actors/logic/rule_stage.hpp"

namespace finstream {

// First the windows' values in their order, then plain names, then `close`. Of a window of ohlcv: NAME.open ...
name_bindings rule_names(const std::vector<feature_window>& windows);

// The windows that `rules` use by a plain name and that `windows` does not have, each under that name: rsi over 14
// bars, momentum over 10 ... What a condition says that cannot be compiled does not count.
std::vector<feature_window> default_windows(const std::vector<signal_rule>& rules,
                                            const std::vector<feature_window>& windows);

struct rule_fault {
  std::size_t rule = 0; // which of the book
  failure why;
};
// The conditions that do not compile.
std::vector<rule_fault> check_conditions(const rule_book& book);

} // namespace finstream
