#include "runtime/config/founding.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace finstream {

namespace {

constexpr double fastest_feed = 1e7;       // events a second: what the synthetic feed takes
constexpr double wildest_volatility = 0.1; // the same

struct founding_settings {
  std::string uri, stream, signals_stream, consumer_group;
  bool synthetic = false;
  std::vector<std::string> symbols;
  double tick_rate = 1, volatility = 0.02;
  int window_ms = 2000, allow_late_ms = 500, flush_timeout_ms = 1000, metrics_port = 9101;
  std::uint64_t max_batch_size = 5000;
  std::string log_level = "INFO";
};

std::vector<option> options_of(founding_settings& x) {
  auto text = [](std::string_view path, std::string& member) {
    return option{.path = path, .value = &member, .help = "", .form = text_form::free};
  };
  auto number = [](std::string_view path, auto& member, std::uint64_t least, std::uint64_t most) {
    return option{.path = path, .value = &member, .help = "", .least = least, .most = most};
  };
  auto plain = [](std::string_view path, auto& member) { return option{.path = path, .value = &member, .help = ""}; };
  constexpr std::uint64_t hour_ms = 3'600'000;
  return {
    text("bus.redis.uri", x.uri),
    text("bus.redis.stream", x.stream),
    text("bus.redis.signals_stream", x.signals_stream),
    text("bus.redis.consumer_group", x.consumer_group),
    plain("producers.synthetic.enabled", x.synthetic),
    plain("producers.synthetic.symbols", x.symbols),
    plain("producers.synthetic.tick_rate", x.tick_rate),
    plain("producers.synthetic.price_volatility", x.volatility),
    number("micro_batch.window_ms", x.window_ms, 1, 24 * hour_ms),
    number("micro_batch.max_batch_size", x.max_batch_size, 1, 1'000'000'000),
    number("micro_batch.allow_late_ms", x.allow_late_ms, 0, hour_ms),
    number("micro_batch.flush_timeout_ms", x.flush_timeout_ms, 1, hour_ms),
    number("telemetry.metrics_port", x.metrics_port, 0, 65'535),
    text("telemetry.log_level", x.log_level),
  };
}

// The founding name, and the one of today: one setting.
constexpr std::array<std::pair<const char*, const char*>, 8> twins{{
  {"bus.redis.uri", "bus.broker.url"},
  {"bus.redis.stream", "bus.broker.events_stream"},
  {"bus.redis.signals_stream", "bus.broker.outputs_stream"},
  {"micro_batch.window_ms", "features.interval"},
  {"micro_batch.allow_late_ms", "windows.allow_late_ms"},
  {"micro_batch.flush_timeout_ms", "windows.flush_timeout_ms"},
  {"telemetry.metrics_port", "gateway.port"},
  {"telemetry.log_level", "log.level"},
}};

class translator {
public:
  translator(const yaml_reader& reader, const founding_settings& from, settings& to, const complaint& complain)
    : reader_{reader}, from_{from}, to_{to}, complain_{complain} {}

  void translate() {
    for (auto& [founding, today] : twins)
      if (given(founding) && given(today))
        complain_(founding, fmt::format("key `{}` and key `{}` are one setting; keep one of them", founding, today));
    translate_bus();
    if (from_.synthetic) translate_synthetic();
    if (given("micro_batch.window_ms")) translate_window();
    if (given("micro_batch.allow_late_ms")) to_.windows.allow_late_ms = from_.allow_late_ms;
    if (given("micro_batch.flush_timeout_ms")) to_.windows.flush_timeout_ms = from_.flush_timeout_ms;
    if (given("telemetry.metrics_port")) to_.gateway.port = from_.metrics_port;
    if (given("telemetry.log_level")) translate_log_level();
  }

  // A sentence about what is read and has no effect; empty where there is nothing of that kind.
  std::string note() const {
    std::string idle;
    for (auto* key : {"bus.redis.consumer_group", "micro_batch.max_batch_size"})
      if (given(key)) idle += fmt::format("{}`{}`", idle.empty() ? "" : " and ", key);
    if (idle.empty()) return {};
    return fmt::format("{} {} no effect", idle, idle.find(' ') == idle.npos ? "has" : "have");
  }

private:
  bool given(const char* path) const { return reader_.given(path); }

  void translate_bus() {
    if (!given("bus.redis")) return;
    if (!given("bus.redis.uri") && !given("bus.broker.url"))
      complain_("bus.redis", "key `bus.redis` needs `uri`: where it is, such as redis://127.0.0.1:6379/0");
    if (given("bus.redis.uri") || to_.bus.broker.url.empty()) to_.bus.broker.url = from_.uri.empty() ? "none" : from_.uri;
    if (given("bus.type") && to_.bus.type != bus_driver::redis)
      return complain_("bus.type", "key `bus.type` must be redis where `bus.redis` is given");
    to_.bus.type = bus_driver::redis;
    if (given("bus.redis.stream")) to_.bus.broker.events_stream = from_.stream;
    if (given("bus.redis.signals_stream")) to_.bus.broker.outputs_stream = from_.signals_stream;
  }

  void translate_synthetic() {
    if (from_.symbols.empty())
      return complain_("producers.synthetic", "key `producers.synthetic` needs `symbols`: a list of at least one name");
    std::string symbols;
    for (std::size_t i = 0; i < from_.symbols.size(); ++i) {
      auto& symbol = from_.symbols[i];
      if (symbol.empty() || symbol.find_first_of(",\"\\") != symbol.npos)
        complain_(fmt::format("producers.synthetic.symbols[{}]", i),
                  fmt::format("{} is no plain name of a symbol: it is empty or has a comma, a quote or a backslash",
                              quoted(symbol)));
      symbols += (i == 0 ? "" : ",") + symbol;
    }
    auto rate = from_.tick_rate * static_cast<double>(from_.symbols.size());
    if (!(from_.tick_rate > 0) || rate > fastest_feed)
      complain_("producers.synthetic.tick_rate",
                fmt::format("key `producers.synthetic.tick_rate` must be more than 0 and, times the number of symbols, "
                            "at most {}; it is {}",
                            fastest_feed, from_.tick_rate));
    if (!(from_.volatility >= 0 && from_.volatility <= wildest_volatility))
      complain_("producers.synthetic.price_volatility",
                fmt::format("key `producers.synthetic.price_volatility` must be a number from 0 to {}, not {}",
                            wildest_volatility, from_.volatility));
    auto taken = [](auto& feed) { return feed.name == "synthetic"; };
    if (std::any_of(to_.feeds.begin(), to_.feeds.end(), taken))
      return complain_("producers.synthetic", "key `producers.synthetic` and feed `synthetic` of `feeds` are one feed; "
                                              "keep one of them, or give the feed another name");
    auto& feed = to_.feeds.emplace_back();
    feed.name = "synthetic";
    feed.command = {
      "finstream-feed-synthetic",         "--symbols", symbols, "--rate", fmt::format("{}", rate), "--volatility",
      fmt::format("{}", from_.volatility)};
  }

  void translate_window() {
    auto span = from_.window_ms * millisecond;
    if (!is_bar_interval(span))
      return complain_(
        "micro_batch.window_ms",
        fmt::format("key `micro_batch.window_ms` must be the length of a bar in milliseconds: 1000, 2000, "
                    "3000, 4000, 5000, 6000, 10000 ..., not {}",
                    from_.window_ms));
    auto& intervals = to_.windows.intervals;
    if (std::find(intervals.begin(), intervals.end(), span) == intervals.end()) intervals.push_back(span);
    to_.features.interval = span;
  }

  void translate_log_level() {
    constexpr std::array<std::pair<std::string_view, log::level>, 6> levels{{
      {"DEBUG", log::level::debug},
      {"INFO", log::level::info},
      {"WARNING", log::level::warning},
      {"WARN", log::level::warning},
      {"ERROR", log::level::error},
      {"CRITICAL", log::level::error},
    }};
    auto named = [&](auto& x) { return x.first == from_.log_level; };
    auto found = std::find_if(levels.begin(), levels.end(), named);
    if (found != levels.end()) {
      to_.log.level = found->second;
    } else {
      complain_("telemetry.log_level",
                fmt::format("key `telemetry.log_level` must be DEBUG, INFO, WARNING, ERROR or CRITICAL, not {}",
                            quoted(from_.log_level)));
    }
  }

  const yaml_reader& reader_;
  const founding_settings& from_;
  settings& to_;
  const complaint& complain_;
};

} // namespace

bool has_founding_names(const yaml_reader& reader) {
  return reader.has({"producers"}) || reader.has({"micro_batch"}) || reader.has({"telemetry"}) ||
         reader.has({"bus", "redis"});
}

void read_founding_names(yaml_reader& reader, settings& out, const complaint& complain,
                         std::vector<std::string>* notes) {
  founding_settings founding;
  auto table = options_of(founding);
  auto today = options_of(out);
  table.insert(table.end(), today.begin(), today.end());
  reader.read_map(table);
  translator work{reader, founding, out, complain};
  work.translate();
  if (auto note = work.note(); notes != nullptr && !note.empty()) notes->push_back(note);
}

} // namespace finstream
