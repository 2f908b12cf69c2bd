#include "runtime/config/check.hpp"

#include "runtime/config/options.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>
#include <set>

namespace finstream {

namespace {

// What other programs find in the streams (framing event).
constexpr std::array<std::string_view, 6> shown_types = {"tick",     "bar",   "quote", "end_of_interval",
                                                         "features", "signal"};

constexpr double least_requests_per_s = 1e-5; // one a day, about
constexpr double longest_saving_s = 30 * 86'400.0;
constexpr double most_requests_per_s = 1e5; // a grant is a line on a pipe: beyond this, pacing is what would be slow

// In a condition these are the bar's own.
bool is_bar_field(std::string_view name) {
  return name == "open" || name == "high" || name == "low" || name == "close" || name == "volume";
}

// A kind, and nothing behind it.
bool is_plain_name(std::string_view name) {
  auto kind = feature_kind_of(name);
  return (kind && name == to_string(*kind)) || name == "volatility" || name == "skewness" || name == "kurtosis";
}

void check_intervals(const settings& x, const complaint& complain) {
  if (x.windows.intervals.empty()) complain("windows.intervals", "key `windows.intervals` must have at least one span");
  std::set<nanoseconds> seen;
  for (std::size_t i = 0; i < x.windows.intervals.size(); ++i) {
    auto span = x.windows.intervals[i];
    if (!seen.insert(span).second)
      complain(fmt::format("windows.intervals[{}]", i),
               fmt::format("span {} is there twice", quoted(span_to_string(span))));
  }
}

void check_source_sets(const settings& x, const complaint& complain) {
  std::map<std::string, std::string> set_of; // provider -> source set
  std::set<std::string> names;
  for (std::size_t i = 0; i < x.source_sets.size(); ++i) {
    auto& set = x.source_sets[i];
    auto here = fmt::format("source_sets[{}]", i);
    if (set.name.empty()) complain(here, fmt::format("{} needs a `name`", quoted(here)));
    if (set.providers.empty())
      complain(here + ".providers", fmt::format("{} needs at least one of `providers`", quoted(here)));
    if (!set.name.empty() && !names.insert(set.name).second)
      complain(here + ".name",
               fmt::format("source set {} is there twice; each needs a name of its own", quoted(set.name)));
    for (std::size_t k = 0; k < set.providers.size(); ++k) {
      auto& provider = set.providers[k];
      auto place = fmt::format("{}.providers[{}]", here, k);
      auto [position, fresh] = set_of.try_emplace(provider, set.name);
      if (provider.empty()) {
        complain(place, "a provider must not be empty");
      } else if (!fresh) {
        complain(place, fmt::format("provider {} is in source set {} already; its events can go to one series only",
                                    quoted(provider), quoted(position->second)));
      }
    }
  }
}

void check_providers(const settings& x, const complaint& complain) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < x.providers.size(); ++i) {
    auto& provider = x.providers[i];
    auto here = fmt::format("providers[{}]", i);
    if (provider.name.empty()) complain(here, fmt::format("{} needs a `name`", quoted(here)));
    if (!provider.name.empty() && !names.insert(provider.name).second)
      complain(here + ".name",
               fmt::format("provider {} is there twice; each needs a name of its own", quoted(provider.name)));
    auto rate = provider.pacing.requests_per_s;
    if (!(rate >= least_requests_per_s && rate <= most_requests_per_s))
      complain(here + ".pacing.requests_per_s",
               fmt::format("key `{}.pacing.requests_per_s` must be from {} to {}, not {}", here, least_requests_per_s,
                           most_requests_per_s, rate));
    else if (static_cast<double>(provider.pacing.burst) / rate > longest_saving_s)
      complain(here + ".pacing.burst",
               fmt::format("key `{}.pacing.burst` would take more than 30 days to save up: at most {}", here,
                           static_cast<std::uint64_t>(longest_saving_s * rate)));
  }
}

void check_feeds(const settings& x, const complaint& complain) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < x.feeds.size(); ++i) {
    auto& feed = x.feeds[i];
    auto here = fmt::format("feeds[{}]", i);
    if (feed.name.empty()) complain(here, fmt::format("{} needs a `name`", quoted(here)));
    if (!feed.name.empty() && !names.insert(feed.name).second)
      complain(here + ".name", fmt::format("feed {} is there twice; each needs a name of its own", quoted(feed.name)));
    if (feed.command.empty() || feed.command[0].empty())
      complain(here + ".command",
               fmt::format("{} needs a `command`: a list of the program and its arguments", quoted(here)));
    for (std::size_t k = 0; k < feed.command.size(); ++k)
      if (feed.command[k].find('\0') != std::string::npos)
        complain(fmt::format("{}.command[{}]", here, k), "an argument of a program can not hold a zero byte");
    if (!feed.paced_by.empty() && provider_named(x, feed.paced_by) == nullptr)
      complain(here + ".paced_by",
               fmt::format("key `{}.paced_by` names {}, which is none of `providers`", here, quoted(feed.paced_by)));
    if (feed.backoff.max_ms < feed.backoff.initial_ms)
      complain(here + ".backoff.max_ms",
               fmt::format("key `{}.backoff.max_ms` must not be less than `initial_ms`, which is {}", here,
                           feed.backoff.initial_ms));
  }
}

void check_window(const feature_settings& x, std::size_t i, std::set<std::string>& names, const complaint& complain) {
  auto& window = x.windows[i];
  auto here = fmt::format("features.windows[{}]", i);
  auto kind = kind_of(window);
  if (window.name.empty()) complain(here, fmt::format("{} needs a `name`", quoted(here)));
  if (!window.name.empty() && !names.insert(window.name).second)
    complain(here + ".name",
             fmt::format("window {} is there twice; each needs a name of its own", quoted(window.name)));
  if (!window.name.empty() && !kind)
    complain(here + ".name",
             fmt::format("window {} does not say what it is: let its name begin with vwap, ohlcv, ret, logret, vol, "
                         "vol_ann, rsi, momentum, momentum_abs, skew or kurt, as in vol_5m, or give its `kind`",
                         quoted(window.name)));
  // `rsi > 70` must not be about something else because of a name.
  if ((is_plain_name(window.name) && kind && feature_kind_of(window.name) != kind) || is_bar_field(window.name))
    complain(here + ".name", fmt::format("window {} is called like something else than it is", quoted(window.name)));
  if ((window.horizon != 0) == (window.bars != 0))
    complain(here, fmt::format("{} needs either a `horizon` of time or a number of `bars`", quoted(here)));
  if (window.mode == rsi_mode::talib && kind && *kind != feature_kind::rsi)
    complain(here + ".mode", fmt::format("window {} is no rsi, and only rsi has a mode", quoted(window.name)));
  auto bars = window.horizon != 0 ? static_cast<std::uint64_t>(window.horizon / x.interval) : window.bars;
  if (window.horizon != 0 && window.horizon % x.interval != 0)
    complain(here + ".horizon", fmt::format("{} is not a whole number of bars of {}",
                                            quoted(span_to_string(window.horizon)), span_to_string(x.interval)));
  if (bars > x.max_bars)
    complain(here, fmt::format("window {} looks back on {} bars of {}; `features.max_bars` allows {}",
                               quoted(window.name), bars, span_to_string(x.interval), x.max_bars));
}

void check_features(const settings& x, const complaint& complain) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < x.features.windows.size(); ++i) check_window(x.features, i, names, complain);
  // Who computes nothing need not say of which bars.
  auto used = !x.features.windows.empty() || x.inference.rules.enabled || x.inference.sklearn.enabled ||
              x.inference.xgboost.enabled;
  auto& intervals = x.windows.intervals;
  if (used && std::find(intervals.begin(), intervals.end(), x.features.interval) == intervals.end())
    complain(
      "features.interval",
      fmt::format("features are computed of bars of {} (`features.interval`), which `windows.intervals` does not "
                  "have; add it there, or choose one of those",
                  span_to_string(x.features.interval)));
}

void check_inference(const inference_settings& x, const complaint& complain) {
  if (x.rules.enabled && x.rules.file.empty())
    complain("inference.adapters.rules", "rules are enabled, but `inference.adapters.rules.file` does not say where "
                                         "they are");
  for (auto [name, model] : {std::pair{"sklearn", &x.sklearn}, std::pair{"xgboost", &x.xgboost}})
    if (model->enabled && model->model_path.empty())
      complain(
        fmt::format("inference.adapters.{}", name),
        fmt::format("the model is enabled, but `inference.adapters.{}.model_path` does not say where it is", name));
}

void check_security(const bus_settings& x, const complaint& complain) {
  auto& y = x.broker.security;
  if (y.certificate_file.empty() != y.key_file.empty())
    complain(y.key_file.empty() ? "bus.broker.tls_certificate_file" : "bus.broker.tls_key_file",
             "keys `bus.broker.tls_certificate_file` and `bus.broker.tls_key_file` go together");
  const std::pair<const char*, const std::string*> files[] = {
    {"bus.broker.tls_ca_file", &y.ca_file},
    {"bus.broker.tls_certificate_file", &y.certificate_file},
    {"bus.broker.tls_key_file", &y.key_file},
  };
  auto* why = x.type == bus_driver::redis          ? "the driver of Redis does not speak TLS: put a tunnel before it"
              : x.broker.url.starts_with("tls://") ? nullptr
                                                   : "it is for a `bus.broker.url` that begins with tls://";
  for (auto& [key, file] : files)
    if (why != nullptr && !file->empty()) complain(key, fmt::format("key `{}`: {}", key, why));
  if (x.type != bus_driver::nats && !y.credentials_file.empty())
    complain("bus.broker.credentials_file", "key `bus.broker.credentials_file` is for NATS: the user and the password "
                                            "of any other broker are in its url");
}

void check_broker(const settings& x, const complaint& complain) {
  auto& broker = x.bus.broker;
  if (x.bus.type == bus_driver::embedded) return;
  if (broker.url.empty())
    complain("bus.broker.url", "key `bus.broker.url` must say where the broker is, such as redis://127.0.0.1:6379");
  check_security(x.bus, complain);
  const std::pair<const char*, const std::string*> streams[] = {
    {"bus.broker.events_stream", &broker.events_stream},
    {"bus.broker.outputs_stream", &broker.outputs_stream},
    {"bus.broker.work_stream", &broker.work_stream},
    {"bus.broker.letters_stream", &broker.letters_stream},
  };
  for (auto other = std::begin(streams); other != std::end(streams); ++other)
    for (auto one = std::begin(streams); one != other; ++one)
      if (*one->second == *other->second)
        complain(other->first, fmt::format("keys `{}` and `{}` must differ", one->first, other->first));
  for (auto& type : x.bus.flow.types)
    if (std::find(shown_types.begin(), shown_types.end(), type) == shown_types.end())
      complain("bus.flow.types", fmt::format("key `bus.flow.types`: there is no '{}' among tick, bar, quote, "
                                             "end_of_interval, features and signal",
                                             type));
  if (x.bus.buffer.retry_initial_ms > x.bus.buffer.retry_max_ms)
    complain("bus.buffer.retry_initial_ms",
             "key `bus.buffer.retry_initial_ms` must not be more than `bus.buffer.retry_max_ms`");
}

} // namespace

void check_settings(const settings& x, const complaint& complain) {
  check_broker(x, complain);
  check_intervals(x, complain);
  check_source_sets(x, complain);
  check_providers(x, complain);
  check_feeds(x, complain);
  check_features(x, complain);
  check_inference(x.inference, complain);
}

std::optional<feature_kind> kind_of(const feature_window_settings& x) {
  if (x.kind == window_kind::by_name) return feature_kind_of(x.name);
  return static_cast<feature_kind>(static_cast<int>(x.kind) - 1);
}

} // namespace finstream
