// Counters, gauges and histograms, and the text that Prometheus reads. A metric is registered once with its name, help
// and label names; series appear with their label values. Handles stay valid as long as the registry lives and are
// cheap to update from any thread (relaxed atomics).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace finstream::metrics {

using labels = std::vector<std::string>; // values, in the order of the metric's label names

class counter {
public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
  std::atomic<std::uint64_t> value_{0};
};

class gauge {
public:
  void set(double x) { value_.store(x, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

private:
  std::atomic<double> value_{0};
};

class histogram {
public:
  explicit histogram(std::vector<double> upper_bounds); // ascending, without +Inf
  void observe(double x);
  std::uint64_t count() const;
  double sum() const;
  double quantile(double q) const; // by linear interpolation inside the bucket, as Prometheus does; 0 when empty
  const std::vector<double>& upper_bounds() const { return bounds_; }
  std::vector<std::uint64_t> cumulative() const; // one more than upper_bounds: the last is +Inf

private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> buckets_;
  std::atomic<double> sum_{0};
};

std::vector<double> latency_bounds_seconds(); // 50 us to 10 s
std::vector<double> latency_bounds_ms();      // 0.05 to 10000, for the founding documents' *_ms names

class registry {
public:
  registry();
  ~registry();
  // The same name with the same labels gives the same handle. A name registered twice as different things is a bug.
  counter& make_counter(std::string_view name, std::string_view help,
                        std::initializer_list<const char*> label_names = {}, const labels& values = {});
  gauge& make_gauge(std::string_view name, std::string_view help, std::initializer_list<const char*> label_names = {},
                    const labels& values = {});
  histogram& make_histogram(std::string_view name, std::string_view help, std::vector<double> upper_bounds,
                            std::initializer_list<const char*> label_names = {}, const labels& values = {});
  // Called before each exposition, to set gauges from what is only known then.
  void before_exposition(std::function<void()> collect);

  std::string exposition() const; // text format 0.0.4, sorted by name and labels
  std::string reference() const;  // Markdown table of every metric: docs/metrics.md is printed from it

private:
  struct implementation;
  std::unique_ptr<implementation> self_;
};

} // namespace finstream::metrics
