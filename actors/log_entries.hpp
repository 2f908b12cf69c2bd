// Between the log's records and what the actors share of them.
#pragma once

#include "messages/command/log_flow.hpp"
#include "runtime/bus/bus.hpp"

namespace finstream {

// Errors: corrupt_record.
expected<log_entry_ptr> to_log_entry(record from);
expected<derived_record_ptr> to_derived_record(const record& from);

topic topic_of(derived_topic where);
// Whether the topic ends there. A log that cannot be asked is no proof to the contrary.
bool ends_at(const bus& log, topic where, std::uint16_t partition, std::uint64_t next);
// What a step gives in one topic, as records of a bounded size.
std::vector<std::shared_ptr<derived_record>> to_records(std::vector<derived> items, timestamp log_ts);

new_record events_record(std::uint16_t partition, timestamp log_ts, const event_batch& batch,
                         record_kind kind = record_kind::events);
new_record healed_record(std::uint16_t partition, timestamp log_ts, const std::vector<derived>& items);
new_record taken_over_record(std::uint16_t partition, timestamp log_ts, const taken_windows& what);
new_record source_record(std::uint16_t partition, timestamp log_ts, const source_event& what);
new_record answers_record(std::uint16_t partition, timestamp log_ts, const answers& what);
// The lines of events of which the first is at `first_offset`.
new_record lines_record(std::uint16_t partition, timestamp log_ts, std::uint64_t first_offset, const raw_lines& lines);
new_record derived_record_of(derived_topic where, std::uint16_t partition, const derived_record& what);
new_record dead_letter_record(topic where, std::uint16_t partition, timestamp log_ts, const dead_letter& what);

// Tables of the log that belong to a partition's stage.
inline constexpr const char* stage_table = "stage";
std::string dealt_with_key(std::uint16_t partition);
std::string snapshot_key(std::uint16_t partition);
std::string answered_key(std::uint16_t partition, const std::string& model); // up to where it has dealt with features
std::string offset_text(std::uint64_t offset);
std::uint64_t offset_from_text(std::string_view text);
// A snapshot and the offset it stands at. Bytes that are none give empty states.
std::string pack_snapshot(std::uint64_t offset, const stage_states& states);
std::pair<std::uint64_t, stage_states> unpack_snapshot(std::string_view bytes);

// Where each feed is to go on: table "feeds", by its name.
inline constexpr const char* feeds_table = "feeds";
std::string pack_resume_point(const resume_point& x);
expected<resume_point> unpack_resume_point(std::string_view bytes);

} // namespace finstream
