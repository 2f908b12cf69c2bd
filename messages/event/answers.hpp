// What a trained model said of feature vectors when it was asked, or why it said nothing. Whether an answer comes, and
// in time, is decided by nothing that is in the log; so the outcome is written into it, like an event, and what follows
// from it is computed from there (docs/decisions/0018-answers-are-inputs.md).
#pragma once

#include "messages/errors.hpp"
#include "messages/event/signal.hpp"
#include "messages/field.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

// DO NOT CHANGE THESE VALUES: they are in the log.
enum class ask_outcome : std::uint8_t {
  answered = 0,     // there is a row for each vector it was asked about
  failed = 1,       // it was asked, and the call failed by `error`
  breaker_open = 2, // it was not asked, because it had failed too often
  too_old = 3,      // it was not asked, because the bars were long gone, or are no longer kept
};
std::string_view to_string(ask_outcome outcome);

// What it said of one vector.
struct answer_row {
  std::uint64_t vector = 0; // offset in topic `features` of the partition
  std::string provider;
  std::string symbol;
  nanoseconds interval = 0;
  timestamp start;
  timestamp end;
  price close;
  std::uint32_t inputs_revision = 0;
  timestamp inputs_start;         // of the longest horizon among its features
  std::uint64_t first_offset = 0; // of the vector: in topic `events`
  std::uint64_t last_offset = 0;
  std::optional<double> value; // nothing: a feature it needs is not defined
  std::optional<double> score;
  std::vector<signal_input> inputs; // where the score reaches the threshold: a signal shows them

  friend bool operator==(const answer_row&, const answer_row&) = default;
};
template <of<answer_row> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"vector", x.vector}, field{"provider", x.provider}, field{"symbol", x.symbol},
           field{"interval", x.interval}, field{"start", x.start}, field{"end", x.end}, field{"close", x.close},
           field{"inputs_revision", x.inputs_revision}, field{"inputs_start", x.inputs_start},
           field{"first_offset", x.first_offset}, field{"last_offset", x.last_offset}, field{"value", x.value},
           field{"score", x.score}, field{"inputs", x.inputs});
}

// Those of one model are without gap or overlap: each begins where the one before it ended.
struct answers {
  std::string model;       // its name: the signals' adapter
  std::string kind;        // "xgboost", "sklearn"
  std::uint64_t maker = 0; // hash of the model's file and its card
  std::string signal_name;
  double threshold = 0;
  bool level = false;       // a signal at each bar with a score that high; else where a prediction becomes so sure
  nanoseconds cooldown = 0; // of event time, in which a series gives no second signal
  ask_outcome outcome = ask_outcome::answered;
  errc error = errc::none;
  std::string reason;               // in words; empty where it answered
  std::uint64_t features_from = 0;  // in topic `features` of the partition: the vectors that this is about
  std::uint64_t features_until = 0; // behind the last of them
  std::vector<answer_row> rows;     // of the vectors that are no revisions, in their order
  std::uint64_t schema = 0;         // stamped into each signal
  std::uint64_t config_hash = 0;

  friend bool operator==(const answers&, const answers&) = default;
};
template <of<answers> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"model", x.model}, field{"kind", x.kind}, field{"maker", x.maker}, field{"signal_name", x.signal_name},
           field{"threshold", x.threshold}, field{"level", x.level}, field{"cooldown", x.cooldown},
           field{"outcome", x.outcome}, field{"error", x.error}, field{"reason", x.reason},
           field{"features_from", x.features_from}, field{"features_until", x.features_until}, field{"rows", x.rows},
           field{"schema", x.schema}, field{"config_hash", x.config_hash});
}
using answers_ptr = std::shared_ptr<const answers>;

} // namespace finstream
