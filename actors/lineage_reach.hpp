// INTERNAL to lineage: what rests on what, as far as the rules say. Where they are not known (null), as far as names
// do.
#pragma once

#include "actors/lineage.hpp"

#include <string_view>

namespace finstream {

// Whether the event is one of those that the bar was made of: by whose it is, what, and when.
bool is_event_of(const logged_event& event, const bar& x, const logged_rules* rules);
// Whether a value rests on the close of the bar before its window, too, as a return does.
bool compares_with_bar_before(const feature_value& x, const logged_rules* rules);
// Whether a value of the vector rests on the bar that starts at `start`; the series' next bar starts at `next`.
bool rests_on(const feature_value& x, timestamp start, std::optional<timestamp> next, const logged_rules* rules);
// The rule that made the signal, if it is among these.
std::optional<rule_lineage> rule_behind(const signal& x, const logged_rules& rules);
// Whether the value was used for the signal: by its rule's condition, if that is known, or by its model.
bool is_used(const signal& made, const std::optional<rule_lineage>& rule, const feature_value& x);
inline constexpr std::string_view rules_adapter = "rules"; // of signals that no model made

} // namespace finstream
