#include "messages/event/job_run.hpp"

namespace finstream {

std::string_view to_string(job_kind kind) {
  switch (kind) {
  case job_kind::produce: return "produce";
  case job_kind::micro_batch: return "micro_batch";
  case job_kind::replay: return "replay";
  case job_kind::backfill: return "backfill";
  }
  return "unknown";
}

std::string_view to_string(job_status status) {
  switch (status) {
  case job_status::running: return "running";
  case job_status::done: return "done";
  case job_status::failed: return "failed";
  }
  return "unknown";
}

std::string place_of(const job_run& x) { return x.id.substr(x.id.find(' ') + 1); }

job_run begin_job(job_kind kind, const std::string& place, timestamp now, std::uint64_t config_hash) {
  job_run out;
  out.id = to_string(now) + " " + place;
  out.kind = kind;
  out.started = now;
  out.config_hash = config_hash;
  out.status = job_status::running;
  return out;
}

} // namespace finstream
