#include "runtime/config/check.hpp"

#include "runtime/config/options.hpp"

#include <fmt/format.h>
#include <map>
#include <set>

namespace finstream {

namespace {

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
    if (feed.backoff.max_ms < feed.backoff.initial_ms)
      complain(here + ".backoff.max_ms",
               fmt::format("key `{}.backoff.max_ms` must not be less than `initial_ms`, which is {}", here,
                           feed.backoff.initial_ms));
  }
}

} // namespace

void check_settings(const settings& x, const complaint& complain) {
  check_intervals(x, complain);
  check_source_sets(x, complain);
  check_feeds(x, complain);
}

} // namespace finstream
