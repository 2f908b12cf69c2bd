#include "cli/stage_rules.hpp"

#include "actors/logic/bar_stage.hpp"
#include "actors/logic/feature_stage.hpp"
#include "actors/logic/rule_names.hpp"
#include "messages/schema/schema.hpp"
#include "runtime/config/load.hpp"
#include "runtime/config/rules_file.hpp"

#include <algorithm>

namespace finstream {

namespace {

bar_rules make_bar_rules(const settings& config) {
  bar_rules rules;
  auto& w = config.windows;
  rules.intervals = w.intervals;
  std::sort(rules.intervals.begin(), rules.intervals.end());
  rules.clock = {w.allow_late_ms * millisecond, w.flush_timeout_ms * millisecond, w.resume_grace_ms * millisecond};
  rules.revise_for = w.revise_for_ms * millisecond;
  for (auto& set : config.source_sets) rules.sets.push_back({set.name, set.providers});
  rules.max_open_windows = w.max_open_windows;
  rules.schema = bar_schema_hash();
  rules.config_hash = semantic_hash(config);
  return rules;
}

feature_window to_window(const feature_window_settings& x) {
  return {x.name, kind_of(x).value_or(feature_kind::vwap), x.horizon, static_cast<std::uint32_t>(x.bars),
          x.mode == rsi_mode::talib};
}

feature_window_settings to_settings(const feature_window& x) {
  feature_window_settings out;
  out.name = x.name, out.horizon = x.horizon, out.bars = x.bars;
  return out;
}

signal_rule to_rule(const rule_settings& x) {
  return {x.name,     x.condition, x.signal, x.score, x.emit == rule_emit::level ? emit_when::level : emit_when::edge,
          x.cooldown, x.symbols};
}

feature_rules make_feature_rules(const settings& config, const std::vector<feature_window>& windows) {
  feature_rules rules;
  rules.interval = config.features.interval;
  rules.windows = windows;
  rules.year = config.features.year;
  rules.revise_for = config.windows.revise_for_ms * millisecond;
  rules.max_bars = config.features.max_bars;
  rules.schema = feature_schema_hash();
  rules.config_hash = features_hash(config);
  return rules;
}

} // namespace

expected<stage_rules> make_stage_rules(const settings& from) {
  auto config = from; // gets the windows that rules need
  std::optional<rules_file> file;
  if (config.inference.rules.enabled) {
    auto loaded = load_rules(config.inference.rules.file);
    if (!loaded) return tl::unexpected{loaded.error()};
    file = std::move(*loaded);
  }
  std::vector<feature_window> windows;
  for (auto& x : config.features.windows) windows.push_back(to_window(x));
  rule_book book;
  if (file) {
    for (auto& x : file->rules) book.rules.push_back(to_rule(x));
    for (auto& x : default_windows(book.rules, windows)) {
      windows.push_back(x);
      config.features.windows.push_back(to_settings(x));
    }
    book.names = rule_names(windows);
    book.schema = signal_schema_hash();
    book.config_hash = signals_hash(config, file->rules);
    if (auto faults = check_conditions(book); !faults.empty())
      return tl::unexpected{file->at_condition(faults.front().rule, faults.front().why)};
  }
  stage_rules out;
  out.bars = make_bar_rules(config).save();
  if (!windows.empty()) {
    auto features = make_feature_rules(config, windows);
    if (auto fault = features.fault(); !fault.empty()) return fail(errc::config_invalid, "features: " + fault);
    out.features = features.save();
  }
  if (file) out.signals = book.save();
  return out;
}

} // namespace finstream
