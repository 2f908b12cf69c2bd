#define CAF_SUITE subscription_table

#include "tests/support/suite.hpp"

#include "actors/logic/subscription_table.hpp"

#include <algorithm>
#include <map>
#include <random>

using namespace finstream;

namespace {

using patterns = std::set<channel_pattern>;
using kind = channel_pattern::kind;

channel_pattern channel(const std::string& text) {
  auto x = parse_channel(text);
  if (!x) CAF_ERROR("not a channel: " << text);
  return *x;
}

std::string refusal(std::string_view text) {
  auto x = parse_channel(text);
  return x ? "" : std::string{to_string(x.error().code)} + " " + x.error().message;
}

// The connections of some groups; a connection that comes twice stays twice.
std::vector<std::uint64_t> members(const subscription_table& table,
                                   const std::vector<subscription_table::group_id>& groups) {
  std::vector<std::uint64_t> out;
  for (auto g : groups) out.insert(out.end(), table.members(g).begin(), table.members(g).end());
  std::sort(out.begin(), out.end());
  return out;
}

} // namespace

CAF_TEST(there are channels of each kind of record and of status) {
  CAF_CHECK((channel("ticks.SPY") == channel_pattern{channel_pattern::kind::ticks, "", "SPY"}));
  CAF_CHECK((channel("ticks.*") == channel_pattern{channel_pattern::kind::ticks, "", "*"}));
  CAF_CHECK((channel("bars.1s.SPY") == channel_pattern{channel_pattern::kind::bars, "1s", "SPY"}));
  CAF_CHECK((channel("bars.*.*") == channel_pattern{channel_pattern::kind::bars, "*", "*"}));
  CAF_CHECK((channel("features.SPY") == channel_pattern{channel_pattern::kind::features, "", "SPY"}));
  CAF_CHECK((channel("signals.*") == channel_pattern{channel_pattern::kind::signals, "", "*"}));
  CAF_CHECK((channel("status") == channel_pattern{channel_pattern::kind::status, "", ""}));
}

CAF_TEST(a symbol may have dots) {
  CAF_CHECK_EQUAL(channel("ticks.BRK.B").symbol, "BRK.B");
  CAF_CHECK_EQUAL(channel("bars.5s.BRK.B.BID").symbol, "BRK.B.BID");
}

CAF_TEST(an interval has one name) {
  CAF_CHECK(channel("bars.60s.SPY") == channel("bars.1m.SPY"));
  CAF_CHECK(channel("bars.3600s.SPY") == channel("bars.1h.SPY"));
}

CAF_TEST(a channel reads as it is written) {
  for (auto text :
       {"ticks.SPY", "ticks.*", "bars.1s.SPY", "bars.*.SPY", "bars.2s.*", "features.SPY", "signals.*", "status"})
    CAF_CHECK_EQUAL(channel(text).text(), text);
}

CAF_TEST(what is no channel is refused with what there is) {
  for (auto text : {"", "ticks", "ticks.", "bars", "bars.", "bars.1s", "bars.1s.", "bars..SPY", "bars.fast.SPY",
                    "arena.SPY", "status.x", ".", "..", "Ticks.SPY"}) {
    auto said = refusal(text);
    CAF_CHECK(said.starts_with("bad_command"));
    CAF_CHECK(said.find("ticks.<symbol>") != std::string::npos);
  }
  CAF_CHECK(refusal("ticks.").find("names no symbol") != std::string::npos);
  CAF_CHECK(refusal("bars.1s.").find("names no symbol") != std::string::npos);
  CAF_CHECK(refusal("arena.SPY").find("nothing is published under") != std::string::npos);
}

CAF_TEST(a refusal does not cut a character in two) {
  std::string euros;
  for (int i = 0; i < 60; ++i) euros += "\xe2\x82\xac";
  for (auto text : {euros, "x" + euros, "xx" + euros, euros + ".x", "x" + euros + ".x"}) {
    auto said = refusal(text);
    for (std::size_t i = 0; i < said.size(); ++i) {
      if (said[i] != '\xe2') continue;
      bool whole = said.substr(i, 3) == "\xe2\x82\xac";
      CAF_CHECK(whole);
    }
    CAF_CHECK_LESS(said.size(), 400u);
  }
}

CAF_TEST(any text is a channel or is refused) {
  std::mt19937_64 random{1};
  const std::string_view pieces[] = {"ticks", "bars", "status",       ".",   ".", "*", "1s", "60s", "SPY",
                                     "\xff",  "",     "99999999999d", "-1s", "0s"};
  for (int i = 0; i < 100'000; ++i) {
    std::string text;
    for (auto n = random() % 8; n != 0; --n) text += pieces[random() % std::size(pieces)];
    auto x = parse_channel(text);
    if (!x) {
      CAF_CHECK(x.error().code == errc::bad_command);
    } else {
      auto again = parse_channel(x->text());
      CAF_CHECK(again && *again == *x);
    }
  }
}

CAF_TEST(connections that want the same are one group) {
  subscription_table table;
  table.set(1, {channel("ticks.SPY")});
  table.set(2, {channel("ticks.SPY")});
  table.set(3, {channel("ticks.SPY"), channel("status")});
  CAF_CHECK_EQUAL(table.match(kind::ticks, "SPY").size(), 2u);
  CAF_CHECK((members(table, table.match(kind::ticks, "SPY")) == std::vector<std::uint64_t>{1, 2, 3}));
  CAF_CHECK((members(table, table.match_status()) == std::vector<std::uint64_t>{3}));
}

CAF_TEST(the place of a group that is gone is used again) {
  subscription_table table;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    table.set(i, {channel("ticks.S" + std::to_string(i))});
    table.set(i, {});
  }
  CAF_CHECK_EQUAL(table.group_count(), 1u);
  CAF_CHECK(!table.wants(kind::ticks));
}

CAF_TEST(it matches what a plain comparison matches) {
  std::mt19937_64 random{2};
  const std::vector<std::string> symbols{"A", "B", "C.D"}, intervals{"1s", "5s", "60s"};
  auto any_channel = [&] {
    auto symbol = random() % 4 == 0 ? "*" : symbols[random() % symbols.size()];
    auto interval = random() % 4 == 0 ? "*" : intervals[random() % intervals.size()];
    return channel(random() % 8 == 0   ? "status"
                   : random() % 2 == 0 ? "ticks." + symbol
                                       : "bars." + interval + "." + symbol);
  };
  subscription_table table;
  std::map<std::uint64_t, patterns> naive;
  auto wanting = [&](auto matches) {
    std::vector<std::uint64_t> out;
    for (auto& [connection, wanted] : naive)
      if (std::any_of(wanted.begin(), wanted.end(), matches)) out.push_back(connection);
    return out;
  };
  for (int i = 0; i < 3000; ++i) {
    auto connection = random() % 12;
    patterns wanted;
    for (auto n = random() % 4; n != 0; --n) wanted.insert(any_channel());
    auto version = table.version();
    table.set(connection, wanted);
    CAF_CHECK(table.version() != version);
    naive[connection] = wanted;
    CAF_CHECK(table.of(connection) == wanted);
    auto& symbol = symbols[random() % symbols.size()];
    auto& interval = intervals[random() % intervals.size()];
    auto fits = [](const std::string& pattern, const std::string& text) { return pattern == "*" || pattern == text; };
    for (int twice = 0; twice < 2; ++twice) { // the second time from what is remembered
      CAF_CHECK(members(table, table.match(kind::ticks, symbol)) ==
                wanting([&](auto& p) { return p.what == kind::ticks && fits(p.symbol, symbol); }));
      CAF_CHECK(members(table, table.match_bar(interval, symbol)) == wanting([&](auto& p) {
                  return p.what == kind::bars && fits(p.interval, interval) && fits(p.symbol, symbol);
                }));
      CAF_CHECK(members(table, table.match_interval(interval)) ==
                wanting([&](auto& p) { return p.what == kind::bars && fits(p.interval, interval); }));
      CAF_CHECK(members(table, table.match_status()) == wanting([](auto& p) { return p.what == kind::status; }));
    }
    CAF_CHECK_EQUAL(table.wants(kind::ticks), !wanting([](auto& p) { return p.what == kind::ticks; }).empty());
    CAF_CHECK_EQUAL(table.wants(kind::bars), !wanting([](auto& p) { return p.what == kind::bars; }).empty());
    CAF_CHECK(table.group_count() <= 13);
  }
}
