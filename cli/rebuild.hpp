// Makes all that is derived anew from a log's events: topics bars, features, signals and rejected, their rows, and the
// checkpoint. In a log of its own that takes the old one's place when it is whole.
#pragma once

#include "cli/verify_judges.hpp"
#include "runtime/bus/log_check.hpp"

namespace finstream {

// What of the log at `log` goes into a copy that is then to be rebuilt. Errors: trimmed, where the stages' state at the
// log's head is not known.
expected<log_check::copy_plan> plan_of_copy(const log_check& log, const log_judge& rows);
// Of such a copy. Errors: those of the log and of the stages.
expected<void> rebuild(const std::string& directory, int partitions);

} // namespace finstream
