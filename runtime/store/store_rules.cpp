#include "runtime/store/store_rules.hpp"

#include "runtime/store/series_keys.hpp"

#include <cmath>

namespace finstream {

namespace store_rules {

namespace {

// Unsigned, so that its bytes sort as it does.
std::string sortable(std::uint64_t x) {
  return series_keys::sortable(static_cast<std::int64_t>(x ^ (std::uint64_t{1} << 63)));
}

bool finite(const std::optional<double>& x) { return !x || std::isfinite(*x); }

auto refuse(const std::string& row, const std::string& name) {
  return fail(errc::invalid_argument, row + " cannot be stored: " + name + " is not a finite number");
}

} // namespace

std::string key(const bar& x) { return bar_key(x); }
std::string key(const feature_vector& x) { return feature_key(x); }
std::string key(const signal& x) { return x.signal_id; }
std::string key(const job_run& x) { return x.id; }
std::string key(const log_stream& x) {
  return sortable(x.epoch) + series_keys::text(std::string{to_string(x.where)}) + sortable(x.partition);
}
std::string key(const dead_letter_entry& x) {
  return key(log_stream{x.epoch, x.where, x.partition}) + sortable(x.offset);
}

expected<void> check(const store_batch& batch) {
  for (auto& x : batch.features)
    for (auto& v : x.values)
      if (!finite(v.value) || !finite(v.factor))
        return refuse("the features of " + x.symbol + " at " + to_string(x.start), v.name);
  for (auto& x : batch.signals) {
    if (!finite(x.value) || !finite(x.score))
      return refuse("signal " + x.signal_id, finite(x.value) ? "score" : "value");
    for (auto& input : x.inputs)
      if (!finite(input.value)) return refuse("signal " + x.signal_id, "input " + input.name);
  }
  return {};
}

} // namespace store_rules

} // namespace finstream
