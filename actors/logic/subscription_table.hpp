// Which connections want which channels. Connections with the same channels form a group, and what a group gets is put
// together once, however many are in it.
#pragma once

#include "messages/errors.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace finstream {

// "ticks.SPY", "bars.1s.*", "signals.SPY", "status": `*` stands for one segment; a symbol is the last segment, dots and
// all.
struct channel_pattern {
  enum class kind : std::uint8_t { ticks, bars, features, signals, status };
  kind what = kind::status;
  std::string interval; // of bars; "*" for any
  std::string symbol;   // "*" for any

  std::string text() const;
  friend auto operator<=>(const channel_pattern&, const channel_pattern&) = default;
};
// Errors: bad_command, with the forms there are.
expected<channel_pattern> parse_channel(std::string_view text);

class subscription_table {
public:
  using group_id = std::uint32_t;

  // The connection's whole list from now on; an empty one forgets it.
  void set(std::uint64_t connection, std::set<channel_pattern> patterns);
  const std::set<channel_pattern>& of(std::uint64_t connection) const;

  // Groups that want it; each once. Valid until the next call of set() or match.
  // What has a symbol and no interval: ticks, features, signals.
  const std::vector<group_id>& match(channel_pattern::kind what, const std::string& symbol);
  const std::vector<group_id>& match_bar(const std::string& interval, const std::string& symbol);
  const std::vector<group_id>& match_interval(const std::string& interval); // anyone with bars of this interval
  const std::vector<group_id>& match_status();

  const std::vector<std::uint64_t>& members(group_id of) const { return groups_[of].members; }
  std::uint64_t version() const { return version_; } // changes with every set()
  bool wants(channel_pattern::kind what) const { return wanted_[static_cast<std::size_t>(what)] != 0; }
  std::size_t group_count() const { return groups_.size(); }

private:
  struct group {
    std::set<channel_pattern> patterns;
    std::vector<std::uint64_t> members;
  };
  template <class Matches> const std::vector<group_id>& cached(const std::string& key, Matches matches);

  std::vector<group> groups_; // an empty one keeps its place and may be used again
  std::map<std::set<channel_pattern>, group_id> group_of_patterns_;
  std::map<std::uint64_t, group_id> group_of_connection_;
  std::unordered_map<std::string, std::vector<group_id>> matches_; // looked up only; cleared by set()
  std::uint64_t version_ = 0;
  std::size_t wanted_[5] = {}; // patterns, by kind
};

} // namespace finstream
