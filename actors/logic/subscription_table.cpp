#include "actors/logic/subscription_table.hpp"

#include "messages/value/excerpt.hpp"
#include "messages/value/timestamp.hpp"

#include <algorithm>

namespace finstream {

namespace {

// The first segment.
std::string_view name_of(channel_pattern::kind what) {
  switch (what) {
  case channel_pattern::kind::ticks: return "ticks";
  case channel_pattern::kind::bars: return "bars";
  case channel_pattern::kind::features: return "features";
  case channel_pattern::kind::signals: return "signals";
  case channel_pattern::kind::status: return "status";
  }
  return "";
}

} // namespace

std::string channel_pattern::text() const {
  auto out = std::string{name_of(what)};
  if (what == kind::bars) out += "." + interval;
  return what == kind::status ? out : out + "." + symbol;
}

expected<channel_pattern> parse_channel(std::string_view text) {
  auto bad = [&](const std::string& why) {
    return fail(errc::bad_command, "\"" + excerpt(text) + "\" is not a channel: " + why +
                                     "; there are ticks.<symbol>, bars.<interval>.<symbol>, features.<symbol>, "
                                     "signals.<symbol> and status, with * for any");
  };
  auto no_symbol = [](std::string_view symbol) -> const char* {
    if (symbol.empty()) return "it names no symbol";
    if (symbol != "*" && symbol.find('*') != std::string_view::npos) return "* stands for a whole segment";
    return nullptr;
  };
  if (text == "status") return channel_pattern{channel_pattern::kind::status, "", ""};
  auto dot = text.find('.');
  if (dot == std::string_view::npos) return bad("it has no dot");
  auto first = text.substr(0, dot), rest = text.substr(dot + 1);
  for (auto what : {channel_pattern::kind::ticks, channel_pattern::kind::features, channel_pattern::kind::signals}) {
    if (first != name_of(what)) continue;
    if (auto why = no_symbol(rest); why != nullptr) return bad(why);
    return channel_pattern{what, "", std::string{rest}};
  }
  if (first != "bars") return bad("nothing is published under \"" + excerpt(first) + "\"");
  dot = rest.find('.');
  if (auto why = no_symbol(dot == std::string_view::npos ? "" : rest.substr(dot + 1)); why != nullptr) return bad(why);
  auto interval = std::string{rest.substr(0, dot)};
  if (interval != "*") {
    auto span = parse_span(interval);
    if (!span) return bad(span.error().message);
    interval = span_to_string(*span);
  }
  return channel_pattern{channel_pattern::kind::bars, interval, std::string{rest.substr(dot + 1)}};
}

void subscription_table::set(std::uint64_t connection, std::set<channel_pattern> patterns) {
  ++version_;
  matches_.clear();
  if (auto at = group_of_connection_.find(connection); at != group_of_connection_.end()) {
    auto& old = groups_[at->second];
    std::erase(old.members, connection);
    for (auto& p : old.patterns) --wanted_[static_cast<int>(p.what)];
    if (old.members.empty()) {
      group_of_patterns_.erase(old.patterns);
      old.patterns.clear();
    }
    group_of_connection_.erase(at);
  }
  if (patterns.empty()) return;
  for (auto& p : patterns) ++wanted_[static_cast<int>(p.what)];
  auto at = group_of_patterns_.find(patterns);
  if (at == group_of_patterns_.end()) {
    auto free = std::find_if(groups_.begin(), groups_.end(), [](auto& g) { return g.members.empty(); });
    if (free == groups_.end()) free = groups_.insert(free, group{});
    free->patterns = patterns;
    at = group_of_patterns_.emplace(std::move(patterns), static_cast<group_id>(free - groups_.begin())).first;
  }
  groups_[at->second].members.push_back(connection);
  group_of_connection_[connection] = at->second;
}

const std::set<channel_pattern>& subscription_table::of(std::uint64_t connection) const {
  static const std::set<channel_pattern> none;
  auto at = group_of_connection_.find(connection);
  return at == group_of_connection_.end() ? none : groups_[at->second].patterns;
}

template <class Matches>
const std::vector<subscription_table::group_id>& subscription_table::cached(const std::string& key, Matches matches) {
  if (auto at = matches_.find(key); at != matches_.end()) return at->second;
  auto& out = matches_[key];
  for (group_id id = 0; id < groups_.size(); ++id)
    if (std::any_of(groups_[id].patterns.begin(), groups_[id].patterns.end(), matches)) out.push_back(id);
  return out;
}

using kind = channel_pattern::kind;

const std::vector<subscription_table::group_id>& subscription_table::match(channel_pattern::kind what,
                                                                           const std::string& symbol) {
  return cached(std::string(1, static_cast<char>('0' + static_cast<int>(what))) + symbol,
                [&](auto& p) { return p.what == what && (p.symbol == "*" || p.symbol == symbol); });
}

const std::vector<subscription_table::group_id>& subscription_table::match_bar(const std::string& interval,
                                                                               const std::string& symbol) {
  return cached("b" + interval + "." + symbol, [&](auto& p) {
    return p.what == kind::bars && (p.interval == "*" || p.interval == interval) &&
           (p.symbol == "*" || p.symbol == symbol);
  });
}

const std::vector<subscription_table::group_id>& subscription_table::match_interval(const std::string& interval) {
  return cached("i" + interval,
                [&](auto& p) { return p.what == kind::bars && (p.interval == "*" || p.interval == interval); });
}

const std::vector<subscription_table::group_id>& subscription_table::match_status() {
  return cached("s", [&](auto& p) { return p.what == kind::status; });
}

} // namespace finstream
