// THE SIGNALS OF ONE PARTITION: a pure function of its features. Feature vectors go in, in order; for each rule whose
// condition is true of a vector a signal comes out, the same ones for the same vectors, whatever ran when.
//
// A signal is a fact: a vector is asked about once, when it comes first. That its inputs are revised later changes
// nothing, neither the signal nor what the next one depends on.
#pragma once

#include "messages/errors.hpp"
#include "messages/event/feature.hpp"
#include "messages/event/signal.hpp"
#include "runtime/expression/expression.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace finstream {

// DO NOT CHANGE THESE VALUES: they are in the log.
enum class emit_when : std::uint8_t {
  edge = 0,  // when the condition becomes true
  level = 1, // at each vector of which it is true
};

struct signal_rule {
  std::string name;
  std::string condition;
  double signal = 0;
  double score = 0;
  emit_when emit = emit_when::edge;
  nanoseconds cooldown = 0;         // of event time, in which a series gives no second signal of this rule
  std::vector<std::string> symbols; // of these only; empty: of all

  std::uint64_t hash() const; // of all of it: in each of its signals

  friend bool operator==(const signal_rule&, const signal_rule&) = default;
};

// A name in a condition -> the feature value it stands for, or bar_close.
using name_bindings = std::vector<std::pair<std::string, std::string>>;
inline constexpr std::string_view bar_close = "(close)"; // no window can be called so

struct rule_book {
  std::vector<signal_rule> rules; // each with a name of its own
  name_bindings names;
  std::uint64_t schema = 0; // stamped into each signal
  std::uint64_t config_hash = 0;

  std::string save() const;
  // Every condition compiles with these names. Errors: corrupt_record, incompatible (of a newer version).
  static expected<rule_book> load(std::string_view bytes);

  friend bool operator==(const rule_book&, const rule_book&) = default;
};

class rule_stage {
public:
  explicit rule_stage(rule_book book); // whose conditions compile: check_conditions() or load() has said so

  void on_features(const feature_vector& x);
  // These rules hold from here on. One that was there before, the same in everything, goes on where it was.
  void on_rules(const rule_book& book);
  std::vector<signal> take_output() { return std::exchange(output_, {}); }
  const rule_book& book() const { return book_; }

  std::string save() const;
  // Errors: corrupt_record, incompatible.
  static expected<rule_stage> load(std::string_view bytes);

private:
  struct compiled_rule {
    std::uint64_t hash = 0;
    expression condition;
    std::vector<std::string> inputs; // the bound name of each variable
    std::vector<std::size_t> places; // where each was in the last vector: it is there in the next one, too
  };
  struct rule_state {
    bool was_true = false;
    bool has_emitted = false;
    timestamp emitted;
  };
  struct series {
    timestamp last_end = earliest;
    std::vector<rule_state> rules; // in the order of the book
  };
  using key = std::pair<std::string, std::string>; // provider, symbol

  void compile();
  // Fills values_ and gives the start of the longest horizon among them.
  timestamp gather(compiled_rule& rule, const feature_vector& x);
  void emit(std::size_t rule, const feature_vector& x, timestamp inputs_start);

  rule_book book_;
  std::vector<compiled_rule> compiled_;
  std::map<key, series> series_;
  std::vector<signal> output_;
  std::vector<std::optional<double>> values_; // of the rule at hand
};

} // namespace finstream
