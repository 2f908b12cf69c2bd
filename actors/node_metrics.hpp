// Every metric of the node, on one page: name, meaning, labels. Actors ask for a handle here and nowhere else, so the
// list in docs/metrics.md, printed from a registry on which `declare` was called, is complete.
#pragma once

#include "runtime/bus/buffer_state.hpp"
#include "runtime/metrics/metrics.hpp"

#include <string>

namespace finstream {

class node_metrics {
public:
  // `driver` is of the bus.
  explicit node_metrics(metrics::registry& where, std::string driver = "embedded")
    : in_{where}, driver_{std::move(driver)} {}

  // Known label sets exist from the start, at 0.
  void declare(const std::vector<std::string>& feeds, const std::vector<std::string>& providers, int partitions,
               const std::string& schema_hash);

  metrics::counter& events_ingested(const std::string& feed);
  metrics::counter& feed_lines(const std::string& feed);
  metrics::counter& feed_restarts(const std::string& feed);
  metrics::gauge& feed_up(const std::string& feed);
  metrics::counter& pacing_granted(const std::string& provider);
  metrics::counter& pacing_violations(const std::string& provider);
  metrics::gauge& pacing_waiting(const std::string& provider);
  metrics::counter& duplicates(const std::string& feed);
  metrics::counter& errors(const std::string& component, const std::string& reason);
  metrics::counter& set_aside(const std::string& stage);
  metrics::gauge& set_aside_requests();
  metrics::gauge& dead_letters_kept(int partition);
  metrics::gauge& dead_letter_bytes_kept(int partition);
  metrics::counter& actor_restarts(const std::string& path);
  metrics::counter& log_records(int partition);
  metrics::counter& bars_flushed(const std::string& window_ms, const std::string& symbol);
  metrics::counter& rows_flushed(const std::string& window_ms);
  metrics::counter& feature_vectors(int partition);
  metrics::histogram& features_update_seconds();
  metrics::histogram& inference_seconds(const std::string& adapter);
  metrics::counter& signals_emitted(const std::string& name, const std::string& adapter);
  void declare_model(const std::string& model);
  metrics::counter& model_calls(const std::string& model, const std::string& outcome);
  metrics::counter& model_passed_over(const std::string& model, const std::string& reason);
  metrics::gauge& model_breaker(const std::string& model);
  metrics::gauge& model_lag_items(const std::string& model);
  metrics::counter& backfilled_events();
  metrics::counter& healed_bars();
  metrics::gauge& owed_windows();
  metrics::gauge& open_windows(int partition);
  metrics::gauge& consumer_lag_ms(int partition);
  metrics::gauge& stream_consumer_lag_seconds(const std::string& type, const std::string& consumer);
  metrics::counter& stream_consumer_errors(const std::string& type, const std::string& consumer);
  metrics::gauge& store_lag_items(const std::string& store);
  metrics::histogram& store_write_seconds(const std::string& store);
  metrics::histogram& write_seconds();
  metrics::histogram& window_latency_ms();
  metrics::histogram& lateness_seconds();
  metrics::histogram& pipeline_lag_seconds();
  metrics::counter& http_requests();
  metrics::gauge& clients();
  metrics::gauge& cpu_seconds();
  metrics::gauge& resident_bytes();
  metrics::gauge& log_bytes();
  metrics::gauge& written_bytes();
  metrics::gauge& appended_bytes();
  // Of a log on a broker; `type` is the side of the journal.
  metrics::counter& published(const std::string& type);
  metrics::counter& dropped(const std::string& type);
  metrics::histogram& publish_latency_ms(const std::string& type);
  metrics::histogram& serialize_bytes(const std::string& type);
  void set_buffer(const buffer_state& x, timestamp now);
  metrics::gauge& partitions_at_work();

private:
  metrics::registry& in_;
  std::string driver_;
};

} // namespace finstream
