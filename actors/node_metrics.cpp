#include "actors/node_metrics.hpp"

#include "messages/errors.hpp"

namespace finstream {

using namespace metrics;

void node_metrics::declare(const std::vector<std::string>& feeds, const std::vector<std::string>& providers,
                           int partitions, const std::string& schema_hash) {
  for (auto& provider : providers) pacing_granted(provider), pacing_violations(provider), pacing_waiting(provider);
  for (auto& feed : feeds) {
    events_ingested(feed), feed_lines(feed), feed_restarts(feed), feed_up(feed), duplicates(feed);
    actor_restarts("/feeds/" + feed);
  }
  for (int p = 0; p < partitions; ++p) {
    log_records(p), open_windows(p), consumer_lag_ms(p), feature_vectors(p);
    dead_letters_kept(p), dead_letter_bytes_kept(p);
    for (auto* child : {"appender", "inference", "features", "window"})
      actor_restarts("/partitions/" + std::to_string(p) + "/" + child);
  }
  for (auto code : {errc::malformed_line, errc::missing_field, errc::bad_field, errc::precision, errc::overflow,
                    errc::line_too_long, errc::not_utf8, errc::future})
    errors("ingestor", std::string{to_string(code)});
  for (auto code : {errc::late, errc::overflow}) errors("window", std::string{to_string(code)});
  for (auto* stage : {"window", "features", "inference"})
    errors(stage, std::string{to_string(errc::poison)}), set_aside(stage);
  errors("store/postgres", std::string{to_string(errc::undeliverable)}), set_aside("store/postgres");
  errors("broker", std::string{to_string(errc::not_acknowledged)}), set_aside("broker");
  for (auto code : {errc::disk_full, errc::io_failure}) errors("appender", std::string{to_string(code)});
  for (auto code : {errc::io_failure, errc::timed_out, errc::config_invalid})
    errors("postgres", std::string{to_string(code)});
  store_lag_items("postgres"), store_write_seconds("postgres");
  backfilled_events(), healed_bars(), owed_windows(), set_aside_requests();
  actor_restarts("/lanes/backfill");
  features_update_seconds(), inference_seconds("rules");
  lateness_seconds(), write_seconds(), window_latency_ms(), pipeline_lag_seconds(), http_requests(), clients();
  cpu_seconds(), resident_bytes(), log_bytes(), written_bytes(), appended_bytes();
  for (auto* type : {"events", "outputs"})
    published(type), publish_latency_ms(type), serialize_bytes(type), dropped(type);
  for (auto* stage : {"window", "features", "inference"}) stream_consumer_errors("events", stage);
  stream_consumer_errors("outputs", "postgres");
  set_buffer({}, {});
  partitions_at_work();
  in_
    .make_gauge("g6_stream_event_schema_hash_info", "Hash of the schemas of all events; the value is 1.", {"hash"},
                {schema_hash})
    .set(1);
}

counter& node_metrics::events_ingested(const std::string& feed) {
  return in_.make_counter("stream_events_ingested_total", "Events read from feeds.", {"bus", "topic", "provider"},
                          {driver_, "events", feed});
}
counter& node_metrics::feed_lines(const std::string& feed) {
  return in_.make_counter("finstream_feed_lines_total", "Lines read from feeds.", {"feed"}, {feed});
}
counter& node_metrics::feed_restarts(const std::string& feed) {
  return in_.make_counter("finstream_feed_restarts_total", "Times a feed's process was started again.", {"feed"},
                          {feed});
}
gauge& node_metrics::feed_up(const std::string& feed) {
  return in_.make_gauge("finstream_feed_up", "1 while the feed's process is ready.", {"feed"}, {feed});
}
counter& node_metrics::pacing_granted(const std::string& provider) {
  return in_.make_counter("finstream_pacing_granted_total", "Requests to a provider that feeds were granted.",
                          {"provider"}, {provider});
}
counter& node_metrics::pacing_violations(const std::string& provider) {
  return in_.make_counter("finstream_pacing_violations_total",
                          "Requests beyond a provider's limits: made unasked, refused by it, or asked for in vain.",
                          {"provider"}, {provider});
}
gauge& node_metrics::pacing_waiting(const std::string& provider) {
  return in_.make_gauge("finstream_pacing_waiting_requests", "Requests that wait for their turn.", {"provider"},
                        {provider});
}
counter& node_metrics::duplicates(const std::string& feed) {
  return in_.make_counter("finstream_duplicates_total", "Events that were in the log already.", {"feed"}, {feed});
}
counter& node_metrics::errors(const std::string& component, const std::string& reason) {
  return in_.make_counter("errors_total", "Errors, by component and reason.", {"component", "reason"},
                          {component, reason});
}
counter& node_metrics::set_aside(const std::string& stage) {
  return in_.make_counter("finstream_set_aside_total",
                          "Records that crashed their stage again and again, rows that a store refuses, and messages "
                          "that a consumer group gave up on, that were made dead letters.",
                          {"stage"}, {stage});
}
gauge& node_metrics::set_aside_requests() {
  return in_.make_gauge("finstream_set_aside_requests", "Records and rows that another process is asked to set aside, "
                                                        "or that this one is asked to, and that are not yet.");
}
gauge& node_metrics::dead_letters_kept(int partition) {
  return in_.make_gauge("finstream_dead_letters_kept", "Letters in topic dead_letters.", {"partition"},
                        {std::to_string(partition)});
}
gauge& node_metrics::dead_letter_bytes_kept(int partition) {
  return in_.make_gauge("finstream_dead_letters_kept_bytes", "Bytes of these letters, as they are in the log.",
                        {"partition"}, {std::to_string(partition)});
}
counter& node_metrics::actor_restarts(const std::string& path) {
  return in_.make_counter("finstream_actor_restarts_total", "Actors started again after a crash.", {"actor"}, {path});
}
counter& node_metrics::log_records(int partition) {
  return in_.make_counter("finstream_log_records_total", "Records written to the log.", {"partition"},
                          {std::to_string(partition)});
}
counter& node_metrics::bars_flushed(const std::string& window_ms, const std::string& symbol) {
  return in_.make_counter("microbatch_flush_total",
                          "Bars published, by window and symbol; past limits.metric_symbols the symbol is \"other\".",
                          {"window_ms", "symbol"}, {window_ms, symbol});
}
counter& node_metrics::rows_flushed(const std::string& window_ms) {
  return in_.make_counter("microbatch_flush_rows", "Bars written to the bar store.", {"window_ms"}, {window_ms});
}
counter& node_metrics::feature_vectors(int partition) {
  return in_.make_counter("finstream_feature_vectors_total", "Feature vectors published.", {"partition"},
                          {std::to_string(partition)});
}
histogram& node_metrics::features_update_seconds() {
  return in_.make_histogram("features_update_duration_seconds",
                            "How long the features of one step's bars took, of all symbols and windows together.",
                            latency_bounds_seconds(), {"symbol", "window"}, {"all", "all"});
}
histogram& node_metrics::inference_seconds(const std::string& adapter) {
  return in_.make_histogram("inference_eval_duration_seconds", "How long the adapter took for one step's features.",
                            latency_bounds_seconds(), {"adapter"}, {adapter});
}
counter& node_metrics::signals_emitted(const std::string& name, const std::string& adapter) {
  return in_.make_counter("signals_emitted_total", "Signals published, by rule or model.", {"name", "adapter"},
                          {name, adapter});
}
void node_metrics::declare_model(const std::string& model) {
  for (auto* outcome : {"answered", "timed_out", "io_failure"}) model_calls(model, outcome);
  for (auto* reason : {"breaker_open", "failed", "too_old"}) model_passed_over(model, reason);
  model_breaker(model), model_lag_items(model), inference_seconds(model);
  actor_restarts("/consumers/models/" + model);
}
counter& node_metrics::model_calls(const std::string& model, const std::string& outcome) {
  return in_.make_counter("finstream_model_calls_total", "Times a model was asked, by what came of it.",
                          {"model", "outcome"}, {model, outcome});
}
counter& node_metrics::model_passed_over(const std::string& model, const std::string& reason) {
  return in_.make_counter("finstream_model_passed_over_total",
                          "Feature vectors without a model's answer: too_old ones, those of a call that failed, and "
                          "those that came while the breaker was open.",
                          {"model", "reason"}, {model, reason});
}
gauge& node_metrics::model_breaker(const std::string& model) {
  return in_.make_gauge("finstream_model_breaker", "0: the model is asked. 1: it is not, for a while. 2: it is tried.",
                        {"model"}, {model});
}
gauge& node_metrics::model_lag_items(const std::string& model) {
  return in_.make_gauge("finstream_model_lag_items", "Feature vectors that the model has yet to deal with.", {"model"},
                        {model});
}
counter& node_metrics::backfilled_events() {
  return in_.make_counter("finstream_backfilled_events_total", "Events of the past that a backfill brought.");
}
counter& node_metrics::healed_bars() {
  return in_.make_counter("finstream_healed_bars_total", "Bars that were made or revised by a backfill.");
}
gauge& node_metrics::owed_windows() {
  return in_.make_gauge("finstream_backfill_owed_windows", "Windows that a backfill has touched and not healed yet.");
}
gauge& node_metrics::open_windows(int partition) {
  return in_.make_gauge("finstream_open_windows", "Windows that are open.", {"partition"}, {std::to_string(partition)});
}
gauge& node_metrics::consumer_lag_ms(int partition) {
  return in_.make_gauge("stream_consumer_lag_ms", "How old the last record was when its consumer had dealt with it.",
                        {"topic", "group", "consumer"}, {"events", "window", std::to_string(partition)});
}
gauge& node_metrics::store_lag_items(const std::string& store) {
  return in_.make_gauge("finstream_store_lag_items",
                        "Bars, features, signals and dead letters in the log that the store has yet to get.", {"store"},
                        {store});
}
histogram& node_metrics::store_write_seconds(const std::string& store) {
  return in_.make_histogram("store_write_duration_seconds", "How long one write to the log and the stores took.",
                            latency_bounds_seconds(), {"table"}, {store});
}
histogram& node_metrics::write_seconds() {
  return in_.make_histogram("store_write_duration_seconds", "How long one write to the log and the stores took.",
                            latency_bounds_seconds(), {"table"}, {"log"});
}
histogram& node_metrics::lateness_seconds() {
  return in_.make_histogram("finstream_late_events_seconds",
                            "How long after their bars were closed, by the sources' own time, events came that are in "
                            "no bar.",
                            {0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600, 86'400});
}
histogram& node_metrics::window_latency_ms() {
  return in_.make_histogram("microbatch_window_latency_ms", "How long the bars stage worked on one record of the log.",
                            latency_bounds_ms());
}
histogram& node_metrics::pipeline_lag_seconds() {
  return in_.make_histogram("finstream_pipeline_lag_seconds", "From reading an event's line to its being in its bars.",
                            latency_bounds_seconds());
}
counter& node_metrics::http_requests() {
  return in_.make_counter("finstream_http_requests_total", "HTTP requests answered.");
}
gauge& node_metrics::clients() { return in_.make_gauge("finstream_clients", "WebSocket connections that are open."); }
gauge& node_metrics::cpu_seconds() {
  return in_.make_gauge("finstream_process_cpu_seconds", "User and system time of the node, all threads.");
}
gauge& node_metrics::resident_bytes() {
  return in_.make_gauge("finstream_process_resident_bytes", "Resident memory of the node.");
}
gauge& node_metrics::log_bytes() { return in_.make_gauge("finstream_log_bytes", "Bytes of the data directory."); }
gauge& node_metrics::written_bytes() {
  return in_.make_gauge("finstream_log_written_bytes",
                        "Bytes written to the disk by this process, flushes and compactions included.");
}
gauge& node_metrics::appended_bytes() {
  return in_.make_gauge("finstream_log_appended_bytes", "Bytes of records given to the log by this process.");
}

// ---- of a log on a broker

counter& node_metrics::published(const std::string& type) {
  return in_.make_counter("g6_stream_publish_total", "Events that the broker has acknowledged, by side of the log.",
                          {"type"}, {type});
}
counter& node_metrics::dropped(const std::string& type) {
  return in_.make_counter("g6_stream_dropped_total",
                          "Messages for other programs that were left out, by the rules of bus.flow; never of the log.",
                          {"type", "reason"}, {type, "overflow"});
}
gauge& node_metrics::stream_consumer_lag_seconds(const std::string& type, const std::string& consumer) {
  return in_.make_gauge("g6_stream_consumer_lag_seconds",
                        "How long the oldest record has waited that the consumer has not dealt with.",
                        {"type", "consumer"}, {type, consumer});
}
counter& node_metrics::stream_consumer_errors(const std::string& type, const std::string& consumer) {
  return in_.make_counter("g6_stream_consumer_errors_total", "Times the consumer failed at what it was given.",
                          {"type", "consumer"}, {type, consumer});
}
histogram& node_metrics::publish_latency_ms(const std::string& type) {
  return in_.make_histogram("g6_stream_publish_latency_ms", "How long the broker took for one batch.",
                            latency_bounds_ms(), {"type"}, {type});
}
histogram& node_metrics::serialize_bytes(const std::string& type) {
  return in_.make_histogram("g6_stream_serialize_bytes", "Bytes of an entry: what one transaction comes to.",
                            {100, 300, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7}, {"type"}, {type});
}
void node_metrics::set_buffer(const buffer_state& x, timestamp now) {
  auto set = [&](const char* name, const char* help, double value) { in_.make_gauge(name, help).set(value); };
  set("finstream_broker_up", "1 while the broker takes what it is sent.", x.up ? 1 : 0);
  set("finstream_broker_outages", "Times the broker was lost, since the node started.", static_cast<double>(x.outages));
  set("finstream_broker_sent_again_entries", "Entries that the broker had acknowledged and forgotten, sent again.",
      static_cast<double>(x.sent_again));
  set("finstream_buffer_entries", "Entries on this disk that wait for the broker.", static_cast<double>(x.entries));
  set("finstream_buffer_events", "Events in them.", static_cast<double>(x.events));
  set("finstream_buffer_bytes", "Their bytes.", static_cast<double>(x.bytes));
  set("finstream_buffer_oldest_seconds", "For how long the oldest of them has waited.",
      x.oldest ? static_cast<double>(now - *x.oldest) / 1e9 : 0);
}

gauge& node_metrics::partitions_at_work() {
  return in_.make_gauge("finstream_partitions_at_work",
                        "Partitions that this process makes bars, features and signals of.");
}

} // namespace finstream
