// The models that a config names: opened, and held against the features there are.
#pragma once

#include "actors/model_asker.hpp"
#include "runtime/config/settings.hpp"
#include "runtime/models/open_model.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace finstream {

// At an address of their own: askers keep it. Waits for each model to be ready; of sklearn that is a second or two.
// Errors: config_invalid, not_found, io_failure, start_failed, timed_out; each names the setting and says what to do.
expected<std::vector<std::unique_ptr<served_model>>> open_models(const settings& config, std::uint64_t seed);

// Whether the rules make all features that the models ask for. Errors: config_invalid.
expected<void> check_features(const std::vector<std::unique_ptr<served_model>>& models, const stage_rules& rules);

} // namespace finstream
