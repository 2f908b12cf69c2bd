// YAML -> settings. `${NAME}` and `${NAME:-default}` are replaced in values from the environment; keys that are not
// known are refused with their line and column and the nearest known key; so are values of the wrong type or out of
// range.
#pragma once

#include "runtime/config/settings.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace finstream {

using environment = std::function<std::optional<std::string>(const std::string& name)>;
environment process_environment();

// Errors: config_invalid, "FILE:LINE:COLUMN: what is wrong, and what to do".
// Files with the founding names of settings (founding.hpp) are read, too. What of them has no effect is said in
// `notes`, a sentence each, for the operator. The path of the rules is meant from the config file's folder or, if there
// is no such file, from the working directory; load_settings() gives the one that is there.
expected<settings> load_settings(const std::string& path, const environment& env = process_environment(),
                                 std::vector<std::string>* notes = nullptr);
expected<settings> parse_settings(const std::string& yaml, const std::string& name, const environment& env,
                                  std::vector<std::string>* notes = nullptr);

// Every key with its effective value: `config print`. With help, each key's meaning and limits are comments above it,
// as in config/default.yaml. What is printed can be loaded again.
std::string settings_to_yaml(const settings& x, bool with_help = false);
std::string settings_reference(); // config/REFERENCE.md: key, type, default, range, meaning

// Hash of the settings that decide what a bar is (intervals, lateness, source sets, partitions ...): in every bar.
std::uint64_t semantic_hash(const settings& x);
// Of what decides a feature, bars included: in every feature vector. Windows that rules need count like those of the
// file, so they are added to `x` before.
std::uint64_t features_hash(const settings& x);
// Of what decides a signal, features and rules included: in every signal.
std::uint64_t signals_hash(const settings& x, const std::vector<rule_settings>& rules);
// The same of a model's: features, and what the config says of its signals. The model itself is named by its own hash.
std::uint64_t model_signals_hash(const settings& x, const model_adapter_settings& model);

} // namespace finstream
