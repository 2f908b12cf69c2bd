#include "runtime/store/job_store.hpp"

#include "runtime/store/row_cells.hpp"

namespace finstream {

table_write job_write(const job_run& x) { return {job_runs_table, x.id, row_cells::pack(x)}; }

expected<job_run> job_from_bytes(std::string_view bytes) { return row_cells::unpack<job_run>(bytes); }

expected<void> scan_jobs(const bus& log, const std::function<bool(const job_run&)>& visit) {
  expected<void> outcome;
  auto scanned = log.scan(job_runs_table, {}, {}, [&](std::string_view, std::string_view value) {
    auto run = job_from_bytes(value);
    if (!run) return outcome = tl::unexpected{run.error()}, false;
    return visit(*run);
  });
  return scanned ? outcome : scanned;
}

expected<void> settle_jobs(bus& log) {
  std::vector<job_run> runs;
  if (auto read = scan_jobs(log, [&](const job_run& x) { return runs.push_back(x), true; }); !read) return read;
  transaction tx;
  auto forgotten = runs.size() > most_job_runs ? runs.size() - most_job_runs : 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    auto& x = runs[i];
    if (i < forgotten) {
      tx.writes.push_back({job_runs_table, x.id, std::nullopt});
    } else if (x.status == job_status::running) {
      x.status = job_status::failed;
      x.detail = "the node ended and it could not say how";
      tx.writes.push_back(job_write(x));
    }
  }
  if (tx.writes.empty()) return {};
  return log.write(std::move(tx)).map([](const receipt&) {});
}

} // namespace finstream
