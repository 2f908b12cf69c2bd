// The values of one window at the close of one bar, from the history that the bar is in.
#pragma once

#include "actors/logic/feature_history.hpp"

#include <cstddef>
#include <vector>

namespace finstream {

// Appends the window's value, or the five of ohlcv, and returns the place of the oldest bar behind them. Of a relative
// strength, which rests on every bar since the series began, that is the oldest of its period.
std::size_t add_values(std::vector<feature_value>& out, const feature_window& window, const feature_rules& rules,
                       const feature_needs& needs, const feature_history& history, std::size_t at);

} // namespace finstream
