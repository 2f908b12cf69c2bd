// The rules that a simulation changes between, by number: bars of one interval or several, revised or not, with
// features and signals or without.
#pragma once

#include "messages/event/derived.hpp"

namespace finstream::simulation {

stage_rules rules_number(int number); // from 0; each differs from the one before

} // namespace finstream::simulation
