// Between the log's records and what the actors share of them; and the one way a partition's log is applied to its bars
// stage, live and in replay.
#pragma once

#include "actors/logic/bar_stage.hpp"
#include "messages/command/log_flow.hpp"
#include "runtime/bus/bus.hpp"

namespace finstream {

// Errors: corrupt_record.
expected<log_entry_ptr> to_log_entry(record from);
expected<derived_record_ptr> to_derived_record(const record& from);

new_record events_record(std::uint16_t partition, timestamp log_ts, const event_batch& batch);
new_record source_record(std::uint16_t partition, timestamp log_ts, const source_event& what);
new_record bars_record(std::uint16_t partition, const derived_record& what);
new_record dead_letter_record(topic where, std::uint16_t partition, timestamp log_ts, const dead_letter& what);

// A partition's stage; none before the log has said its rules.
class partition_stage {
public:
  // Errors: corrupt_record, incompatible.
  expected<void> apply(const log_entry& entry);
  // What `entry` gave: its bars, in records of a bounded size, and its rejected events as dead letters.
  std::vector<derived_record_ptr> take_bars(const log_entry& entry);
  std::optional<rejected_record> take_rejected(const log_entry& entry);

  bool has_open_windows() const { return stage_ && stage_->has_open_windows(); }
  std::uint64_t open_windows() const { return stage_ ? stage_->open_windows() : 0; }
  std::uint64_t series_count() const { return stage_ ? stage_->series_count() : 0; }
  std::string save() const { return stage_ ? stage_->save() : std::string{}; }
  expected<void> load(std::string_view snapshot);

private:
  std::optional<bar_stage> stage_;
  stage_output output_;
};

// Tables of the log that belong to a partition's stage.
inline constexpr const char* stage_table = "stage";
std::string dealt_with_key(std::uint16_t partition);
std::string snapshot_key(std::uint16_t partition);
std::string offset_text(std::uint64_t offset);
std::uint64_t offset_from_text(std::string_view text);
// A snapshot and the offset it stands at.
std::string pack_snapshot(std::uint64_t offset, std::string_view state);
std::pair<std::uint64_t, std::string> unpack_snapshot(std::string_view bytes);

// Where each feed is to go on: table "feeds", by its name.
inline constexpr const char* feeds_table = "feeds";
std::string pack_resume_point(const resume_point& x);
expected<resume_point> unpack_resume_point(std::string_view bytes);

} // namespace finstream
