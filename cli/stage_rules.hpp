// From the settings, and the files they name, to the rules by which the stages work.
#pragma once

#include "messages/errors.hpp"
#include "messages/event/derived.hpp"
#include "runtime/config/settings.hpp"

namespace finstream {

// What the log is told when the node starts. Reads the file of rules, compiles each condition, and adds the windows
// that rules use by a plain name and nobody has configured. Errors: config_invalid, with the place in the file.
expected<stage_rules> make_stage_rules(const settings& config);

} // namespace finstream
