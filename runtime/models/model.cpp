#include "runtime/models/model.hpp"

#include "runtime/clock/clock.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <span>

namespace finstream {

namespace {

expected<void> check_shape(const model_card& card, const model_batch& rows) {
  auto wanted = card.features.size();
  if (rows.columns != wanted || rows.values.size() % wanted != 0)
    return fail(errc::invalid_argument,
                fmt::format("model {} takes rows of {} features, and was given {} values in rows of {}", card.name,
                            wanted, rows.values.size(), rows.columns));
  if (rows.rows() > max_batch_rows || rows.values.size() * sizeof(double) > max_batch_bytes)
    return fail(errc::overloaded, fmt::format("a batch of {} rows and {} bytes for model {} is too large: {} rows and "
                                              "{} bytes are the most, make it smaller",
                                              rows.rows(), rows.values.size() * sizeof(double), card.name,
                                              max_batch_rows, max_batch_bytes));
  return {};
}

// The rows that the model is asked about, and which of the batch's they are.
struct asked_rows {
  model_batch batch;
  std::vector<std::size_t> positions;
};

asked_rows select_rows(const model_card& card, const model_batch& rows) {
  asked_rows asked;
  asked.batch.columns = rows.columns;
  asked.batch.values.reserve(rows.values.size());
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    auto values = std::span{rows.values}.subspan(row * rows.columns, rows.columns);
    bool complete = std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
    if (!complete && !card.passes_nulls) continue;
    for (auto x : values) asked.batch.values.push_back(std::isfinite(x) ? x : std::numeric_limits<double>::quiet_NaN());
    asked.positions.push_back(row);
  }
  return asked;
}

} // namespace

expected<std::vector<prediction>> model::predict(const model_batch& rows, nanoseconds deadline) {
  if (auto shape = check_shape(card_, rows); !shape) return tl::unexpected{shape.error()};
  std::unique_lock alone{busy_, std::try_to_lock};
  if (!alone.owns_lock())
    return fail(errc::overloaded, "model " + name() + " is answering another batch: it takes one at a time");
  auto too_late = [deadline] { return system_clock().monotonic() >= deadline; };
  auto late = [this](const char* when) {
    return fail(errc::timed_out, fmt::format("the deadline of a batch for model {} had passed {}", name(), when));
  };
  if (too_late()) return late("before it began");
  std::vector<prediction> predictions(rows.rows());
  auto asked = select_rows(card_, rows);
  if (asked.positions.empty()) return predictions;
  auto raw = compute(asked.batch, deadline);
  if (!raw) return tl::unexpected{raw.error()};
  if (raw->empty() || raw->size() % asked.positions.size() != 0)
    return fail(errc::io_failure,
                fmt::format("model {} gave {} numbers for {} rows", name(), raw->size(), asked.positions.size()));
  auto columns = raw->size() / asked.positions.size();
  for (std::size_t i = 0; i < asked.positions.size(); ++i) {
    auto decided = decide(card_, std::span{*raw}.subspan(i * columns, columns));
    if (!decided) return tl::unexpected{decided.error()};
    predictions[asked.positions[i]] = *decided;
  }
  if (too_late()) return late("when its answer was there");
  return predictions;
}

} // namespace finstream
