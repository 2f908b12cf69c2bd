// Two nodes whose settings have the same hash make the same bars (or features, or signals) of the same log. The text
// that is hashed is fixed for good: everything on every disk has its hash in it. A test holds the values for the
// defaults.
#include "runtime/config/load.hpp"
#include "runtime/config/options.hpp"

#include <algorithm>
#include <xxhash.h>

namespace finstream {

namespace {

// With its length before it, so that no name can pretend to be two.
std::string measured(const std::string& text) { return std::to_string(text.size()) + ":" + text; }

std::string canonical(std::vector<nanoseconds> spans) {
  std::sort(spans.begin(), spans.end());
  std::string out;
  for (auto span : spans) out += std::to_string(span) + ",";
  return out;
}

// The order of the sets means nothing; that of the providers in a set does.
std::string canonical(std::vector<source_set_settings> sets) {
  std::sort(sets.begin(), sets.end(), [](auto& a, auto& b) { return a.name < b.name; });
  std::string out;
  for (auto& set : sets) {
    out += measured(set.name) + "=";
    for (auto& provider : set.providers) out += measured(provider) + ",";
    out += ";";
  }
  return out;
}

// Their order is the order of the values.
std::string canonical(const std::vector<feature_window_settings>& windows) {
  std::string out;
  for (auto& x : windows) {
    auto kind = kind_of(x);
    out += measured(x.name) + "=" + std::to_string(x.horizon) + "," + std::to_string(x.bars) + "," +
           measured(std::string{kind ? to_string(*kind) : "none"}) + (x.mode == rsi_mode::talib ? ",talib;" : ";");
  }
  return out;
}

std::string canonical(const std::vector<rule_settings>& rules) {
  std::string out;
  for (auto& rule : rules) {
    auto copy = rule;
    for (auto& x : options_of(copy)) out += measured(value_text(x)) + ",";
    out += ";";
  }
  return out;
}

std::string canonical(const option& x) {
  if (auto* spans = std::get_if<std::vector<nanoseconds>*>(&x.value)) return canonical(**spans);
  if (auto* sets = std::get_if<std::vector<source_set_settings>*>(&x.value)) return canonical(**sets);
  if (auto* windows = std::get_if<std::vector<feature_window_settings>*>(&x.value)) return canonical(**windows);
  ensure(is_single(x), "a setting that decides something has no canonical text");
  return value_text(x);
}

// Of the settings that decide `last` or a stage before it.
std::string canonical(const settings& x, stage last) {
  auto copy = x; // options point at what can be changed
  std::vector<std::string> texts;
  for (auto& row : options_of(copy))
    if (row.decides != stage::none && row.decides <= last)
      texts.push_back(std::string{row.path} + "=" + canonical(row) + "\n");
  std::sort(texts.begin(), texts.end()); // moving a row in the table changes nothing
  std::string whole;
  for (auto& text : texts) whole += text;
  return whole;
}

std::uint64_t hash_of(const std::string& text) { return XXH3_64bits(text.data(), text.size()); }

} // namespace

std::uint64_t semantic_hash(const settings& x) { return hash_of(canonical(x, stage::bars)); }

std::uint64_t features_hash(const settings& x) { return hash_of(canonical(x, stage::features)); }

std::uint64_t signals_hash(const settings& x, const std::vector<rule_settings>& rules) {
  return hash_of(canonical(x, stage::signals) + "rules=" + canonical(rules) + "\n");
}

std::uint64_t model_signals_hash(const settings& x, const model_adapter_settings& model) {
  return hash_of(canonical(x, stage::features) + "model=" + (model.emit == rule_emit::level ? "level," : "edge,") +
                 std::to_string(model.cooldown) + "\n");
}

} // namespace finstream
