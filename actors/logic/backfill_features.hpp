// What healed bars do to features and signals: the vectors of a stretch of one series are computed again over its bars
// as they are now, by the stage that computes live ones. A vector that says something else is published again; a signal
// is only made where there was no vector: what was decided stays.
#pragma once

#include "actors/logic/feature_stage.hpp"
#include "actors/logic/rule_stage.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace finstream {

// How far after a bar its change can be seen, and so how far before it bars are needed to compute what follows: both,
// whichever is further.
struct feature_reach {
  nanoseconds span = 0;
  std::uint64_t bars = 0;
};
feature_reach reach_of(const feature_rules& rules);

struct healed_features {
  std::vector<feature_vector> vectors; // with revisions
  std::vector<signal> signals;         // of vectors that are new
};

// `bars` are one series' in order, from its reach before `from` on; `published` are the vectors there are, by start of
// their bar. What starts in [from, to) is looked at. Without a book there are no signals.
healed_features heal_features(const feature_rules& rules, const rule_book* book, const std::vector<bar>& bars,
                              const std::map<timestamp, feature_vector>& published, timestamp from, timestamp to);

} // namespace finstream
