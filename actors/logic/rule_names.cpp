#include "actors/logic/rule_names.hpp"

#include "runtime/expression/expression.hpp"

#include <algorithm>
#include <array>

namespace finstream {

namespace {

struct plain_name {
  std::string_view name;
  feature_kind kind;
  std::string_view field; // of ohlcv
};
constexpr std::array plain_names{
  plain_name{"vwap", feature_kind::vwap, {}},
  plain_name{"ret", feature_kind::ret, {}},
  plain_name{"logret", feature_kind::logret, {}},
  plain_name{"vol", feature_kind::vol, {}},
  plain_name{"volatility", feature_kind::vol, {}},
  plain_name{"vol_ann", feature_kind::vol_ann, {}},
  plain_name{"rsi", feature_kind::rsi, {}},
  plain_name{"momentum", feature_kind::momentum, {}},
  plain_name{"momentum_abs", feature_kind::momentum_abs, {}},
  plain_name{"skew", feature_kind::skew, {}},
  plain_name{"skewness", feature_kind::skew, {}},
  plain_name{"kurt", feature_kind::kurt, {}},
  plain_name{"kurtosis", feature_kind::kurt, {}},
  plain_name{"open", feature_kind::ohlcv, "open"},
  plain_name{"high", feature_kind::ohlcv, "high"},
  plain_name{"low", feature_kind::ohlcv, "low"},
  plain_name{"volume", feature_kind::ohlcv, "volume"},
};
constexpr std::array<std::string_view, 5> ohlcv_fields{"open", "high", "low", "close", "volume"};

// What a plain name means where the config has no window of its kind. DO NOT CHANGE: rules are written with these in
// mind. The horizons are what most charts begin with; ohlcv is the bar itself.
std::uint32_t default_bars(feature_kind kind) {
  switch (kind) {
  case feature_kind::ret:
  case feature_kind::logret:
  case feature_kind::ohlcv: return 1;
  case feature_kind::momentum:
  case feature_kind::momentum_abs: return 10;
  case feature_kind::rsi: return 14;
  case feature_kind::vwap:
  case feature_kind::vol:
  case feature_kind::vol_ann:
  case feature_kind::skew:
  case feature_kind::kurt: return 20;
  }
  return 20;
}

const feature_window* first_of(feature_kind kind, const std::vector<feature_window>& windows) {
  auto found = std::find_if(windows.begin(), windows.end(), [&](auto& x) { return x.kind == kind; });
  return found == windows.end() ? nullptr : &*found;
}

void add_name(name_bindings& out, std::string name, std::string value) {
  auto same = [&](auto& x) { return x.first == name; };
  if (std::none_of(out.begin(), out.end(), same)) out.emplace_back(std::move(name), std::move(value));
}

std::vector<std::string> names_of(const name_bindings& bindings) {
  std::vector<std::string> out;
  for (auto& x : bindings) out.push_back(x.first);
  return out;
}

} // namespace

name_bindings rule_names(const std::vector<feature_window>& windows) {
  name_bindings out;
  for (auto& window : windows) {
    if (window.kind != feature_kind::ohlcv) add_name(out, window.name, window.name);
    if (window.kind != feature_kind::ohlcv) continue;
    for (auto field : ohlcv_fields) {
      auto value = window.name + "." + std::string{field};
      add_name(out, value, value);
    }
  }
  for (auto& plain : plain_names)
    if (auto* window = first_of(plain.kind, windows))
      add_name(out, std::string{plain.name},
               plain.field.empty() ? window->name : window->name + "." + std::string{plain.field});
  add_name(out, "close", std::string{bar_close});
  return out;
}

std::vector<feature_window> default_windows(const std::vector<signal_rule>& rules,
                                            const std::vector<feature_window>& windows) {
  auto possible = names_of(rule_names(windows));
  auto configured = possible.size();
  std::vector<feature_kind> kinds; // of the names behind the configured ones
  for (auto& plain : plain_names) {
    if (first_of(plain.kind, windows) != nullptr) continue;
    possible.emplace_back(plain.name);
    kinds.push_back(plain.kind);
  }
  std::vector<feature_window> out;
  for (auto& rule : rules) {
    auto condition = expression::compile(rule.condition, possible);
    if (!condition) continue;
    for (auto& used : condition->variables()) {
      if (used.known < configured) continue;
      auto kind = kinds[used.known - configured];
      if (first_of(kind, out) == nullptr)
        out.push_back({.name = std::string{to_string(kind)}, .kind = kind, .bars = default_bars(kind)});
    }
  }
  // The order of the rules means nothing here.
  std::sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.kind < b.kind; });
  return out;
}

std::vector<rule_fault> check_conditions(const rule_book& book) {
  auto known = names_of(book.names);
  std::vector<rule_fault> out;
  for (std::size_t i = 0; i < book.rules.size(); ++i)
    if (auto condition = expression::compile(book.rules[i].condition, known); !condition)
      out.push_back({i, condition.error()});
  return out;
}

} // namespace finstream
