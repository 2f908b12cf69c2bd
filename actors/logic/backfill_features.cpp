#include "actors/logic/backfill_features.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace finstream {

namespace {
// A relative strength never quite forgets: after so many periods nothing is left of a bar that a double could show.
constexpr std::uint64_t periods_of_strength = 40;

// Of a strength is said since when its series goes, which may be before the first bar that was read: that goes on from
// the last vector that stays as it was.
class strengths_before {
public:
  strengths_before(const feature_rules& rules) {
    for (auto& window : rules.windows)
      if (window.kind == feature_kind::rsi) known_[window.name];
  }
  void learn(const feature_vector& published, const feature_vector& made) {
    for (std::size_t i = 0; i < std::min(published.values.size(), made.values.size()); ++i)
      if (auto at = known_.find(made.values[i].name); at != known_.end() && published.values[i].name == at->first)
        at->second = {published.values[i].n - made.values[i].n, published.values[i].window_start};
  }
  void correct(feature_vector& made) const {
    for (auto& x : made.values) {
      auto at = known_.find(x.name);
      if (at == known_.end() || at->second.missing == 0) continue;
      x.n += at->second.missing;
      x.window_start = at->second.since;
    }
  }

private:
  struct beginning {
    std::uint64_t missing = 0; // bars
    timestamp since;
  };
  std::map<std::string, beginning> known_;
};

} // namespace

feature_reach reach_of(const feature_rules& rules) {
  feature_reach out{rules.interval, 1};
  for (auto& window : rules.windows) {
    auto periods = window.kind == feature_kind::rsi ? periods_of_strength : 1;
    out.span = std::max(out.span, window.horizon + rules.interval);
    out.bars = std::max(out.bars, std::min(rules.max_bars, window.bars * periods) + 1);
  }
  return out;
}

healed_features heal_features(const feature_rules& rules, const rule_book* book, const std::vector<bar>& bars,
                              const std::map<timestamp, feature_vector>& published, timestamp from, timestamp to) {
  healed_features out;
  auto lane = rules;
  lane.revise_for = 0;
  feature_stage features{std::move(lane)};
  std::optional<rule_stage> signals;
  if (book != nullptr) signals.emplace(*book);
  strengths_before strengths{rules};
  std::set<timestamp> is_new;
  for (auto& x : bars) {
    features.on_bar(x);
    for (auto& vector : features.take_output()) {
      auto at = published.find(vector.start);
      if (at != published.end() && vector.start < from) strengths.learn(at->second, vector);
      strengths.correct(vector);
      if (signals) signals->on_features(vector);
      if (vector.start < from || vector.start >= to) continue;
      if (at == published.end()) {
        is_new.insert(vector.start);
      } else {
        if (say_the_same(at->second, vector)) continue;
        vector.revision = at->second.revision + 1;
      }
      out.vectors.push_back(std::move(vector));
    }
  }
  if (!signals) return out;
  for (auto& made : signals->take_output())
    if (is_new.contains(made.bar_start)) out.signals.push_back(std::move(made));
  return out;
}

} // namespace finstream
