// finstream dlq retry: dead letters sent again, through the backfill lane.
#pragma once

#include "cli/commands.hpp"

namespace finstream {

void add_dlq_retry(CLI::App& dlq, chosen_command& chosen); // below `finstream dlq`

} // namespace finstream
