#include "actors/logic/feature_stage.hpp"

#include "actors/logic/feature_values.hpp"
#include "messages/value/bytes.hpp"

#include <algorithm>
#include <utility>

namespace finstream {

namespace {

constexpr std::uint64_t state_version = 1;
constexpr std::uint64_t state_version_ahead = 2; // the same, and bars that are kept ahead: written where some are

kept_bar kept(const bar& x) {
  return {x.traded, x.start, x.open, x.high, x.low, x.close, x.volume, x.first_offset, x.last_offset, x.revision, 0};
}

} // namespace

bool say_the_same(const feature_vector& a, feature_vector b) {
  b.revision = a.revision;
  b.inputs_revision = a.inputs_revision;
  b.first_offset = a.first_offset;
  b.last_offset = a.last_offset;
  for (std::size_t i = 0; i < std::min(a.values.size(), b.values.size()); ++i)
    b.values[i].inputs_revision = a.values[i].inputs_revision;
  return a == b;
}

feature_stage::feature_stage(feature_rules rules) : rules_{std::move(rules)}, needs_{rules_} {
  ensure(rules_.fault().empty(), "rules of features are without fault");
}

void feature_stage::on_bar(const bar& x) {
  if (x.interval != rules_.interval || (x.flags & synthetic) != 0 || !is_reachable(x.start)) return;
  auto at = series_.find(x);
  if (at == series_.end()) at = series_.try_emplace({x.provider, x.symbol}).first;
  auto& history = at->second;
  if (history.size() != 0 && x.start <= history.newest().start) return change_past(*at, kept(x));
  history.append(kept(x), needs_);
  publish(make_vector(*at, history.size() - 1));
}

void feature_stage::on_healed(const std::vector<derived>& bars, const std::vector<derived>& vectors) {
  std::map<series_key, std::map<timestamp, feature_vector>> before;
  for (auto& item : bars) {
    auto* x = std::get_if<bar>(&item);
    if (x == nullptr || x->interval != rules_.interval) continue;
    if (!is_reachable(x->start) || (x->flags & synthetic) != 0) continue;
    auto at = series_.find(*x);
    if (at == series_.end()) at = series_.try_emplace({x->provider, x->symbol}).first;
    if (at->second.size() != 0 && x->start <= at->second.newest().start)
      amend(*at, *x, before[at->first]);
    else
      keep_ahead(at->second, *x);
  }
  for (auto& item : vectors) {
    auto* x = std::get_if<feature_vector>(&item);
    if (x == nullptr || x->interval != rules_.interval) continue;
    auto series = series_.find(*x);
    if (series == series_.end()) continue;
    auto& history = series->second;
    if (auto* ahead = history.find_ahead(x->start)) ahead->vector_revision = x->revision;
    auto at = before.find(series->first);
    if (at == before.end()) continue;
    at->second.erase(x->start);
    auto place = history.find(x->start);
    if (place < history.size() && history[place].start == x->start) history.set_vector_revision(place, x->revision);
  }
  for (auto& [name, old] : before) {
    auto& series = *series_.find(name);
    auto& history = series.second;
    for (auto& [start, vector] : old) {
      auto place = history.find(start);
      if (place == history.size() || history[place].start != start || !history.has_strengths(place)) continue;
      auto now = make_vector(series, place);
      if (say_the_same(vector, now)) continue;
      history.set_vector_revision(place, ++now.revision);
      publish(std::move(now));
    }
  }
}

void feature_stage::keep_ahead(feature_history& history, const bar& x) const {
  auto healed = kept(x);
  if (auto* known = history.find_ahead(x.start)) healed.vector_revision = known->vector_revision;
  history.keep_ahead(healed, needs_);
}

// `before` gets the vectors that the bar may change, as they were, where they can be made again: of the newest bars.
// Those are the ones that nobody else has seen.
void feature_stage::amend(series_map::value_type& series, const bar& x, std::map<timestamp, feature_vector>& before) {
  auto& history = series.second;
  for (auto i = history.find(x.start); i < history.size() && !before.contains(history[i].start); ++i)
    if (history.has_strengths(i)) before.emplace(history[i].start, make_vector(series, i));
  auto healed = kept(x);
  if (auto& known = history[history.find(x.start)]; known.start == x.start)
    healed.vector_revision = known.vector_revision;
  history.amend(healed, needs_);
}

// What was published of the bars from this one on is computed again first, from the same history: that is cheaper than
// to remember it for every bar.
void feature_stage::change_past(series_map::value_type& series, const kept_bar& x) {
  auto& history = series.second;
  if (history.newest().start - x.start > rules_.revise_for) return;
  auto at = history.find(x.start);
  if (!history.reaches_back_to(at)) return;
  auto is_known = history[at].start == x.start;
  auto revised = x;
  if (is_known) {
    revised.vector_revision = history[at].vector_revision;
    if (x.revision < history[at].revision || revised == history[at]) return;
  }
  std::vector<feature_vector> before;
  for (auto i = at; i < history.size(); ++i) before.push_back(make_vector(series, i));
  if (is_known)
    history.replace(at, revised, needs_);
  else
    history.insert(at, revised, needs_);
  // Counted from the end, since an insertion may have pushed the oldest bar out.
  auto first = history.size() - std::min(history.size(), before.size());
  if (!is_known && first > 0 && history[first - 1].start == x.start) publish(make_vector(series, first - 1));
  for (auto i = first; i < history.size(); ++i) {
    auto now = make_vector(series, i);
    if (say_the_same(before[i + before.size() - history.size()], now)) continue;
    history.set_vector_revision(i, ++now.revision);
    publish(std::move(now));
  }
}

feature_vector feature_stage::make_vector(const series_map::value_type& series, std::size_t at) const {
  auto& [key, history] = series;
  auto& newest = history[at];
  feature_vector out;
  out.provider = key.provider;
  out.symbol = key.symbol;
  out.interval = rules_.interval;
  out.start = newest.start;
  out.end = newest.start + rules_.interval;
  out.close = newest.close;
  out.revision = newest.vector_revision;
  out.schema = rules_.schema;
  out.config_hash = rules_.config_hash;
  out.values.reserve(rules_.windows.size());
  auto oldest = at;
  for (auto& window : rules_.windows)
    oldest = std::min(oldest, add_values(out.values, window, rules_, needs_, history, at));
  out.first_offset = newest.first_offset;
  out.last_offset = newest.last_offset;
  for (auto i = oldest; i < at; ++i) {
    out.first_offset = std::min(out.first_offset, history[i].first_offset);
    out.last_offset = std::max(out.last_offset, history[i].last_offset);
  }
  for (auto& value : out.values) out.inputs_revision = std::max(out.inputs_revision, value.inputs_revision);
  return out;
}

// A vector without values would say nothing.
void feature_stage::publish(feature_vector x) {
  if (!x.values.empty()) output_.push_back(std::move(x));
}

void feature_stage::on_rules(const feature_rules& rules) {
  ensure(rules.fault().empty(), "rules of features are without fault");
  feature_needs needs{rules};
  if (rules.interval != rules_.interval) series_.clear();
  for (auto& [key, history] : series_) history.change(needs_, needs);
  rules_ = rules;
  needs_ = std::move(needs);
}

std::vector<feature_vector> feature_stage::take_output() { return std::exchange(output_, {}); }

std::string feature_stage::save() const {
  std::string bytes;
  byte_writer out{bytes};
  auto has_ahead = std::any_of(series_.begin(), series_.end(), [](auto& x) { return x.second.has_ahead(); });
  out.number(has_ahead ? state_version_ahead : state_version);
  out.text(rules_.save());
  out.number(series_.size());
  for (auto& [key, history] : series_) {
    out.text(key.provider);
    out.text(key.symbol);
    history.save(out);
    if (has_ahead) history.save_ahead(out);
  }
  return bytes;
}

expected<feature_stage> feature_stage::load(std::string_view bytes) {
  auto bad = [](const char* why) { return fail(errc::corrupt_record, std::string{"the checkpoint "} + why); };
  byte_reader in{bytes};
  auto version = in.number();
  if (version != state_version && version != state_version_ahead)
    return fail(errc::incompatible, "the checkpoint was written by another version");
  auto rules = feature_rules::load(in.text());
  if (!rules) return tl::unexpected{rules.error()};
  feature_stage out{std::move(*rules)};
  for (auto n = in.count(6); n != 0 && in.good(); --n) {
    series_key key;
    key.provider = in.text();
    key.symbol = in.text();
    auto [at, is_new] = out.series_.try_emplace(std::move(key));
    if (!is_new) return bad("has a series twice");
    if (!at->second.load(in, out.needs_) || (version == state_version_ahead && !at->second.load_ahead(in)))
      return bad("has a series that cannot be");
  }
  if (!in.done()) return bad("is cut, or bytes follow it");
  return out;
}

} // namespace finstream
