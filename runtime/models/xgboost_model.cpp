#include "runtime/models/xgboost_model.hpp"

#include "runtime/clock/clock.hpp"

#include <algorithm>
#include <cstdint>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <string_view>
#include <xgboost/c_api.h>

// Of libgomp, which libxgboost brings; declared here because not every compiler that reads this file has its <omp.h>.
// It holds for the calling thread.
extern "C" void omp_set_num_threads(int count);

namespace finstream {

namespace {

using json = nlohmann::json;

constexpr std::size_t block_rows = 1024; // between two looks at the clock: about a millisecond of a large forest
// Nulls are NaN, and every tree counts; `strict_shape` makes the answer two-dimensional for every kind of model.
constexpr const char* how_to_predict = R"({"type": 0, "training": false, "iteration_begin": 0, "iteration_end": 0,
  "strict_shape": true, "missing": NaN, "cache_id": 0})";

// The library's own sentence without its stack trace.
std::string last_problem() {
  std::string_view text{XGBGetLastError()};
  if (auto at = text.find("\nStack trace"); at != std::string_view::npos) text = text.substr(0, at);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == ':')) text.remove_suffix(1);
  return std::string{text};
}

struct booster_closer {
  void operator()(BoosterHandle booster) const { XGBoosterFree(booster); }
};
using booster_pointer = std::unique_ptr<void, booster_closer>;

class xgboost_model : public model {
public:
  xgboost_model(model_card card, booster_pointer booster) : model{std::move(card)}, booster_{std::move(booster)} {}

  model_health health() const override { return {}; }

  // What the library can only be asked by trying: one row without any value.
  expected<void> try_out() {
    model_batch one{features().size(), std::vector<double>(features().size(), std::nan(""))};
    auto raw = compute(one, std::numeric_limits<nanoseconds>::max());
    if (!raw) return tl::unexpected{raw.error()};
    auto decided = decide(card(), *raw);
    if (!decided) return tl::unexpected{decided.error()};
    return {};
  }

private:
  expected<std::vector<double>> compute(const model_batch& rows, nanoseconds deadline) override {
    std::vector<double> output;
    for (std::size_t done = 0; done < rows.rows(); done += block_rows) {
      if (done > 0 && system_clock().monotonic() >= deadline)
        return fail(errc::timed_out,
                    fmt::format("model {} had answered {} of {} rows at its deadline", name(), done, rows.rows()));
      auto count = std::min(block_rows, rows.rows() - done);
      // The library reads numpy's description of an array; a row after the other, eight bytes a value.
      auto block =
        fmt::format(R"({{"data": [{}, true], "shape": [{}, {}], "typestr": "<f8", "version": 3}})",
                    reinterpret_cast<std::uintptr_t>(rows.values.data() + done * rows.columns), count, rows.columns);
      const bst_ulong* shape = nullptr;
      bst_ulong dimensions = 0;
      const float* result = nullptr;
      if (XGBoosterPredictFromDense(booster_.get(), block.c_str(), how_to_predict, nullptr, &shape, &dimensions,
                                    &result) != 0)
        return fail(errc::io_failure, "model " + name() + " failed: " + last_problem());
      if (dimensions != 2 || shape[0] != count)
        return fail(errc::io_failure, fmt::format("model {} did not give one line of output a row", name()));
      output.insert(output.end(), result, result + shape[0] * shape[1]);
    }
    return output;
  }

  booster_pointer booster_;
};

expected<void> check_features(BoosterHandle booster, const model_card& card) {
  bst_ulong count = 0;
  const char** names = nullptr;
  if (XGBoosterGetNumFeature(booster, &count) != 0) return fail(errc::config_invalid, last_problem());
  if (count != card.features.size())
    return fail(errc::config_invalid,
                fmt::format("it was trained on {} features, and its card names {}", count, card.features.size()));
  if (XGBoosterGetStrFeatureInfo(booster, "feature_name", &count, &names) != 0)
    return fail(errc::config_invalid, last_problem());
  for (bst_ulong i = 0; i < count; ++i) // none at all where it was trained without names
    if (i >= card.features.size() || card.features[i] != names[i])
      return fail(errc::config_invalid, fmt::format("its feature {} is \"{}\", and its card says \"{}\"", i + 1,
                                                    names[i], i < card.features.size() ? card.features[i] : ""));
  return {};
}

// A logit or a class's number can look like a probability for a while; so the objective is asked, not the output.
expected<void> check_objective(BoosterHandle booster, const model_card& card) {
  bst_ulong length = 0;
  const char* text = nullptr;
  if (XGBoosterSaveJsonConfig(booster, &length, &text) != 0) return fail(errc::config_invalid, last_problem());
  auto config = json::parse(std::string_view{text, length}, nullptr, false);
  auto at = json::json_pointer{"/learner/objective/name"};
  auto objective = config.is_object() && config.contains(at) ? config[at].get<std::string>() : std::string{};
  bool is_multi = objective.starts_with("multi:");
  bool gives_probability = objective == "binary:logistic" || objective == "multi:softprob";
  if (card.output == model_output::probability && !gives_probability)
    return fail(errc::config_invalid,
                "its objective is " + objective + ": output probability takes binary:logistic and multi:softprob");
  if (card.output == model_output::number && is_multi)
    return fail(errc::config_invalid, "its objective is " + objective + ": that is not one number");
  return {};
}

} // namespace

expected<std::unique_ptr<model>> open_xgboost_model(model_files files) {
  auto name = files.card.name;
  auto refuse = [&name](const std::string& why) {
    return fail(errc::config_invalid, "model " + name + " of xgboost cannot be used: " + why);
  };
  // Anything else the library takes for its old binary format, and asks for as much memory as the bytes happen to say.
  if (!files.bytes.starts_with('{')) return refuse("it is neither JSON nor UBJ; save it with save_model()");
  XGBSetGlobalConfig(R"({"verbosity": 0})"); // it would write to the streams of this process
  BoosterHandle made = nullptr;
  if (XGBoosterCreate(nullptr, 0, &made) != 0) return refuse(last_problem());
  booster_pointer booster{made};
  // One thread, also to read the file: that goes by OpenMP's own setting, and a pool once started stays.
  omp_set_num_threads(1);
  if (XGBoosterLoadModelFromBuffer(made, files.bytes.data(), files.bytes.size()) != 0) return refuse(last_problem());
  // After the file, which may bring its trainer's number.
  if (XGBoosterSetParam(made, "nthread", "1") != 0) return refuse(last_problem());
  for (auto check : {check_features, check_objective})
    if (auto fits = check(made, files.card); !fits) return refuse(fits.error().message);
  auto opened = std::make_unique<xgboost_model>(std::move(files.card), std::move(booster));
  if (auto tried = opened->try_out(); !tried) return refuse(tried.error().message);
  return opened;
}

} // namespace finstream
