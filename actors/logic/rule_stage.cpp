#include "actors/logic/rule_stage.hpp"

#include "actors/logic/signal_id.hpp"

#include <algorithm>

namespace finstream {

namespace {

// As close to the decimal as a double can be for all prices below nine million; above, the last of 16 digits may
// differ.
double as_double(decimal x) { return static_cast<double>(x.units) / static_cast<double>(units_per_one); }

bool applies_to(const signal_rule& rule, const std::string& symbol) {
  return rule.symbols.empty() || std::find(rule.symbols.begin(), rule.symbols.end(), symbol) != rule.symbols.end();
}

} // namespace

rule_stage::rule_stage(rule_book book) : book_{std::move(book)} { compile(); }

void rule_stage::compile() {
  std::vector<std::string> known;
  for (auto& x : book_.names) known.push_back(x.first);
  compiled_.clear();
  for (auto& rule : book_.rules) {
    auto condition = expression::compile(rule.condition, known);
    ensure(condition.has_value(), "a rule reached its stage with a condition that was never checked");
    compiled_rule x{rule.hash(), std::move(*condition), {}, {}};
    for (auto& used : x.condition.variables()) x.inputs.push_back(book_.names[used.known].second);
    x.places.resize(x.inputs.size());
    compiled_.push_back(std::move(x));
  }
}

void rule_stage::on_features(const feature_vector& x) {
  if (x.revision > 0) return;
  auto& s = series_[{x.provider, x.symbol}];
  s.rules.resize(book_.rules.size());
  if (x.end <= s.last_end) return;
  s.last_end = x.end;
  for (std::size_t i = 0; i < book_.rules.size(); ++i) {
    auto& rule = book_.rules[i];
    if (!applies_to(rule, x.symbol)) continue;
    auto& state = s.rules[i];
    auto inputs_start = gather(compiled_[i], x);
    auto is_true = compiled_[i].condition.evaluate(values_);
    auto due = is_true && (rule.emit == emit_when::level || !state.was_true);
    state.was_true = is_true;
    // An edge within the cooldown is spent: the signal would be about something that is no news any more.
    if (!due || (state.has_emitted && is_within(state.emitted, x.end, rule.cooldown))) continue;
    state.has_emitted = true;
    state.emitted = x.end;
    emit(i, x, inputs_start);
  }
}

timestamp rule_stage::gather(compiled_rule& rule, const feature_vector& x) {
  values_.clear();
  auto start = x.start;
  for (std::size_t i = 0; i < rule.inputs.size(); ++i) {
    auto& name = rule.inputs[i];
    if (name == bar_close) {
      values_.emplace_back(as_double(x.close));
      continue;
    }
    auto& place = rule.places[i];
    if (place >= x.values.size() || x.values[place].name != name)
      place = static_cast<std::size_t>(
        std::find_if(x.values.begin(), x.values.end(), [&](auto& v) { return v.name == name; }) - x.values.begin());
    if (place == x.values.size()) {
      values_.emplace_back();
      continue;
    }
    values_.push_back(x.values[place].value);
    start = std::min(start, x.values[place].window_start);
  }
  return start;
}

void rule_stage::emit(std::size_t rule, const feature_vector& x, timestamp inputs_start) {
  auto& made = compiled_[rule];
  signal out;
  out.provider = x.provider;
  out.symbol = x.symbol;
  out.ts = x.end;
  out.name = book_.rules[rule].name;
  out.value = book_.rules[rule].signal;
  out.score = book_.rules[rule].score;
  out.adapter = "rules";
  out.maker = made.hash;
  out.interval = x.interval;
  out.bar_start = x.start;
  out.bar_revision = x.inputs_revision;
  out.inputs_start = inputs_start;
  out.close = x.close;
  for (std::size_t i = 0; i < values_.size(); ++i)
    out.inputs.push_back({made.condition.variables()[i].name, values_[i]});
  out.first_offset = x.first_offset;
  out.last_offset = x.last_offset;
  out.schema = book_.schema;
  out.config_hash = book_.config_hash;
  out.signal_id = id_of(out);
  output_.push_back(std::move(out));
}

void rule_stage::on_rules(const rule_book& book) {
  if (book == book_) return;
  auto before = std::exchange(book_, book);
  std::map<std::uint64_t, std::size_t> place_before;
  for (std::size_t i = 0; i < compiled_.size(); ++i) place_before.emplace(compiled_[i].hash, i);
  compile();
  for (auto& [name, s] : series_) {
    std::vector<rule_state> kept(compiled_.size());
    for (std::size_t i = 0; i < compiled_.size(); ++i)
      if (auto at = place_before.find(compiled_[i].hash); at != place_before.end() && at->second < s.rules.size())
        kept[i] = s.rules[at->second];
    s.rules = std::move(kept);
  }
}

} // namespace finstream
