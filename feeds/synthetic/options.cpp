#include "feeds/synthetic/options.hpp"

#include "feeds/output/contract.hpp"
#include "feeds/output/json_text.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

namespace finstream::feed {

namespace {

constexpr std::uint32_t max_symbols = 100'000;
constexpr std::size_t max_name_bytes = 200;

// "100" -> SYM000 ... SYM099; anything else is a list of names. Empty if neither makes sense.
std::vector<std::string> read_symbols(const std::string& text) {
  std::vector<std::string> names;
  if (!text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    auto count = text.size() > 6 ? 0 : std::stoul(text);
    if (count > max_symbols) return {};
    auto width = std::max<std::size_t>(3, std::to_string(count == 0 ? 0 : count - 1).size());
    for (unsigned long i = 0; i < count; ++i) {
      auto number = std::to_string(i);
      names.push_back("SYM" + std::string(width - number.size(), '0') + number);
    }
    return names;
  }
  for (std::size_t start = 0; start <= text.size();) {
    auto end = std::min(text.find(',', start), text.size());
    names.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  for (auto& name : names)
    if (name.empty() || name.size() > max_name_bytes || !is_plain(name)) return {};
  return names;
}

} // namespace

std::variant<synthetic_options, int> read_options(int argc, char** argv) {
  synthetic_options options;
  options.provider = feed_name("synthetic");
  std::string symbols = "100", start_time;
  CLI::App app{
    "Prints made-up trades as JSON lines: a seeded random walk for each symbol. The same seed gives the same prices,\n"
    "and with --start-time the same bytes. Started again with FINSTREAM_RESUME_TOKEN=k in its environment, it goes\n"
    "on after event k as if it had never stopped. It ends when its standard input closes, and on SIGTERM.\n",
    "finstream-feed-synthetic"};
  app.get_formatter()->column_width(28);
  auto add = [&](const char* group, const char* name, auto& value, const char* type, const char* text) {
    return app.add_option(name, value, text)->capture_default_str()->type_name(type)->group(group);
  };
  // The limits are in the words of each text.
  auto limits = [](auto low, auto high) { return CLI::Range(low, high).description(""); };
  auto faults = "Faults, as a share (0 to 1) of the events";
  auto share = limits(0.0, 1.0);
  add("What", "--provider", options.provider, "NAME", "of the source, on every line; in a node, its name for the feed");
  add("What", "--symbols", symbols, "N|LIST", "how many (SYM000, SYM001, ...), or their names: AAPL,MSFT");
  add("What", "--count", options.count, "N", "events, then an eof line and the end; 0 is endless");
  add("What", "--seed", options.seed, "N", "of the random walk and of all faults");
  add("What", "--start-price", options.start_price, "PRICE", "of every symbol, 0.01 to 1000000")
    ->check(limits(0.01, 1e6));
  add("What", "--volatility", options.volatility, "SHARE",
      "of the price that one step makes (standard deviation), up to 0.1")
    ->check(limits(0.0, 0.1));
  add("When", "--rate", options.rate, "N", "events a second over all symbols, up to 10 million; 0 is flat out")
    ->check(limits(0.0, 1e7));
  add("When", "--start-time", start_time, "TIME",
      "simulated time, such as 2026-11-21T09:00:00Z: src_ts is this\n"
      "plus seq times the step. Without it src_ts is now");
  add("When", "--step-us", options.step_us, "N", "microseconds of simulated time from event to event")
    ->check(limits(std::int64_t{1}, std::int64_t{3'600'000'000}));
  add(faults, "--late-share", options.late_share, "SHARE", "have their src_ts shifted back")->check(share);
  add(faults, "--late-ms", options.late_ms, "N", "milliseconds they are shifted back, at most")
    ->check(limits(std::int64_t{1}, std::int64_t{86'400'000}));
  add(faults, "--duplicate-share", options.duplicate_share, "SHARE",
      "come after an exact repetition of an earlier line")
    ->check(share);
  add(faults, "--malformed-share", options.malformed_share, "SHARE",
      "come after a broken line: cut short, not UTF-8, no price ...")
    ->check(share);
  add(faults, "--oversize-share", options.oversize_share, "SHARE", "come after a line of 70000 bytes")->check(share);
  add("Size", "--pad-to", options.pad_to, "BYTES",
      "of an event's line, newline included, by a field \"note\"; up to 60000")
    ->check(limits(0, 60'000));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : do_not_restart;
  }
  auto refuse = [](const std::string& why) {
    std::fprintf(stderr, "error: %s\n", why.c_str());
    return do_not_restart;
  };
  options.symbols = read_symbols(symbols);
  if (options.symbols.empty())
    return refuse("--symbols \"" + symbols +
                  "\" is neither a number from 1 to 100000 nor a list of plain names such as AAPL,MSFT");
  if (options.provider.empty() || options.provider.size() > max_name_bytes || !is_plain(options.provider))
    return refuse("--provider must be a plain name, without quotes or backslashes");
  if (!start_time.empty()) {
    auto parsed = parse_timestamp(start_time);
    if (!parsed) return refuse("--start-time: " + parsed.error().message);
    options.start_time = *parsed;
  }
  auto token = resume_token("event");
  options.resumed = token.has_value();
  options.resume_after = token.value_or(0);
  return options;
}

} // namespace finstream::feed
