// A trained model, whatever library it comes from: rows of features in, a prediction for each row out. A driver a file;
// open_model.hpp chooses it by the model's card.
//
// Threads: any thread may call predict(), one at a time; a second call while one is under way is refused at once
//   (overloaded) and never waits. predict() blocks its thread until the answer or the deadline. health() may be called
//   by any thread at any time. No call may be under way when the model is destroyed.
// Deadline: a point on system_clock().monotonic(). An answer that comes later is not given: the call ends with
//   timed_out. The sklearn driver ends at the deadline and kills its worker; the xgboost driver cannot be interrupted
//   and looks at the clock between blocks of rows, so it may be late by one block (about a millisecond).
// Determinism: the same file and the same rows give the same bits, however rows are cut into batches. Whether an
//   answer came in time is not determined by the log; so a signal is written down once, and never computed again.
// Nulls: NaN. An infinite value counts as null. A row with a null has an undefined prediction, unless the card says
//   that the model takes them.
#pragma once

#include "messages/value/timestamp.hpp"
#include "runtime/models/model_card.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace finstream {

inline constexpr std::size_t max_batch_rows = 4096;     // more than one bar of each of a node's symbols
inline constexpr std::size_t max_batch_bytes = 4 << 20; // of the rows' doubles: what a pipe carries in milliseconds

struct prediction {
  double value = std::numeric_limits<double>::quiet_NaN(); // what the signal says: the class's value, or the sign
  double score = std::numeric_limits<double>::quiet_NaN(); // how sure, or how large

  bool defined() const { return !std::isnan(score); }
  // Whether it makes a signal. An undefined one never does.
  bool makes_signal(const model_card& card) const { return score >= card.threshold; }
};

struct model_batch {
  std::size_t columns = 0;    // as many as the card has features, in its order
  std::vector<double> values; // row after row

  std::size_t rows() const { return columns == 0 ? 0 : values.size() / columns; }
};

struct model_health {
  bool ready = true;        // false: predict() fails at once, for the reason below
  std::uint64_t starts = 1; // of the worker, for the driver that has one
  std::string trouble;      // why it is not ready, and what happens next
};

class model {
public:
  explicit model(model_card card) : card_{std::move(card)} {}
  model(const model&) = delete;
  model& operator=(const model&) = delete;
  virtual ~model() = default;

  const model_card& card() const { return card_; }
  const std::string& name() const { return card_.name; }
  model_kind kind() const { return card_.kind; }
  std::uint64_t hash() const { return card_.model_hash; } // XXH3 of the file's bytes
  const std::vector<std::string>& features() const { return card_.features; }

  // A prediction a row, in order. Errors: timed_out; io_failure (the library or the worker failed, or the worker is
  // being started again); overloaded (a call is under way, or the batch is over a limit); invalid_argument (the rows
  // are not of this model's width). After any of them the next call may succeed.
  expected<std::vector<prediction>> predict(const model_batch& rows, nanoseconds deadline);
  virtual model_health health() const = 0;

private:
  // Raw output for at least one row, within the limits: the same number of columns a row, row after row.
  virtual expected<std::vector<double>> compute(const model_batch& rows, nanoseconds deadline) = 0;

  const model_card card_;
  std::mutex busy_;
};

} // namespace finstream
