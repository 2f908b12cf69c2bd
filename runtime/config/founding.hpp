// THE FOUNDING NAMES: the config file of FinStream's first design, read unchanged. `bus.redis`, `producers`,
// `micro_batch` and `telemetry` are translated into the settings that do the same; docs/founding_config.md lists them.
// The two ways to write one setting cannot both be in a file.
#pragma once

#include "runtime/config/check.hpp"
#include "runtime/config/yaml_reader.hpp"

namespace finstream {

bool has_founding_names(const yaml_reader& reader);
// Reads the whole file, the names of today included.
void read_founding_names(yaml_reader& reader, settings& out, const complaint& complain,
                         std::vector<std::string>* notes);

} // namespace finstream
