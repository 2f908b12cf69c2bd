// THE FEATURES OF ONE PARTITION: a pure function of its bars. Bars go in, in the order of their topic; for each one a
// vector with all features of its series at its close comes out, the same ones for the same bars, whatever ran when.
//
// Each window is computed anew over its horizon, so that nothing drifts. A bar that is revised, or comes late, changes
// the vectors of its own and later bars as far as horizons reach: those that become different are published again, and
// the last vectors of all bars are those of the final bars in order.
#pragma once

#include "actors/logic/feature_history.hpp"
#include "actors/logic/feature_rules.hpp"
#include "messages/event/derived.hpp"
#include "messages/event/market_event.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace finstream {

// Whether two vectors of a bar say the same: all but where it comes from.
bool say_the_same(const feature_vector& a, feature_vector b);

class feature_stage {
public:
  // The rules must have no fault.
  explicit feature_stage(feature_rules rules);

  // A closed bar, a revision of one, or a late first bar of an old window. Synthetic bars, bars of other intervals and
  // bars that start more than `revise_for` before the newest of their series are passed over.
  void on_bar(const bar& x);
  // What was healed aside and is published: bars, and their vectors. Vectors that came meanwhile and are not among
  // these are published again where they change, and what is to come rests on the healed bars: also on those after the
  // newest bar of a series, and on those of one that was never live.
  void on_healed(const std::vector<derived>& bars, const std::vector<derived>& vectors);
  // New rules hold from here on; nothing is published again for them. History is kept where the interval is the same.
  void on_rules(const feature_rules& rules);

  std::vector<feature_vector> take_output();
  const feature_rules& rules() const { return rules_; }
  std::uint64_t series_count() const { return series_.size(); }

  std::string save() const;
  // Errors: corrupt_record, incompatible (written by a newer version).
  static expected<feature_stage> load(std::string_view bytes);

private:
  // Lets a bar find its series by its own names.
  struct by_name {
    using is_transparent = void;
    template <class A, class B> bool operator()(const A& a, const B& b) const {
      return std::tie(a.provider, a.symbol) < std::tie(b.provider, b.symbol);
    }
  };
  using series_map = std::map<series_key, feature_history, by_name>;

  void change_past(series_map::value_type& series, const kept_bar& x);
  void amend(series_map::value_type& series, const bar& x, std::map<timestamp, feature_vector>& before);
  void keep_ahead(feature_history& history, const bar& x) const;
  feature_vector make_vector(const series_map::value_type& series, std::size_t at) const;
  void publish(feature_vector x);

  feature_rules rules_;
  feature_needs needs_;
  series_map series_;
  std::vector<feature_vector> output_;
};

} // namespace finstream
