// What a batch of vectors costs a model: usage: model_bench DIRECTORY WORKER_SCRIPT, where the directory has
// xgboost.ubj and sklearn.pkl, trained by tools/train_model.py (50 trees of depth 3 over three features). Each call is
// one batch, as a node makes it; the median of them is given. Of sklearn the way to the worker and back is part of it.
// One JSON object a case.
#include "runtime/clock/clock.hpp"
#include "runtime/models/open_model.hpp"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace finstream;

constexpr nanoseconds measured_for = second / 2;
constexpr std::size_t most_calls = 20'000;

model_batch batch_of(std::size_t rows, std::size_t columns) {
  model_batch out{columns, {}};
  std::uint64_t state = 42;
  for (std::size_t i = 0; i < rows * columns; ++i) {
    state = state * 6364136223846793005 + 1442695040888963407;
    out.values.push_back(static_cast<double>(state >> 40) / static_cast<double>(1 << 24) - 0.5);
  }
  return out;
}

bool measure(model& asked, std::size_t rows) {
  auto batch = batch_of(rows, asked.features().size());
  std::vector<nanoseconds> took;
  auto now = [] { return system_clock().monotonic(); };
  for (auto end = now() + measured_for; now() < end && took.size() < most_calls;) {
    auto began = now();
    auto said = asked.predict(batch, began + 10 * second);
    if (!said) return std::fprintf(stderr, "%s\n", said.error().message.c_str()), false;
    took.push_back(now() - began);
  }
  std::sort(took.begin(), took.end());
  auto at = [&](double share) {
    return static_cast<double>(took[static_cast<std::size_t>(share * static_cast<double>(took.size() - 1))]) / 1e3;
  };
  std::printf("{\"name\":\"model_%s_%zu\",\"rows\":%zu,\"us_per_batch\":%.1f,\"p99_us\":%.1f,\"us_per_row\":%.3f}\n",
              std::string{to_string(asked.kind())}.c_str(), rows, rows, at(0.5), at(0.99),
              at(0.5) / static_cast<double>(rows));
  return true;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: model_bench DIRECTORY WORKER_SCRIPT\n"), 2;
  worker_options worker;
  worker.script = argv[2];
  for (auto* file : {"xgboost.ubj", "sklearn.pkl"}) {
    auto opened = open_model(std::string{argv[1]} + "/" + file, worker);
    if (!opened) return std::fprintf(stderr, "%s\n", opened.error().message.c_str()), 1;
    for (std::size_t rows : {1, 100, 1000, 4096})
      if (!measure(**opened, rows)) return 1;
  }
  return 0;
}
