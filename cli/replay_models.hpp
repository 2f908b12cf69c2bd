// The models asked again: for `finstream replay --models`.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/config/settings.hpp"

namespace finstream {

// Asks the models of the config about each vector whose answer is recorded, and prints what differs; and whether the
// records leave a vector out or have one twice. The exit code: 1 if there is such a thing, or one could not be asked.
int ask_models_again(const settings& config, const bus& log, int partitions);

} // namespace finstream
