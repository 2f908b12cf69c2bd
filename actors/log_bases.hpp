// Where a partition's log may begin, as it is kept in the log's own table, and the trimming of what lies before. What a
// base is, and which is cut at: logic/retention.hpp.
#pragma once

#include "actors/log_entries.hpp"
#include "actors/logic/retention.hpp"

#include <optional>
#include <string_view>
#include <utility>

namespace finstream {

// Of a row of the table of stages, whose key this is. Errors: corrupt_record.
bool is_base_key(std::string_view key);
expected<std::pair<log_base, stage_states>> unpack_base(std::string_view bytes);

// The base at `offset`, and the stages as they were there. Errors: trimmed, if there is none; those of the log.
expected<std::pair<log_base, stage_states>> load_base(const bus& log, std::uint16_t partition, std::uint64_t offset);

// The newest base of which nothing lies at or after `at` of log time; nothing, if there is none: then the log is to be
// gone over from its head. Errors: those of the log.
expected<std::optional<std::pair<log_base, stage_states>>> find_base_before(const bus& log, std::uint16_t partition,
                                                                            timestamp at);

// The appender's: adds bases to its transactions, and trims the log when they are written.
class log_trimmer {
public:
  log_trimmer(bus& log, std::uint16_t partition, nanoseconds keep) : log_{log}, partition_{partition}, kept_{keep} {}

  expected<void> recover(); // errors: io_failure, corrupt_record
  // Adds a base to `tx`, which holds outputs only, if it is time for one; `states` are those before `dealt_with`.
  void add_base(transaction& tx, timestamp log_ts, std::uint64_t dealt_with, const stage_states& states);
  // The transaction is in the log. Errors: those of bus::trim().
  expected<void> on_written();
  // Where another process writes: up to where the bases allow. Errors: likewise.
  expected<void> trim(timestamp now);

private:
  bus& log_;
  std::uint16_t partition_;
  retention kept_;
  std::optional<std::pair<std::size_t, log_base>> added_; // slot and base, not yet written
};

} // namespace finstream
