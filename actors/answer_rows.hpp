// Between feature vectors and a model: which values it is given, and what is written down of what it says. The node
// asks by it, and so does a replay that asks again.
#pragma once

#include "messages/event/answers.hpp"
#include "messages/event/feature.hpp"
#include "runtime/models/model.hpp"

#include <string>
#include <vector>

namespace finstream {

// What names the vector; the values of `features`, in this order, go to the end of `values`. A value that is not
// there, or not defined, is NaN.
answer_row to_answer_row(const feature_vector& x, std::uint64_t offset, const std::vector<std::string>& features,
                         std::vector<double>& values);

// Whether any row is one that the model would look at: with a null, many are not.
bool can_be_answered(const model_card& card, const model_batch& rows);

// What the model said of these rows, one for each; where that makes a signal, with what it was given.
void add_predictions(std::vector<answer_row>& rows, const model_card& card, const model_batch& given,
                     const std::vector<prediction>& said);

} // namespace finstream
