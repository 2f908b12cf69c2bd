// Features against what other people's tools made of recorded markets, on every row of every file there is.
#define CAF_SUITE features_recorded

#include "tests/support/feature_bars.hpp"
#include "tests/support/recorded.hpp"
#include "tests/support/suite.hpp"

#include <cmath>
#include <map>

using namespace finstream;
using namespace finstream::test;

namespace {

// A column of a recorded file, the window that ours is, and how far they may be apart: relative to the value, or at
// all.
struct comparison {
  std::string column;
  feature_window window;
  double relative = 0;
  double absolute = 0;
};

// Returns near zero are the difference of numbers near one: what is relative there is the number, not the return.
const std::vector<comparison> comparisons{
  {"rsi14_trading_signals", over_bars("rsi_14", 14), 1e-9, 0},
  {"rsi14_tulip", over_bars("rsi", 14), 1e-9, 0},
  {"roc10_trading_signals", over_bars("momentum_10", 10), 1e-9, 1e-15},
  {"mom10_trading_signals", over_bars("momentum_abs_10", 10), 1e-9, 1e-9},
  {"logret", over_bars("logret_1", 1), 1e-9, 1e-15},
  {"vol20_sample", over_bars("vol_20", 20), 1e-9, 0},
  {"vol60_sample", over_bars("vol_60", 60), 1e-9, 0},
  {"skew20_unbiased", over_bars("skew_20", 20), 0, 1e-8},
  {"exkurt20_unbiased", over_bars("kurt_20", 20), 0, 1e-8},
};

// Of a flat window the tools say 100 or nothing, and we say 50; of returns that are all equal they and we say nothing.
bool agrees(const feature_value& ours, const std::string& theirs, const comparison& how) {
  if (ours.flat) return ours.value == 50.0 && (theirs.empty() || theirs == "100");
  if (theirs.empty()) return !ours.warm || !ours.value;
  auto wanted = std::strtod(theirs.c_str(), nullptr);
  return ours.warm && ours.value &&
         std::abs(*ours.value - wanted) <= std::max(how.absolute, how.relative * std::abs(wanted));
}

bool is_named(const std::filesystem::path& path, std::string_view part) {
  return path.filename().string().find(part) != std::string::npos;
}

// A row is a bar of its own; each trade counts as one where the file is of trades.
bar bar_of_row(const recorded_table& table, std::size_t row, bool is_tick) {
  auto& cells = table.rows[row];
  auto x = bar_of(static_cast<std::int64_t>(row), cells[table.column("price")]);
  if (!is_tick) x.start = parse_timestamp(cells[table.column("key")]).value();
  x.symbol = cells[table.column("symbol")];
  return x;
}

notional notional_of(const std::string& text) {
  auto point = std::min(text.find('.'), text.size());
  auto digits = text.substr(0, point) + (point < text.size() ? text.substr(point + 1) : "");
  digits.resize(point + 18, '0');
  notional out;
  for (auto digit : digits) out.units = out.units * 10 + (digit - '0');
  return out;
}

std::vector<bar> read_bars(const std::filesystem::path& path, nanoseconds interval) {
  auto table = read_recorded(path);
  std::vector<bar> out;
  for (auto& row : table.rows) {
    auto cell = [&](const char* name) -> const std::string& { return row[table.column(name)]; };
    auto x = ohlc_of(0, cell("open"), cell("high"), cell("low"), cell("close"), cell("volume"));
    x.symbol = cell("symbol");
    x.interval = interval;
    x.start = parse_timestamp(cell("bar_start")).value();
    x.end = x.start + interval;
    x.traded = notional_of(cell("notional"));
    x.vwap.reset();
    if (!cell("vwap").empty()) x.vwap = price{*parse_decimal(cell("vwap"), rounding::half_even)};
    out.push_back(std::move(x));
  }
  return out;
}

// Two passes, written once more.
double deviation(const std::vector<double>& closes, std::size_t end, std::size_t returns) {
  std::vector<double> xs;
  for (auto i = end - returns; i < end; ++i) xs.push_back(std::log(closes[i + 1] / closes[i]));
  double sum = 0, squares = 0;
  for (auto x : xs) sum += x;
  for (auto x : xs) squares += (x - sum / static_cast<double>(returns)) * (x - sum / static_cast<double>(returns));
  return std::sqrt(squares / static_cast<double>(returns - 1));
}

} // namespace

CAF_TEST(features by bars are those of the tools on every row) {
  auto place = recorded_data();
  if (!place) return;
  auto files = recorded_files(*place, ".csv.gz");
  std::erase_if(files, [](auto& path) { return !is_named(path, ".features-"); });
  CAF_CHECK(!files.empty());
  std::vector<feature_window> windows;
  for (auto& x : comparisons) windows.push_back(x.window);
  for (auto& path : files) {
    auto table = read_recorded(path);
    feature_stage stage{rules_of(windows)};
    std::map<std::string, std::size_t> compared, apart;
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
      stage.on_bar(bar_of_row(table, row, is_named(path, ".features-tick")));
      auto made = stage.take_output();
      CAF_REQUIRE_EQUAL(made.size(), 1u);
      for (std::size_t i = 0; i < comparisons.size(); ++i) {
        auto& theirs = table.rows[row][table.column(comparisons[i].column)];
        auto is_apart = !agrees(made[0].values[i], theirs, comparisons[i]);
        if (is_apart && apart[comparisons[i].column]++ < 3)
          CAF_ERROR(path.filename() << " row " << row << ' ' << comparisons[i].column << ": " << theirs << " is not "
                                    << made[0].values[i].value.value_or(0));
        if (!theirs.empty()) ++compared[comparisons[i].column];
      }
    }
    for (auto& x : comparisons) CAF_CHECK(compared[x.column] > table.rows.size() / 2);
  }
}

CAF_TEST(features over a minute of bars are the bar of that minute) {
  auto place = recorded_data();
  if (!place) return;
  for (auto& path : recorded_files(*place, ".bars-60s.csv.gz")) {
    std::map<std::pair<std::string, timestamp>, bar> minutes;
    for (auto& x : read_bars(path, 60 * second)) minutes[{x.symbol, x.end}] = x;
    auto name = path.string();
    auto seconds = read_bars(name.replace(name.find("bars-60s"), 8, "bars-1s"), second);
    feature_stage stage{rules_of({over("ohlcv_1m", 60 * second), over("vwap_1m", 60 * second)})};
    std::size_t compared = 0, apart = 0;
    for (auto& x : seconds) {
      stage.on_bar(x);
      auto made = stage.take_output().at(0);
      auto minute = minutes.find({made.symbol, made.end});
      if (minute == minutes.end()) continue; // its last second had no trade
      auto& wanted = minute->second;
      auto vwap = wanted.vwap ? std::optional<decimal>{*wanted.vwap} : std::nullopt;
      std::vector<std::optional<decimal>> parts{wanted.open,  wanted.high,   wanted.low,
                                                wanted.close, wanted.volume, vwap};
      for (std::size_t i = 0; i < parts.size(); ++i)
        if (made.values.at(i).exact != parts[i] && apart++ < 3)
          CAF_ERROR(path.filename() << ' ' << made.symbol << ' ' << to_string(made.end) << ": another "
                                    << made.values[i].name);
      ++compared;
    }
    CAF_CHECK(compared > 0);
  }
}

// A day of one share in which one close is wrong by a factor of ten: as soon as it has left the window, volatility is
// that of the window, to the last bit. A sum that is carried along would not forget it.
CAF_TEST(an outlier that has left the window leaves nothing behind) {
  auto place = recorded_data();
  if (!place) return;
  auto day = read_bars(*place / "lean-spy-20131007.bars-1s.csv.gz", second);
  auto rules = rules_of({over_bars("vol_300", 300), over("vol_5m", 300 * second), over_bars("skew_300", 300)});
  auto clean = vectors_of(rules, day);
  std::size_t outlier = day.size() / 2, equal = 0;
  day[outlier].close.units *= 10;
  auto made = vectors_of(rules, day);
  CAF_REQUIRE_EQUAL(made.size(), day.size());
  std::vector<double> closes;
  for (auto& x : day) closes.push_back(static_cast<double>(x.close.units) / 1e9);
  for (std::size_t i = 300; i < day.size(); ++i) {
    CAF_REQUIRE(made[i].values[0].value.has_value());
    if (*made[i].values[0].value == deviation(closes, i, 300)) ++equal;
  }
  CAF_CHECK_EQUAL(equal, day.size() - 300);
  CAF_CHECK(made[outlier].values[0].value > 100 * *clean[outlier].values[0].value);
  auto gone = outlier + 301; // the bar and the return from it
  for (auto i = gone; i < day.size(); ++i) CAF_CHECK(made[i].values[0] == clean[i].values[0]);
  for (auto i = gone; i < day.size(); ++i) CAF_CHECK(made[i].values == clean[i].values);
}
