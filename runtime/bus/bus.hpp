// THE LOG. Topics of ordered, durable records in partitions, tables of latest values by key, and consumer groups; the
// contract that every driver keeps and that tests/contracts/bus_contract.hpp checks on each.
//
// clang-format off
// Order       Records of a topic and partition are read in the order in which they were appended, without holes.
// Offsets     Count events: a record of n events at offset o takes o .. o+n-1, the next begins at o+n. From 0 in an epoch.
// Sides       Events, dead letters and raw lines are what comes in; the other topics are what is made of it. A
//             transaction appends to one side of one partition, so that the two may be written by two processes.
// Atomicity   All of a transaction is found after a crash, or none of it.
// Durability  A receipt names the level its transaction has reached (see `durability`). After a crash of the process
//             everything acknowledged is found at any level but `none`; after a crash of the machine, up to that level.
// Integrity   Each record carries a checksum. An incomplete tail is cut when the log is opened, and reported. A record
//             whose checksum is wrong is refused with errc::corrupt_record, its position and the reason, never skipped.
// Trimming    Never past the slowest consumer group.
// Threads     Every function may be called from any thread; appends to one topic and partition come from one at a time.
// Errors      io_failure, disk_full, corrupt_record, trimmed, invalid_argument.
// clang-format on
#pragma once

#include "messages/errors.hpp"
#include "messages/value/position.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

// DO NOT CHANGE THESE VALUES: they are in the log.
enum class topic : std::uint16_t {
  events = 1,         // packed market events, source changes, clock records
  bars = 2,           // derived: bars and ends of intervals
  dead_letters = 3,   // lines of feeds that could not be used; records and rows that were set aside
  rejected = 4,       // derived: events that came late, or would make a bar overflow
  features = 5,       // derived: feature vectors
  signals = 6,        // derived
  raw = 7,            // the lines that events were made of, where a feed has `raw: all`
  events_buffer = 8,  // of a log on a broker (brokered_bus.hpp): what goes into its journals, for as long as
  outputs_buffer = 9, // the broker does not have it
};
std::string_view to_string(topic t);

// What a record's payload is. DO NOT CHANGE THESE VALUES.
enum class record_kind : std::uint8_t {
  events = 1,      // messages/codec/event_codec.hpp
  clock = 2,       // no payload: the passing of time is the record's log_ts
  source = 3,      // one source_event, msgpack
  start = 4,       // the node started: stage_rules, msgpack
  outputs = 5,     // items of a derived topic, messages/codec/msgpack.hpp
  dead_letter = 6, // msgpack
  rules = 7,       // the rules have changed: stage_rules, msgpack
  answers = 8,     // what a trained model said when it was asked, msgpack
  backfill = 9,    // events of the past: as `events`, but the stages pass over them
  healed = 10,     // what the backfill lane made of them: as `outputs`, passed on by the stages as it is
  lines = 11,      // messages/codec/raw_lines.hpp
  entry = 12,      // of a journal: journal.hpp
  taken_over = 13, // windows that the backfill lane takes over from the live stages: taken_windows, msgpack
};

enum class durability : std::uint8_t {
  none,     // in memory of this process: lost if it is killed
  interval, // with the operating system: survives kill -9; on the disk at most sync_interval_ms later
  batch,    // on the disk before the receipt
  buffered, // of a log on a broker: on this machine as its own level says, and not with the broker yet
  broker,   // acknowledged by the broker
};
std::string_view to_string(durability level);

// Of one record. Far above what a batch of events takes; what is larger is refused with invalid_argument.
inline constexpr std::size_t max_payload_bytes = 64u << 20;

// A record to append. The bus writes it as header + payload + checksum; docs/formats.md shows the bytes.
struct new_record {
  topic where = topic::events;
  std::uint16_t partition = 0;
  record_kind kind = record_kind::events;
  std::uint32_t count = 1; // events in it; at least 1
  timestamp log_ts;        // not before that of the previous record of this topic and partition
  std::string payload;
};

// A record as read.
struct record {
  std::uint64_t offset = 0;
  std::uint32_t count = 1;
  record_kind kind = record_kind::events;
  timestamp log_ts;
  std::string payload;

  std::uint64_t next() const { return offset + count; }
};

struct table_write {
  std::string table;                // a short name, such as "bars"
  std::string key;                  // ordered by bytes
  std::optional<std::string> value; // nothing deletes
};

// The group has dealt with everything before `offset`, which is from the log's head to its end (this transaction's
// appends included): errc::trimmed below, errc::invalid_argument above.
struct group_commit {
  std::string group;
  topic where = topic::events;
  std::uint16_t partition = 0;
  std::uint64_t offset = 0;
};

struct transaction {
  std::vector<new_record> appends;
  std::vector<table_write> writes;
  std::vector<group_commit> commits;
};

struct receipt {
  std::vector<std::uint64_t> offsets; // of each append, in order
  durability level = durability::interval;
};

struct log_range {
  std::uint64_t head = 0; // first offset kept
  std::uint64_t next = 0; // the offset the next append will get
};

// What opening a log found; shown to the operator.
struct recovery_report {
  std::uint64_t epoch = 0;
  bool created = false;           // a new log
  std::vector<std::string> notes; // "torn tail: events/0 ends at 4711, 4790 was the last offset promised ..."
};

struct bus_statistics {
  std::uint64_t bytes_on_disk = 0;
  std::uint64_t bytes_appended = 0; // by this process: payloads
  std::uint64_t bytes_written = 0;  // by this process, to the disk, all told: the write amplification's numerator
  std::uint64_t records_appended = 0;
  std::uint64_t syncs = 0;
};

struct bus_capabilities {
  const char* driver = "";
  bool atomic_transactions = false;
  bool durable = false;
};

class bus {
public:
  virtual ~bus() = default;

  virtual expected<receipt> write(transaction tx) = 0;

  // Records from the one that holds `offset` on, until `limit_bytes` of payload are passed (at least one record) or the
  // log's end. Empty at the end. errc::trimmed below the head, errc::invalid_argument past the end.
  virtual expected<std::vector<record>> read(topic where, std::uint16_t partition, std::uint64_t offset,
                                             std::size_t limit_bytes) const = 0;
  // Offset of the first record whose log_ts is at or after `at`; the log's end if there is none.
  virtual expected<std::uint64_t> offset_at(topic where, std::uint16_t partition, timestamp at) const = 0;
  virtual expected<log_range> range(topic where, std::uint16_t partition) const = 0;

  virtual expected<std::optional<std::string>> get(std::string_view table, std::string_view key) const = 0;
  // Keys in [first, last), in order, until `visit` returns false. An empty `last` is the end of the table.
  virtual expected<void> scan(std::string_view table, std::string_view first, std::string_view last,
                              const std::function<bool(std::string_view key, std::string_view value)>& visit) const = 0;

  virtual expected<std::optional<std::uint64_t>> committed(std::string_view group, topic where,
                                                           std::uint16_t partition) const = 0;
  // Drops whole records before `offset`, but none that a group of this topic and partition has yet to deal with.
  // Answers the new head.
  virtual expected<std::uint64_t> trim(topic where, std::uint16_t partition, std::uint64_t offset) = 0;

  // Makes everything written so far durable at level `batch`.
  virtual expected<void> sync() = 0;
  // Nothing, or why appending would fail now.
  virtual expected<void> health() const = 0;
  virtual bus_statistics statistics() const = 0;
  virtual bus_capabilities capabilities() const = 0;
  virtual const recovery_report& recovery() const = 0;
};

struct embedded_bus_options {
  std::string directory; // created if absent
  durability level = durability::interval;
  int sync_interval_ms = 100; // for `interval`
  bool read_only = false;     // for tools beside a running node: a snapshot of what is there now
  std::uint64_t epoch = 0;    // of a log that is created; 0: the time in seconds
  std::size_t memtable_bytes = 32u << 20;
  std::size_t cache_bytes = 8u << 20;
};
// RocksDB. A second opener of the same directory gets errc::locked.
expected<std::unique_ptr<bus>> open_embedded_bus(const embedded_bus_options& options);
// "process 4711", if one has the log in this directory open for writing; of this very process it is not known.
std::optional<std::string> holder_of_log(const std::string& directory);
// For tests, and for replaying into: everything in memory.
std::unique_ptr<bus> open_memory_bus(std::uint64_t epoch = 0); // 0: the time in seconds

} // namespace finstream
