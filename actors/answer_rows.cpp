#include "actors/answer_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace finstream {

answer_row to_answer_row(const feature_vector& x, std::uint64_t offset, const std::vector<std::string>& features,
                         std::vector<double>& values) {
  answer_row out;
  out.vector = offset;
  out.provider = x.provider;
  out.symbol = x.symbol;
  out.interval = x.interval;
  out.start = out.inputs_start = x.start;
  out.end = x.end;
  out.close = x.close;
  out.inputs_revision = x.inputs_revision;
  out.first_offset = x.first_offset;
  out.last_offset = x.last_offset;
  for (auto& name : features) {
    auto found = std::find_if(x.values.begin(), x.values.end(), [&](auto& v) { return v.name == name; });
    auto is_there = found != x.values.end();
    values.push_back(is_there && found->value ? *found->value : std::numeric_limits<double>::quiet_NaN());
    if (is_there) out.inputs_start = std::min(out.inputs_start, found->window_start);
  }
  return out;
}

bool can_be_answered(const model_card& card, const model_batch& rows) {
  if (card.passes_nulls) return rows.rows() != 0;
  for (std::size_t first = 0; first < rows.values.size(); first += rows.columns) {
    auto row = rows.values.begin() + static_cast<std::ptrdiff_t>(first);
    if (std::all_of(row, row + static_cast<std::ptrdiff_t>(rows.columns), [](double x) { return std::isfinite(x); }))
      return true;
  }
  return false;
}

void add_predictions(std::vector<answer_row>& rows, const model_card& card, const model_batch& given,
                     const std::vector<prediction>& said) {
  ensure(rows.size() == said.size() && rows.size() == given.rows(), "a model answers each row it was given");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!said[i].defined()) continue;
    rows[i].value = said[i].value;
    rows[i].score = said[i].score;
    if (!said[i].makes_signal(card)) continue;
    for (std::size_t k = 0; k < given.columns; ++k) {
      auto value = given.values[i * given.columns + k];
      rows[i].inputs.push_back({card.features[k], std::isfinite(value) ? std::optional{value} : std::nullopt});
    }
  }
}

} // namespace finstream
