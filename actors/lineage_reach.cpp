#include "actors/lineage_reach.hpp"

#include <algorithm>

namespace finstream {

namespace {

bool is_of_symbol(const logged_event& event, const std::string& symbol) {
  auto& own = event.key().symbol;
  if (event.what().kind != event_kind::quote) return own == symbol;
  return symbol.size() == own.size() + 4 && symbol.starts_with(own) &&
         (symbol.ends_with(".BID") || symbol.ends_with(".ASK"));
}

} // namespace

bool is_event_of(const logged_event& event, const bar& x, const logged_rules* rules) {
  auto& row = event.what();
  if (row.src_ts < x.start || row.src_ts >= x.end || !is_of_symbol(event, x.symbol)) return false;
  return rules == nullptr ? event.key().provider == x.provider : rules->feeds(event.key().provider, x.provider);
}

bool compares_with_bar_before(const feature_value& x, const logged_rules* rules) {
  if (!x.warm) return false; // there was none
  auto* window = rules == nullptr ? nullptr : rules->window_of(x.name);
  auto kind = window != nullptr ? std::optional{window->kind} : feature_kind_of(x.name);
  if (!kind) return false;
  switch (*kind) {
  case feature_kind::ret:
  case feature_kind::logret:
  case feature_kind::momentum:
  case feature_kind::momentum_abs: return true;
  // n bars have n returns, the first of which begins with the close before them.
  case feature_kind::vol:
  case feature_kind::vol_ann:
  case feature_kind::skew:
  case feature_kind::kurt: return window != nullptr && window->bars != 0;
  case feature_kind::vwap:
  case feature_kind::ohlcv:
  case feature_kind::rsi: return false;
  }
  return false;
}

bool rests_on(const feature_value& x, timestamp start, std::optional<timestamp> next, const logged_rules* rules) {
  if (start >= x.window_start) return true;
  return next && *next >= x.window_start && compares_with_bar_before(x, rules);
}

std::optional<rule_lineage> rule_behind(const signal& x, const logged_rules& rules) {
  auto* rule = rules.rule_of(x.maker);
  if (rule == nullptr) return std::nullopt;
  rule_lineage out{*rule, {}, rules.found_in};
  for (auto& input : x.inputs)
    for (auto& name : rules.signals->names)
      if (name.first == input.name) out.names.push_back(name);
  return out;
}

bool is_used(const signal& made, const std::optional<rule_lineage>& rule, const feature_value& x) {
  if (rule)
    return std::any_of(rule->names.begin(), rule->names.end(), [&](auto& name) { return name.second == x.name; });
  // A model's inputs are called as the values are.
  return made.adapter != rules_adapter &&
         std::any_of(made.inputs.begin(), made.inputs.end(), [&](auto& input) { return input.name == x.name; });
}

} // namespace finstream
