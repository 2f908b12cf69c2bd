// What a node did and when, for those who ask later: each run of a feed's process, of a partition's stages, of a replay
// and of a backfill.
#pragma once

#include "messages/field.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace finstream {

// DO NOT CHANGE THESE VALUES: they are in stores.
enum class job_kind : std::uint8_t { produce = 0, micro_batch = 1, replay = 2, backfill = 3 };
std::string_view to_string(job_kind kind);
enum class job_status : std::uint8_t { running = 0, done = 1, failed = 2 };
std::string_view to_string(job_status status);

// One run of something that makes rows. In stores one that is over ranks before one that runs, then the number of rows
// decides.
struct job_run {
  std::string id; // "2026-11-21T13:00:00.5Z /feeds/spy": when it started, and what it is a run of
  job_kind kind = job_kind::produce;
  timestamp started;
  std::optional<timestamp> ended;
  std::uint64_t rows = 0;
  job_status status = job_status::running;
  std::uint64_t config_hash = 0;
  std::string detail; // why it failed, or what it was about

  friend bool operator==(const job_run&, const job_run&) = default;
};
template <of<job_run> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"id", x.id}, field{"kind", x.kind}, field{"started", x.started}, field{"ended", x.ended},
           field{"rows", x.rows}, field{"status", x.status}, field{"config_hash", x.config_hash},
           field{"detail", x.detail});
}

// Of what it is a run: the id without the start.
std::string place_of(const job_run& x);
// A run of `place` that begins now.
job_run begin_job(job_kind kind, const std::string& place, timestamp now, std::uint64_t config_hash);

} // namespace finstream
