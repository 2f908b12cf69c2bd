// What each group of options is about.
#include "runtime/config/options.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace finstream {

namespace {

constexpr auto sections = std::to_array<std::pair<std::string_view, std::string_view>>({
  {"log", "The log goes to standard error."},
  {"scheduler", "The threads that run the actors."},
  {"bus", "The log of everything that happened, kept in the data directory."},
  {"bus.broker", "The server that keeps the log, where type is not embedded."},
  {"bus.buffer", "What waits on this disk while the broker is down."},
  {"bus.flow", "What is sent to other programs while much waits."},
  {"windows", "How events become bars."},
  {"features", "Rolling statistics of each bar series."},
  {"inference", "What makes signals of features."},
  {"inference.adapters", "Each can be on or off by itself."},
  {"inference.adapters.rules", "Conditions over features, in a file of their own."},
  {"inference.adapters.sklearn", "A trained model of scikit-learn, answered for by a worker of its own."},
  {"inference.adapters.xgboost", "A trained model of xgboost, computed by the node."},
  {"inference.models", "What holds for all models."},
  {"stores", "Stores outside the log, written from it: a database that is down costs a lag and nothing else."},
  {"stores.postgres", "PostgreSQL, with TimescaleDB where it is installed."},
  {"source_sets", "Providers whose events make one bar series together. Others have a series each."},
  {"providers", "Those who limit how often feeds may ask them."},
  {"pacing", "A limit on requests, that all feeds of the provider share."},
  {"feeds", "External processes that print market events as lines of JSON."},
  {"backoff", "The pause before a feed that crashed is started again: a random share of a step that doubles."},
  {"checkpoint", "Where a restart goes on from."},
  {"supervisor", "Restarting what crashes."},
  {"gateway", "HTTP and WebSocket."},
  {"backfill", "Events of the past, which live data does not wait for."},
  {"limits", "How much may be on its way at once. With these and the limits above, memory has a bound."},
});

} // namespace

std::string_view section_help(std::string_view path) {
  auto same = [&](auto& x) { return x.first == path; };
  auto found = std::find_if(sections.begin(), sections.end(), same);
  return found == sections.end() ? std::string_view{} : found->second;
}

} // namespace finstream
