#include "cli/node_models.hpp"

#include "actors/logic/feature_rules.hpp"
#include "actors/logic/restart_policy.hpp"
#include "actors/logic/rule_names.hpp"
#include "cli/commands.hpp"
#include "runtime/config/load.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/core.h>

namespace finstream {

namespace {

constexpr std::size_t longest_name = 64; // it is in metrics, in the tree, and in each signal

struct adapter {
  model_kind kind;
  const model_adapter_settings* config;
  std::string key() const { return fmt::format("inference.adapters.{}", to_string(kind)); }
};

// It is in paths and in metrics; and "rules" is what the signals of rules say.
bool is_usable(const std::string& name) {
  return name.size() <= longest_name && name != "rules" && std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
         });
}

worker_options worker_of(const settings& config, std::uint64_t seed) {
  worker_options out;
  out.python = config.inference.models.python;
  out.script = worker_script();
  // Called on the thread of one worker's keeper, and of no other.
  out.restart_after = [policy = backoff{{}, seed}](nanoseconds now, nanoseconds lived) mutable {
    return policy.next(now, lived);
  };
  return out;
}

std::string what_to_do(model_kind kind, errc why) {
  if (why == errc::not_found)
    return "; correct the path, or make the model and its card with tools/train_model.py (docs/models.md)";
  if (kind == model_kind::sklearn && (why == errc::start_failed || why == errc::io_failure || why == errc::timed_out))
    return "; its program is inference.models.python, which needs python3-sklearn, python3-msgpack and python3-xxhash";
  return {};
}

expected<std::unique_ptr<served_model>> open_one(const adapter& from, const settings& config, std::uint64_t seed) {
  auto wrong = [&](errc code, const std::string& why) {
    return fail(code, fmt::format("{}.model_path: {}", from.key(), why));
  };
  auto opened = open_model(from.config->model_path, worker_of(config, seed));
  if (!opened) return wrong(opened.error().code, opened.error().message + what_to_do(from.kind, opened.error().code));
  auto& name = (*opened)->name();
  if ((*opened)->kind() != from.kind)
    return wrong(errc::config_invalid,
                 fmt::format("model {} is of kind {}, as its card says; name it as inference.adapters.{}", name,
                             to_string((*opened)->kind()), to_string((*opened)->kind())));
  if (!is_usable(name))
    return wrong(errc::config_invalid, fmt::format("a model cannot be called \"{}\": its card's `name` must be of at "
                                                   "most {} letters, digits, _, - and ., and not \"rules\"",
                                                   name, longest_name));
  auto out = std::make_unique<served_model>();
  out->what = std::move(*opened);
  out->deadline = from.config->deadline_ms * millisecond;
  out->level = from.config->emit == rule_emit::level;
  out->cooldown = from.config->cooldown;
  out->config_hash = model_signals_hash(config, *from.config);
  return out;
}

} // namespace

expected<std::vector<std::unique_ptr<served_model>>> open_models(const settings& config, std::uint64_t seed) {
  std::vector<std::unique_ptr<served_model>> out;
  auto& x = config.inference;
  for (auto& from : {adapter{model_kind::xgboost, &x.xgboost}, adapter{model_kind::sklearn, &x.sklearn}}) {
    if (!from.config->enabled) continue;
    auto opened = open_one(from, config, seed);
    if (!opened) return tl::unexpected{opened.error()};
    for (auto& other : out)
      if (other->what->name() == (*opened)->what->name())
        return fail(errc::config_invalid, fmt::format("{}.model_path: there are two models called {}; give one of the "
                                                      "cards another `name`",
                                                      from.key(), other->what->name()));
    out.push_back(std::move(*opened));
  }
  return out;
}

expected<void> check_features(const std::vector<std::unique_ptr<served_model>>& models, const stage_rules& rules) {
  if (models.empty()) return {};
  std::string all;
  std::vector<std::string> known;
  if (!rules.features.empty()) {
    auto features = feature_rules::load(rules.features);
    if (!features) return tl::unexpected{features.error()};
    for (auto& [name, value] : rule_names(features->windows))
      if (value != bar_close && std::find(known.begin(), known.end(), value) == known.end()) {
        known.push_back(value);
        all += (all.empty() ? "" : ", ") + value;
      }
  }
  for (auto& x : models)
    for (auto& wanted : x->what->features())
      if (std::find(known.begin(), known.end(), wanted) == known.end())
        return fail(errc::config_invalid,
                    fmt::format("model {} needs the feature {}, which is not computed: add it to features.windows; "
                                "there are: {}",
                                x->what->name(), wanted, all.empty() ? "none" : all));
  return {};
}

} // namespace finstream
