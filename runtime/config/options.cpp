#include "runtime/config/option_table.hpp"

#include <array>

namespace finstream {

using namespace option_table;

namespace {

void add_machine(table& out, settings& x) {
  add(out,
      {
        plain("log.level", x.log.level, "The least important lines that are written."),
        plain("log.json", x.log.json, "Whether a line of the log is one JSON object instead of text for people."),
        number("scheduler.threads", x.scheduler.threads, 0, 256,
               "Threads that run the actors; 0 is one for each core but one, which log and sockets need."),
        number("scheduler.max_throughput", x.scheduler.max_throughput, 1, 100'000,
               "Messages an actor may handle before others get their turn. Without such a limit one backlog starves "
               "all others."),
      });
}

void add_windows(table& out, window_settings& x) {
  add(
    out,
    {
      deciding_bars(
        plain("windows.intervals", x.intervals,
              "The bars that are built: spans that divide the unit above them, so that windows are aligned to it.")),
      deciding_bars(
        number("windows.allow_late_ms", x.allow_late_ms, 0, hour_ms,
               "An event this much older than the newest one of its source still counts. Every bar is final that much "
               "later.")),
      deciding_bars(number("windows.flush_timeout_ms", x.flush_timeout_ms, 1, hour_ms,
                           "A source without an event for this long is idle: nobody waits for it any more.")),
      deciding_bars(number("windows.resume_grace_ms", x.resume_grace_ms, 0, hour_ms,
                           "A source that is being restarted is waited for this long before it counts as idle.")),
      number("windows.max_future_ms", x.max_future_ms, 0, day_ms,
             "An event whose src_ts is further ahead of this machine's clock becomes a dead letter."),
      deciding_bars(number(
        "windows.revise_for_ms", x.revise_for_ms, 0, day_ms,
        "How far behind the watermark a late event may lie and still revise its bars; 0 is never. Each closed bar is "
        "kept in memory and in checkpoints that long, at 250 bytes.")),
      number(
        "windows.clock_interval_ms", x.clock_interval_ms, 10, minute_ms,
        "How often the passing of time is logged while a window is open. Below 10 ms the log would hold little else."),
      number("windows.duplicate_horizon_events", x.duplicate_horizon_events, 1, 1'000'000'000,
             "Per partition: an event is recognised again this many events back. Each costs 16 bytes of memory."),
      number("windows.max_open_windows", x.max_open_windows, 1, 1'000'000'000,
             "Per partition, all intervals together. Beyond it the oldest window is closed early, so that memory has a "
             "bound."),
    });
}

void add_features(table& out, feature_settings& x) {
  auto interval = plain("features.interval", x.interval,
                        "The bars at whose close features are computed. They must be among `windows.intervals`.");
  interval.form = text_form::interval;
  add(out, {
             deciding_features(interval),
             deciding_features(span("features.year", x.year, 86'400 * second, longest_span,
                                    "What volatility is annualised to: the trading time of a year.")),
             deciding_features(number("features.max_bars", x.max_bars, 100, 1'000'000,
                                      "Bars of a series that are kept for its horizons, so that memory has a bound.")),
             deciding_features(plain("features.windows", x.windows,
                                     "What is computed, over which horizon. Rules may need more, by plain names such "
                                     "as rsi: these come by themselves (docs/rules.md).")),
           });
}

void add_stores(table& out, store_settings& x) {
  add(out,
      {
        number("stores.poll_interval_ms", x.poll_interval_ms, 1, minute_ms,
               "How often a writer that has caught up with the log looks for more."),
        number("stores.batch_rows", x.batch_rows, 1, 1'000'000,
               "Rows of one transaction. Below a few hundred a database is slow; all of them are held in memory."),
        number("stores.refused_attempts", x.refused_attempts, 1, 1000,
               "Attempts at a batch that a store refuses for what is in it, before each row is tried alone and those "
               "refused are set aside as dead letters."),
        plain("stores.postgres.enabled", x.postgres.enabled,
              "Whether bars, features, signals and dead letters are written to PostgreSQL too."),
        text("stores.postgres.connection", x.postgres.connection, text_form::free,
             "Key=value pairs or a URI, as libpq reads them: host, port, user, dbname. Keep the password in the "
             "environment (${NAME}) or in ~/.pgpass."),
        number("stores.postgres.connect_timeout_s", x.postgres.connect_timeout_s, 1, 600,
               "How long connecting may take."),
        number("stores.postgres.statement_timeout_ms", x.postgres.statement_timeout_ms, 100, hour_ms,
               "How long a statement may take before it is given up and tried again."),
      });
}

void add_model(table& out, model_adapter_settings& x, const std::array<std::string_view, 5>& paths, stage decides) {
  add(
    out,
    {
      deciding(decides, plain(paths[0], x.enabled, "Whether this model is asked about each feature vector.")),
      text(paths[1], x.model_path, text_form::free,
           "The model, with its card beside it (docs/models.md). A relative path is meant as that of the rules. A "
           "change of the file needs a restart."),
      number(paths[2], x.deadline_ms, 1, 4000,
             "How long one call may take; later than that there is no answer, and rules go on alone. A node that is "
             "told to stop waits for the call under way, and has five seconds for all it does then."),
      plain(paths[3], x.emit,
            "Whether a signal comes when a prediction becomes sure, or sure of another value, or at each bar of "
            "which it is sure."),
      span(paths[4], x.cooldown, 0, longest_span, "For this long after a signal a series has no other of this model."),
    });
}

void add_inference(table& out, inference_settings& x) {
  add(out, {
             deciding(stage::signals, plain("inference.adapters.rules.enabled", x.rules.enabled,
                                            "Whether rules are asked about each feature vector.")),
             text("inference.adapters.rules.file", x.rules.file, text_form::free,
                  "The rules. A relative path is meant from the folder of this file or, if it is not there, from the "
                  "working directory."),
           });
  add_model(out, x.sklearn,
            {"inference.adapters.sklearn.enabled", "inference.adapters.sklearn.model_path",
             "inference.adapters.sklearn.deadline_ms", "inference.adapters.sklearn.emit",
             "inference.adapters.sklearn.cooldown"},
            stage::signals);
  // Rules are the same with it and without, and what a model's signals rest on is recorded with its answers.
  add_model(out, x.xgboost,
            {"inference.adapters.xgboost.enabled", "inference.adapters.xgboost.model_path",
             "inference.adapters.xgboost.deadline_ms", "inference.adapters.xgboost.emit",
             "inference.adapters.xgboost.cooldown"},
            stage::none);
  add(out,
      {
        number("inference.models.max_age_ms", x.models.max_age_ms, 1, day_ms,
               "Vectors that have been in the log for longer are passed over: a prediction for a bar long gone is "
               "of no use, and would hold up those that are from being made."),
        number("inference.models.max_batch_rows", x.models.max_batch_rows, 1, 4096,
               "Vectors of one call. A call that fails costs as many, and 4096 are what a worker's pipe carries in "
               "milliseconds."),
        number("inference.models.breaker_failures", x.models.breaker_failures, 1, 1000,
               "Calls that fail in a row before the model is not asked for a while."),
        number("inference.models.breaker_open_ms", x.models.breaker_open_ms, 1, hour_ms,
               "How long it is not asked, the first time. Each time it fails again this doubles, up to five "
               "minutes."),
        text("inference.models.python", x.models.python, text_form::any,
             "The Python that models of sklearn are answered by. It needs sklearn, msgpack and xxhash."),
      });
}

void add_care(table& out, settings& x) {
  add(
    out,
    {
      number("checkpoint.interval_ms", x.checkpoint.interval_ms, 10, hour_ms,
             "Time between checkpoints: how much of the log a restart may have to read again."),
      number("checkpoint.max_bytes_per_s", x.checkpoint.max_bytes_per_s, mebibyte / 1024, tebibyte,
             "How much checkpoints of a partition may write. Open windows, bars that may be revised and the history of "
             "features are in each, so with many symbols they come more rarely."),
      number("supervisor.max_restarts", x.supervisor.max_restarts, 0, 10'000,
             "Restarts within period_ms; one more is passed on to the parent."),
      number("supervisor.period_ms", x.supervisor.period_ms, 1, day_ms, "The time in which restarts are counted."),
      number("supervisor.poison_after", x.supervisor.poison_after, 0, 1000,
             "Crashes of a stage over one and the same record before the record is set aside as a dead letter and the "
             "partition goes on behind it; 0 is never. More than max_restarts has no effect."),
      number("supervisor.stop_timeout_ms", x.supervisor.stop_timeout_ms, 1, hour_ms,
             "How long a child may take to stop before it is killed."),
    });
}

void add_gateway(table& out, gateway_settings& x) {
  add(
    out,
    {
      plain("gateway.enabled", x.enabled, "Whether clients can connect at all."),
      text("gateway.address", x.address, text_form::address,
           "The IP address to listen on. There is no login yet, so by default only this machine can connect."),
      number("gateway.port", x.port, 0, 65'535, "The TCP port; 0 takes any free one, which is printed at start."),
      number("gateway.max_connections", x.max_connections, 1, 1'000'000,
             "Clients at once. Each takes a file descriptor and some KiB of memory."),
      number("gateway.max_subscriptions", x.max_subscriptions, 1, 1'000'000,
             "Channels of one client; a wildcard counts as one."),
      number("gateway.max_queue_bytes", x.max_queue_bytes, 4096, gibibyte,
             "What may wait for a slow client before it is disconnected; times max_connections is the memory at risk."),
      number("gateway.max_queue_age_ms", x.max_queue_age_ms, 1, hour_ms,
             "How old the first of what waits for a slow client may be before it is disconnected."),
      number("gateway.request_deadline_ms", x.request_deadline_ms, 1, hour_ms,
             "How long a request may take to arrive, and its answer to be found."),
      number("gateway.max_rows", x.max_rows, 1, 10'000'000, "Rows of one answer: it is built in memory."),
      plain("gateway.crash_hook", x.crash_hook,
            "Whether POST /v1/admin/crash?actor=PATH makes that actor throw. For tests of the supervision tree only."),
    });
}

void add_backfill(table& out, backfill_settings& x) {
  add(out, {
             number("backfill.max_lag_ms", x.max_lag_ms, 1, hour_ms,
                    "While the windows of live data are further behind the log, a backfill waits."),
             number("backfill.max_events_per_s", x.max_events_per_s, 1, 1'000'000'000,
                    "Events that a backfill may bring; whoever sends more is told how long to wait."),
             number("backfill.max_owed_windows", x.max_owed_windows, 1000, 100'000'000,
                    "Windows that were touched and are not healed yet, at 200 bytes of memory each; at so many a "
                    "backfill waits."),
             number("backfill.max_post_bytes", x.max_post_bytes, 4096, 16 * mebibyte,
                    "Of one request to /v1/backfill, which is held in memory."),
           });
}

void add_limits(table& out, limit_settings& x) {
  add(
    out,
    {
      number("limits.credit_chunks", x.credit_chunks, 1, 1024,
             "Chunks of a feed that may be under way to the log before the feed is no longer read."),
      number("limits.chunk_bytes", x.chunk_bytes, 4096, 64 * mebibyte, "How much of a feed's output is read at once."),
      number("limits.recent_batches", x.recent_batches, 1, 1'000'000,
             "Per partition: batches kept in memory for consumers that are caught up."),
      number(
        "limits.metric_symbols", x.metric_symbols, 0, 1'000'000,
        "Symbols with metrics of their own; the others share the label other, so that the metrics page stays bounded."),
      number("limits.dead_letters", x.dead_letters, 1, 1'000'000'000,
             "Dead letters kept in the log, per partition; older ones are trimmed. Late events are kept as long as the "
             "events themselves."),
      number("limits.dead_letter_bytes", x.dead_letter_bytes, 0, mebibyte,
             "How much is kept of a line, a record or a row that could not be used."),
    });
}

} // namespace

std::vector<option> options_of(settings& x) {
  table out;
  add(out, {
             number("version", x.version, 1, 1, "The format of this file. There is only one as yet."),
             text("node_name", x.node_name, text_form::name, "What this node calls itself in logs and status."),
             text("data_directory", x.data_directory, text_form::any,
                  "Where the log and the bars are kept. One node at a time may use it."),
             deciding_bars(number(
               "partitions", x.partitions, 1, 256,
               "Shards of the log; a symbol always goes to the same one. Fixed for the life of a data directory.")),
           });
  add_machine(out, x);
  add_bus(out, x.bus);
  add_windows(out, x.windows);
  add_features(out, x.features);
  add_inference(out, x.inference);
  add_stores(out, x.stores);
  add(out, {
             deciding_bars(plain("source_sets", x.source_sets, section_help("source_sets"))),
             plain("providers", x.providers, section_help("providers")),
             plain("feeds", x.feeds, section_help("feeds")),
           });
  add_care(out, x);
  add_gateway(out, x.gateway);
  add_backfill(out, x.backfill);
  add_limits(out, x.limits);
  return out;
}

std::vector<option> options_of(source_set_settings& x) {
  return {
    text("name", x.name, text_form::name, "The provider that the common bars name."),
    plain("providers", x.providers, "In rank order: of two events at the same time the first provider's comes first."),
  };
}

std::vector<option> options_of(provider_settings& x) {
  return {
    text("name", x.name, text_form::name, "What `paced_by` of a feed names."),
    plain("pacing.requests_per_s", x.pacing.requests_per_s,
          "Requests it allows in a second, of all its feeds together. 0.2 is one in five seconds."),
    number("pacing.burst", x.pacing.burst, 1, 1'000'000, "Requests that may be made at once after a rest."),
  };
}

std::vector<option> options_of(feed_settings& x) {
  return {
    text("name", x.name, text_form::name,
         "What the feed is called in logs, metrics and the tree. No two feeds share one."),
    plain("command", x.command,
          "The program and its arguments, one text each: no shell splits them. A program without a slash is looked for "
          "beside "
          "finstream itself, then in PATH."),
    text("paced_by", x.paced_by, text_form::free,
         "The provider whose limits hold for the requests this feed makes. Empty: none do."),
    plain("environment", x.environment, "Variables added to the node's own for this process."),
    plain("round", x.round,
          "What to do with a number of more than 9 decimals: refuse the event, or round half to even."),
    plain(
      "raw", x.raw,
      "Whose bytes are kept: off keeps none, errors those of lines that could not be used, all those of every event "
      "too, so that lineage shows them; the log grows by the compressed lines."),
    plain("restart_after_eof", x.restart_after_eof, "Whether a feed that has said eof and ended is started again."),
    number("ready_timeout_ms", x.ready_timeout_ms, 1, hour_ms,
           "From the start to the first valid line; later than that the process counts as crashed."),
    number("stop_grace_ms", x.stop_grace_ms, 0, hour_ms, "From SIGTERM to SIGKILL."),
    number("overflow_kill_ms", x.overflow_kill_ms, 1, day_ms,
           "A process whose output is held up for this long is killed, with reason BackpressureOverflow: its data "
           "would be old."),
    number("max_line_bytes", x.max_line_bytes, 256, 16 * mebibyte,
           "A longer line becomes a dead letter, so that memory has a bound."),
    number("max_keys", x.max_keys, 1, 100'000'000, "Pairs of provider and symbol. Each costs memory in every stage."),
    number("backoff.initial_ms", x.backoff.initial_ms, 1, hour_ms, "The first step."),
    number("backoff.max_ms", x.backoff.max_ms, 1, day_ms, "The step does not grow beyond this."),
    number("backoff.healthy_after_ms", x.backoff.healthy_after_ms, 1, day_ms,
           "A process that lived this long starts again from initial_ms."),
    number("backoff.crash_limit", x.backoff.crash_limit, 1, 10'000,
           "Crashes within crash_period_ms before the feed is parked."),
    number("backoff.crash_period_ms", x.backoff.crash_period_ms, 1, day_ms, "The time in which crashes are counted."),
  };
}

std::vector<option> options_of(feature_window_settings& x) {
  return {
    text(
      "name", x.name, text_form::identifier,
      "What conditions and clients call the value. It begins with its kind, as vol_5m does, unless `kind` is given."),
    span("horizon", x.horizon, 0, longest_span,
         "The time it looks back on, such as 60s. Either this or `bars` is given; 0s is not given."),
    number("bars", x.bars, 0, 1'000'000, "The bars it looks back on; of rsi its period. 0 is not given."),
    plain("kind", x.kind, "What is computed."),
    plain("mode", x.mode, "Of rsi: its values where nothing changes, Wilder's or as TA-Lib has them."),
  };
}

std::vector<option> options_of(rule_settings& x) {
  return {
    text("name", x.name, text_form::name, "What its signals are called. No two rules share one."),
    text("condition", x.condition, text_form::any, "When it holds, such as `rsi < 30 && close > vwap`."),
    plain("signal", x.signal, "The value of its signals."),
    plain("score", x.score, "The score of its signals."),
    plain("emit", x.emit, "Whether a signal comes when the condition turns true, or at each bar while it is."),
    span("cooldown", x.cooldown, 0, longest_span, "For this long after a signal a series has no other of this rule."),
    plain("symbols", x.symbols, "Of which it is asked; all, where none is named."),
  };
}

} // namespace finstream
