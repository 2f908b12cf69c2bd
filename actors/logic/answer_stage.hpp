// THE SIGNALS THAT MODELS MAKE in one partition: a pure function of what was recorded of their answers. A row with a
// score at or above the threshold is a prediction that is sure; from it comes a signal, on the edge or at each bar, as
// from a rule: on the edge means when a prediction becomes sure, or being sure says another value.
//
// What was not asked, or not answered, changes nothing: it is not known whether the model was sure then.
#pragma once

#include "messages/errors.hpp"
#include "messages/event/answers.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace finstream {

class answer_stage {
public:
  void on_answers(const answers& x);
  std::vector<signal> take_output() { return std::exchange(output_, {}); }
  bool is_empty() const { return models_.empty(); } // no model has answered yet

  std::string save() const;
  // Errors: corrupt_record, incompatible.
  static expected<answer_stage> load(std::string_view bytes);

private:
  struct series {
    timestamp last_end = earliest;
    std::optional<double> sure_of; // what the last prediction says; nothing: it was not sure
    std::optional<timestamp> emitted;
  };
  struct one_model {
    std::uint64_t maker = 0;
    std::map<std::pair<std::string, std::string>, series> by_name; // provider, symbol
  };

  void emit(const answers& said, const answer_row& x);

  std::map<std::string, one_model> models_;
  std::vector<signal> output_;
};

} // namespace finstream
