// Runs of jobs in table "job_runs" of the log, in the order in which they started.
#pragma once

#include "messages/event/job_run.hpp"
#include "runtime/bus/bus.hpp"

#include <functional>

namespace finstream {

inline constexpr const char* job_runs_table = "job_runs";
inline constexpr std::size_t most_job_runs = 100'000; // that are kept: years of a node that is well

table_write job_write(const job_run& x);
expected<job_run> job_from_bytes(std::string_view bytes); // errors: corrupt_record

// Until `visit` returns false. Errors: io_failure, corrupt_record.
expected<void> scan_jobs(const bus& log, const std::function<bool(const job_run&)>& visit);
// For a node that starts: what still runs, it seems, has ended without saying so, and the oldest beyond `most_job_runs`
// are forgotten. Errors: as above.
expected<void> settle_jobs(bus& log);

} // namespace finstream
