// What the tests of models share: the models that models_data.py trained, and rows to ask about.
#pragma once

#include "messages/schema/schema.hpp"
#include "runtime/clock/clock.hpp"
#include "runtime/models/open_model.hpp"

#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

namespace finstream::test {

inline std::string trained(const std::string& name) { return FINSTREAM_MODELS_DATA "/" + name; }

inline std::string bytes_of(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

inline std::vector<double> doubles_of(const std::string& path) {
  auto bytes = bytes_of(path);
  std::vector<double> values(bytes.size() / sizeof(double));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(double));
  return values;
}

inline nanoseconds within(nanoseconds span) { return system_clock().monotonic() + span; }

// Longer than any answer takes on a busy machine: only a fault reaches it.
constexpr nanoseconds patience = 60 * second;

inline worker_options real_worker() {
  worker_options options;
  options.script = FINSTREAM_SOURCE_DIR "/runtime/models/worker/finstream_sklearn_worker.py";
  options.ready_within = patience;
  return options;
}

inline model_batch rows_of(const std::vector<double>& values, std::size_t columns, std::size_t first,
                           std::size_t count) {
  auto all = std::span{values}.subspan(first * columns, count * columns);
  return {columns, {all.begin(), all.end()}};
}

// Bit for bit; two NaN are the same.
inline bool same(const std::vector<prediction>& a, const std::vector<prediction>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(prediction)) == 0;
}

// Asks about all rows in batches of `size`.
inline expected<std::vector<prediction>> predict_all(model& asked, const std::vector<double>& values,
                                                     std::size_t size) {
  std::vector<prediction> all;
  auto columns = asked.features().size(), rows = values.size() / columns;
  for (std::size_t first = 0; first < rows; first += size) {
    auto some = asked.predict(rows_of(values, columns, first, std::min(size, rows - first)), within(patience));
    if (!some) return some;
    all.insert(all.end(), some->begin(), some->end());
  }
  return all;
}

// The library's own output of a model with two classes, as predictions.
inline std::vector<prediction> expected_predictions(const model_card& card, const std::vector<double>& output,
                                                    std::size_t columns) {
  std::vector<prediction> all;
  for (std::size_t i = 0; i < output.size(); i += columns)
    all.push_back(decide(card, std::span{output}.subspan(i, columns)).value_or(prediction{}));
  return all;
}

inline std::string sentence(const failure& what) { return std::string{to_string(what.code)} + ": " + what.message; }

// Checks that a model cannot be opened, with this code and these words in the sentence.
inline void refuses(const std::string& path, errc code, const std::string& words) {
  auto opened = open_model(path, real_worker());
  CAF_REQUIRE(!opened);
  CAF_CHECK_EQUAL(to_string(opened.error().code), to_string(code));
  if (opened.error().message.find(words) == std::string::npos) CAF_ERROR(opened.error().message);
}

} // namespace finstream::test
