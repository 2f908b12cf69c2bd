// Everything that can be set, with its default and its unit in the name. Every limit of the system is here, with its
// reason. config/default.yaml says the same in YAML, and a test holds the two together.
#pragma once

#include "messages/event/feature.hpp"
#include "messages/value/decimal.hpp"
#include "messages/value/timestamp.hpp"
#include "runtime/broker/security.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/bus/framing.hpp"
#include "runtime/log/log.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace finstream {

struct log_settings {
  log::level level = log::level::info;
  bool json = false;

  friend bool operator==(const log_settings&, const log_settings&) = default;
};

struct scheduler_settings {
  int threads = 0;         // actor threads; 0 = as many as cores but one
  int max_throughput = 30; // messages an actor may handle before others get a turn: without it one backlog starves all

  friend bool operator==(const scheduler_settings&, const scheduler_settings&) = default;
};

enum class bus_driver : std::uint8_t { embedded, redis, nats, kafka };
std::string_view to_string(bus_driver driver);

// The server that keeps the log, where it is not the embedded one.
struct broker_settings {
  std::string url;
  std::string events_stream = "finstream.events";
  std::string outputs_stream = "finstream.outputs";
  std::string work_stream = "finstream.work";
  std::string letters_stream = "finstream.letters";
  int claim_after_ms = 10'000; // longer than a process that is well is ever held up
  finstream::framing framing = framing::block;
  finstream::compression compression = compression::none;
  int connect_timeout_ms = 2000;
  int request_timeout_ms = 2000;
  int acknowledge_timeout_ms = 1000; // longer than a broker that is well takes, with its disk
  std::uint64_t keep_entries = 0;    // of a stream; 0: all
  broker_security security;

  friend bool operator==(const broker_settings&, const broker_settings&) = default;
};

// What waits on this disk for the broker.
struct buffer_settings {
  std::uint64_t max_bytes = std::uint64_t{4} << 30; // an hour of 20,000 events a second, and more
  std::uint64_t alert_bytes = std::uint64_t{1} << 30;
  int keep_ms = 10'000; // ten times what a Redis that syncs each second may forget
  int retry_initial_ms = 100;
  int retry_max_ms = 5000;

  friend bool operator==(const buffer_settings&, const buffer_settings&) = default;
};

struct bus_settings {
  bus_driver type = bus_driver::embedded;
  durability level = durability::interval;
  int sync_interval_ms = 100;  // how much a power cut may cost at level `interval`
  std::uint64_t retain_ms = 0; // log time; 0: for ever. The bar store is kept whole
  std::uint64_t memtable_bytes = 32u << 20;
  std::uint64_t cache_bytes = 8u << 20;
  broker_settings broker;
  buffer_settings buffer;
  flow_rules flow;

  friend bool operator==(const bus_settings&, const bus_settings&) = default;
};

struct window_settings {
  std::vector<nanoseconds> intervals{1 * second, 2 * second, 5 * second, 60 * second};
  int allow_late_ms = 500;      // watermark = newest src_ts less this
  int flush_timeout_ms = 1000;  // a source is idle after this much log time without an event
  int resume_grace_ms = 10'000; // a source that is being restarted is waited for this long before it counts as idle
  int max_future_ms = 5000;     // src_ts further ahead of the clock is a dead letter
  int revise_for_ms = 0;        // late events within this would revise; 0 = off
  int clock_interval_ms = 250;  // how often the passing of time is logged while a window is open
  std::uint64_t duplicate_horizon_events =
    1'000'000; // per partition: an event is recognised again this far back; 16 bytes each
  std::uint64_t max_open_windows = 1'000'000; // per partition, all intervals; reaching it closes the oldest

  friend bool operator==(const window_settings&, const window_settings&) = default;
};

// What a window computes: as its name says, or one of feature_kind, in its order.
enum class window_kind : std::uint8_t {
  by_name,
  vwap,
  ohlcv,
  ret,
  logret,
  vol,
  vol_ann,
  rsi,
  momentum,
  momentum_abs,
  skew,
  kurt,
};
enum class rsi_mode : std::uint8_t { wilder, talib };

struct feature_window_settings {
  std::string name;
  nanoseconds horizon = 0; // one of these two is given, the other is 0
  std::uint64_t bars = 0;
  window_kind kind = window_kind::by_name;
  rsi_mode mode = rsi_mode::wilder; // of rsi

  friend bool operator==(const feature_window_settings&, const feature_window_settings&) = default;
};
// Nothing where neither `kind` nor the name says it.
std::optional<feature_kind> kind_of(const feature_window_settings& x);

struct feature_settings {
  nanoseconds interval = second; // features are computed at the close of each of these bars
  std::vector<feature_window_settings> windows;
  nanoseconds year = 365 * 86'400 * second; // by which volatility is annualised
  std::uint64_t max_bars = 10'000;          // of a series, kept for its horizons

  friend bool operator==(const feature_settings&, const feature_settings&) = default;
};

struct rules_adapter_settings {
  bool enabled = false;
  std::string file;

  friend bool operator==(const rules_adapter_settings&, const rules_adapter_settings&) = default;
};

// When a rule or a model gives a signal: where its condition becomes true, or at each bar while it is.
enum class rule_emit : std::uint8_t { edge, level };

struct model_adapter_settings {
  bool enabled = false;
  std::string model_path;
  int deadline_ms = 250; // of one call: many times what a batch takes, and far less than a bar
  rule_emit emit = rule_emit::edge;
  nanoseconds cooldown = 0;

  friend bool operator==(const model_adapter_settings&, const model_adapter_settings&) = default;
};

struct model_limit_settings {
  int max_age_ms = 30'000;                 // of a vector: a prediction for a bar long gone is of no use
  std::uint64_t max_batch_rows = 1000;     // of one call: it takes a millisecond or two, and is lost if it fails
  int breaker_failures = 5;                // in a row, and the model is not asked for a while
  int breaker_open_ms = 5000;              // the first time; it doubles
  std::string python = "/usr/bin/python3"; // of sklearn: the one that python3-sklearn is installed for

  friend bool operator==(const model_limit_settings&, const model_limit_settings&) = default;
};

struct inference_settings {
  rules_adapter_settings rules;
  model_adapter_settings sklearn;
  model_adapter_settings xgboost;
  model_limit_settings models;

  friend bool operator==(const inference_settings&, const inference_settings&) = default;
};

// One rule of the file of rules. It is not part of `settings`: rules_file.hpp reads it.
struct rule_settings {
  std::string name;
  std::string condition;
  double signal = 0;
  double score = 0;
  rule_emit emit = rule_emit::edge;
  nanoseconds cooldown = 0;
  std::vector<std::string> symbols; // empty: all

  friend bool operator==(const rule_settings&, const rule_settings&) = default;
};

struct postgres_settings {
  bool enabled = false;
  std::string connection; // as libpq has it: key=value pairs or a URI
  int connect_timeout_s = 5;
  int statement_timeout_ms = 30'000;

  friend bool operator==(const postgres_settings&, const postgres_settings&) = default;
};

struct store_settings {
  int poll_interval_ms = 100;      // how often a writer that has caught up looks for more
  std::uint64_t batch_rows = 2000; // of one transaction: fewer cost more, more are held in memory
  int refused_attempts = 3;        // at rows that a store refuses, before each is tried alone
  postgres_settings postgres;

  friend bool operator==(const store_settings&, const store_settings&) = default;
};

struct source_set_settings {
  std::string name;
  std::vector<std::string> providers; // in rank order: the first wins a tie

  friend bool operator==(const source_set_settings&, const source_set_settings&) = default;
};

struct pacing_settings {
  double requests_per_s = 1;
  std::uint64_t burst = 1;

  friend bool operator==(const pacing_settings&, const pacing_settings&) = default;
};

// Someone whom feeds ask for their data.
struct provider_settings {
  std::string name;
  pacing_settings pacing; // what he allows all our feeds together

  friend bool operator==(const provider_settings&, const provider_settings&) = default;
};

struct backoff_settings {
  int initial_ms = 200; // full jitter: a random share of the current step
  int max_ms = 30'000;
  int healthy_after_ms = 60'000; // a process that lived this long starts again from initial_ms
  int crash_limit = 10;          // crashes in crash_period_ms before it is parked
  int crash_period_ms = 300'000;

  friend bool operator==(const backoff_settings&, const backoff_settings&) = default;
};

// Which bytes of its lines are kept in the log.
enum class raw_capture : std::uint8_t { off, errors, all };

struct feed_settings {
  std::string name;
  std::vector<std::string> command;
  std::vector<std::pair<std::string, std::string>> environment;
  std::string paced_by;              // a provider: its limits hold for what this feed asks for; empty: none do
  rounding round = rounding::reject; // more than 9 decimals: reject | half_even
  raw_capture raw = raw_capture::errors;
  bool restart_after_eof = false; // a feed that has said eof and ended is done
  int ready_timeout_ms = 10'000;  // from start to the first valid hello or event
  int stop_grace_ms = 3000;       // from SIGTERM to SIGKILL
  int overflow_kill_ms = 30'000;  // output held up for this long: the process is killed, reason BackpressureOverflow
  std::uint64_t max_line_bytes = 64 * 1024;
  std::uint64_t max_keys = 100'000; // provider+symbol pairs: each costs memory in every stage
  backoff_settings backoff;

  friend bool operator==(const feed_settings&, const feed_settings&) = default;
};

struct checkpoint_settings {
  int interval_ms = 2000;                    // how much of the log a restart may have to read again
  std::uint64_t max_bytes_per_s = 16u << 20; // that checkpoints write; a state that is large is written more rarely

  friend bool operator==(const checkpoint_settings&, const checkpoint_settings&) = default;
};

struct supervisor_settings {
  int max_restarts = 10; // in period_ms; one more escalates to the parent
  int period_ms = 10'000;
  int poison_after = 3; // crashes over one record before it is set aside; 0: never
  int stop_timeout_ms = 5000;

  friend bool operator==(const supervisor_settings&, const supervisor_settings&) = default;
};

struct gateway_settings {
  bool enabled = true;
  std::string address = "127.0.0.1";
  int port = 8080; // 0 = any free one, printed at start
  std::uint64_t max_connections = 10'000;
  std::uint64_t max_subscriptions = 1000;  // channels per connection, wildcards count once
  std::uint64_t max_queue_bytes = 1 << 20; // of what a slow client has yet to take
  int max_queue_age_ms = 5000;
  int request_deadline_ms = 10'000;
  std::uint64_t max_rows = 100'000; // of one answer to /v1/bars
  bool crash_hook = false;          // POST /v1/admin/crash?actor=PATH, for tests of the supervision tree

  friend bool operator==(const gateway_settings&, const gateway_settings&) = default;
};

struct backfill_settings {
  int max_lag_ms = 1000;                     // of live data: beyond it a backfill waits
  std::uint64_t max_events_per_s = 50'000;   // taken, so that a backfill leaves the machine to live data
  std::uint64_t max_owed_windows = 500'000;  // touched and not healed yet; about 200 bytes each
  std::uint64_t max_post_bytes = 256 * 1024; // of one request to /v1/backfill

  friend bool operator==(const backfill_settings&, const backfill_settings&) = default;
};

struct limit_settings {
  int credit_chunks = 4; // chunks of a feed that may be underway to the log
  std::uint64_t chunk_bytes = 256 * 1024;
  std::uint64_t recent_batches = 64;      // per partition, kept in memory for consumers that are caught up
  std::uint64_t metric_symbols = 1000;    // with metrics of their own; the others share one
  std::uint64_t dead_letters = 100'000;   // per partition, kept in the log; older ones are trimmed
  std::uint64_t dead_letter_bytes = 4096; // of what could not be used: with dead_letters, what they can take

  friend bool operator==(const limit_settings&, const limit_settings&) = default;
};

struct settings {
  int version = 1;
  std::string node_name = "finstream";
  std::string data_directory = "data";
  int partitions = 1;
  log_settings log;
  scheduler_settings scheduler;
  bus_settings bus;
  window_settings windows;
  feature_settings features;
  inference_settings inference;
  store_settings stores;
  std::vector<source_set_settings> source_sets;
  std::vector<provider_settings> providers;
  std::vector<feed_settings> feeds;
  checkpoint_settings checkpoint;
  supervisor_settings supervisor;
  gateway_settings gateway;
  backfill_settings backfill;
  limit_settings limits;

  friend bool operator==(const settings&, const settings&) = default;
};

// Null where there is none of that name.
inline const provider_settings* provider_named(const settings& x, const std::string& name) {
  for (auto& provider : x.providers)
    if (provider.name == name) return &provider;
  return nullptr;
}

} // namespace finstream
