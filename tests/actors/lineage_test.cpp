#define CAF_SUITE lineage

#include "actors/lineage.hpp"
#include "actors/lineage_json.hpp"
#include "actors/log_bases.hpp"
#include "actors/logic/rule_names.hpp"
#include "actors/rest.hpp"
#include "actors/stages.hpp"
#include "runtime/store/bar_store.hpp"
#include "runtime/store/signal_store.hpp"
#include "tests/support/rules.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

bool has(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

// Prices rise by the second: over two bars the average price is below the close, and the change over two bars is told.
struct lineage_world : world {
  lineage_world() {
    features.windows = {{"vwap_2", feature_kind::vwap, 0, 2}, {"change", feature_kind::momentum, 0, 2}};
    features.config_hash = 7;
    book.names = rule_names(features.windows);
    book.rules = {rule_of("above", "close > vwap_2"), rule_of("rising", "change > 0.15")};
    rules.set({rules_of_one_second().save(), features.save(), book.save()});
  }
  void start() {
    start_appender();
    start_window();
    pass(20 * millisecond);
  }
  void append(const std::vector<happening>& events) {
    tell(find<appender_actor>("/partitions/0/appender"), verb::append_v, part_of(events), ++parts,
         listen().as<append_listener>());
    pass(20 * millisecond);
  }
  // Two events a second for so long, with another symbol between them.
  void rise(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      auto start_of_second = at("09:30:00") + i * second;
      auto price = std::to_string(10 + i);
      append({trade(start_of_second + 100 * millisecond, price, "1", 10 * i + 1),
              trade(start_of_second + 200 * millisecond, "99", "1", 10 * i + 2, "QQQ"),
              trade(start_of_second + 300 * millisecond, price, "1", 10 * i + 3)});
    }
  }
  std::vector<signal> signals(const std::string& name) {
    std::vector<signal> out;
    signal_query query;
    query.symbol = "SPY", query.name = name;
    ensure(scan_signals(log, query, [&](const signal& x) { return out.push_back(x), true; }).has_value(), "a store");
    return out;
  }
  signal_lineage of_signal(const std::string& name) {
    auto made = signals(name);
    ensure(!made.empty(), "the rule has given a signal");
    auto found = lineage_of_signal(log, 1, limits, made.front().signal_id);
    ensure(found.has_value(), "the lineage of a signal is found");
    return *found;
  }
  event_lineage of_event(std::uint64_t offset) {
    auto found = lineage_of_event(log, 1, limits, 0, offset);
    ensure(found.has_value(), "the lineage of an event is found");
    return *found;
  }
  http_response ask(const std::string& of, std::map<std::string, std::string> query = {}) {
    return answer_lineage(context, {"GET", "/v1/lineage/" + of, std::move(query), ""}, of);
  }

  feature_rules features;
  rule_book book;
  lineage_limits limits;
  std::uint64_t parts = 0;
};

std::vector<std::int64_t> seqs(const bar_lineage& x) {
  std::vector<std::int64_t> out;
  for (auto& event : x.events) out.push_back(event.what().seq);
  return out;
}
using numbers = std::vector<std::int64_t>;

std::string seconds_of(const std::vector<bar_lineage>& bars) {
  std::string out;
  for (auto& x : bars) out += to_string(x.what.start).substr(17, 2) + (x.is_compared ? "c " : " ");
  return out;
}

} // namespace

CAF_TEST(a signal is led back through its rule and features and bars to the very events) {
  lineage_world w;
  w.start();
  w.rise(6);
  auto x = w.of_signal("above");
  // The first bar's close is its average; after the second the close is above.
  CAF_CHECK_EQUAL(to_string(x.what.bar_start), "2026-01-05T09:30:01Z");
  CAF_REQUIRE(x.rule.has_value());
  CAF_CHECK_EQUAL(x.rule->rule.condition, "close > vwap_2");
  CAF_CHECK(x.rule->rule.hash() == x.what.maker);
  CAF_CHECK_EQUAL(x.rule->found_in, "the rules told at offset 0");
  CAF_CHECK((x.rule->names == name_bindings{{"close", std::string{bar_close}}, {"vwap_2", "vwap_2"}}));
  CAF_REQUIRE(x.features.has_value());
  CAF_CHECK(x.features->start == x.what.bar_start);
  CAF_CHECK_EQUAL(seconds_of(x.bars), "00 01 ");
  CAF_REQUIRE_EQUAL(x.bars.size(), 2u);
  CAF_CHECK((seqs(x.bars[0]) == numbers{1, 3}));
  CAF_CHECK((seqs(x.bars[1]) == numbers{11, 13}));
  for (auto& one : x.bars) {
    CAF_CHECK_EQUAL(one.missing, "");
    CAF_CHECK_EQUAL(one.events.front().offset, one.what.first_offset);
    CAF_CHECK_EQUAL(one.events.back().offset, one.what.last_offset);
    CAF_CHECK_EQUAL(one.events.front().batch->feed, "feed");
  }
  CAF_CHECK(!x.truncated && x.notes.empty());
}

CAF_TEST(the bar before the window is shown where its close was compared with) {
  lineage_world w;
  w.start();
  w.rise(6);
  auto x = w.of_signal("rising");
  // 12 over 10, at the third bar, is the first change over two bars.
  CAF_CHECK_EQUAL(seconds_of(x.bars), "00c 01 02 ");
}

CAF_TEST(an event is followed to its bars and features and signals) {
  lineage_world w;
  w.start();
  w.rise(6);
  auto first = w.signals("above").front();
  auto x = w.of_event(first.first_offset);
  CAF_CHECK_EQUAL(x.what.what().seq, 1);
  CAF_REQUIRE_EQUAL(x.bars.size(), 1u);
  CAF_CHECK_EQUAL(to_string(name_of(x.bars[0])), "nyse/SPY/1s/2026-01-05T09:30:00Z");
  // Its own bar's vector, the next, whose two bars it is in, and the one whose change begins at its bar.
  CAF_REQUIRE_EQUAL(x.vectors.size(), 3u);
  CAF_CHECK_EQUAL(to_string(x.vectors[2].start), "2026-01-05T09:30:02Z");
  CAF_REQUIRE_EQUAL(x.signals.size(), 2u);
  CAF_CHECK_EQUAL(x.signals[0].signal_id, first.signal_id);
  CAF_CHECK_EQUAL(x.signals[1].name, "rising");
  CAF_CHECK(x.notes.empty() && !x.truncated);
  // Both ways say the same.
  for (auto& made : x.signals) {
    auto back = lineage_of_signal(w.log, 1, {}, made.signal_id);
    CAF_REQUIRE(back.has_value());
    CAF_CHECK(std::any_of(back->bars.begin(), back->bars.end(), [&](auto& one) {
      return std::any_of(one.events.begin(), one.events.end(), [&](auto& e) { return e.offset == x.what.offset; });
    }));
  }
}

CAF_TEST(an event that came late is in nothing and the reason is said) {
  lineage_world w;
  w.start();
  w.rise(4);
  w.append({trade(at("09:30:00.5"), "10", "1", 77)});
  auto end = w.log.range(topic::events, 0)->next;
  std::optional<event_lineage> late;
  for (std::uint64_t offset = 0; offset < end; ++offset)
    if (auto x = lineage_of_event(w.log, 1, {}, 0, offset); x && x->what.what().seq == 77) late = *x;
  CAF_REQUIRE(late.has_value());
  CAF_CHECK(has(late->rejected, "after its bars were closed"));
  CAF_CHECK(late->bars.empty() && late->vectors.empty() && late->signals.empty());
  auto bar = lineage_of_bar(w.log, 1, {}, {"nyse", "SPY", second, at("09:30:00")});
  CAF_REQUIRE(bar.has_value());
  CAF_CHECK((seqs(*bar) == numbers{1, 3})); // and not 77
  CAF_CHECK_EQUAL(bar->missing, "");
}

CAF_TEST(the sides of a quote lead back to the quote) {
  lineage_world w;
  w.start();
  w.append({quote(at("09:30:00"), "10", "11", "1", "2"), trade(at("09:30:00.2"), "10", "1", 5)});
  w.append({trade(at("09:30:03"), "10", "1", 6)});
  for (auto symbol : {"SPY.BID", "SPY.ASK"}) {
    auto found = lineage_of_bar(w.log, 1, {}, {"nyse", symbol, second, at("09:30:00")});
    CAF_REQUIRE(found.has_value());
    CAF_REQUIRE_EQUAL(found->events.size(), 1u);
    CAF_CHECK(found->events[0].what().kind == event_kind::quote);
    auto forward = w.of_event(found->events[0].offset);
    CAF_CHECK_EQUAL(forward.bars.size(), 2u);
  }
}

CAF_TEST(a bar of a source set has the events of all its providers) {
  lineage_world w;
  auto bars = rules_of_one_second();
  bars.sets = {{"us", {"nyse", "arca"}}};
  w.rules.set({bars.save(), {}, {}});
  w.start();
  w.append({trade(at("09:30:00.1"), "10", "1", 1), trade(at("09:30:00.2"), "10", "1", 2, "SPY", "arca"),
            trade(at("09:30:00.3"), "10", "1", 3, "SPY", "bats")});
  w.append({trade(at("09:30:03"), "10", "1", 4), trade(at("09:30:03"), "10", "1", 5, "SPY", "arca")});
  auto bar = lineage_of_bar(w.log, 1, {}, {"us", "SPY", second, at("09:30:00")});
  CAF_REQUIRE(bar.has_value());
  CAF_CHECK((seqs(*bar) == numbers{1, 2}));
  CAF_CHECK_EQUAL(w.of_event(bar->events[1].offset).bars.size(), 1u);
}

CAF_TEST(what was trimmed is said to be) {
  lineage_world w;
  w.start();
  w.rise(6);
  auto made = w.signals("above").front();
  transaction dealt_with;
  dealt_with.commits.push_back({"window", topic::events, 0, w.log.range(topic::events, 0)->next});
  CAF_REQUIRE(w.log.write(std::move(dealt_with)).has_value());
  CAF_REQUIRE(w.log.trim(topic::events, 0, made.last_offset).has_value());
  auto head = w.log.range(topic::events, 0)->head;
  CAF_CHECK(head > made.first_offset && head <= made.last_offset);
  auto x = w.of_signal("above");
  CAF_REQUIRE_EQUAL(x.bars.size(), 2u);
  CAF_CHECK(x.bars[0].events.empty());
  CAF_CHECK_EQUAL(x.bars[0].missing, "events before offset " + std::to_string(head) + " are trimmed from the log");
  CAF_CHECK((seqs(x.bars[1]) == numbers{11, 13}));
  CAF_CHECK(x.rule.has_value() || has(x.notes.front(), "the rule's text is not found"));
  auto gone = lineage_of_event(w.log, 1, {}, 0, 0);
  CAF_REQUIRE(!gone.has_value());
  CAF_CHECK(gone.error().code == errc::trimmed);
  CAF_CHECK(has(gone.error().message, "kept from offset " + std::to_string(head)));
}

CAF_TEST(a rule whose start record is trimmed is read from the checkpoint that the log begins at) {
  lineage_world w;
  w.start();
  w.rise(6);
  auto made = w.signals("above").front();
  partition_stages stages;
  std::uint64_t at_offset = 0;
  for (auto& entry : w.entries()) {
    if (entry->offset >= made.first_offset + 3) break;
    CAF_REQUIRE(stages.apply(*entry).has_value());
    at_offset = entry->next();
  }
  transaction base;
  log_trimmer trimmer{w.log, 0, second};
  trimmer.add_base(base, at("09:30:00"), at_offset, stages.save());
  base.commits.push_back({"window", topic::events, 0, w.log.range(topic::events, 0)->next});
  CAF_REQUIRE(w.log.write(std::move(base)).has_value());
  CAF_REQUIRE(w.log.trim(topic::events, 0, at_offset).has_value());
  auto head = w.log.range(topic::events, 0)->head;
  CAF_CHECK_EQUAL(head, at_offset);
  auto x = w.of_signal("above");
  CAF_REQUIRE(x.rule.has_value());
  CAF_CHECK_EQUAL(x.rule->rule.condition, "close > vwap_2");
  CAF_CHECK_EQUAL(x.rule->found_in, "the checkpoint at offset " + std::to_string(at_offset) + ", where the log begins");
}

CAF_TEST(a rule that came into force before the bar closed is found in the start record behind its events) {
  lineage_world w;
  w.start();
  w.rise(3);
  w.kill("/partitions/0/window");
  w.kill("/partitions/0/appender");
  auto changed = w.book;
  changed.rules = {rule_of("later", "close > 1")};
  stage_rules rules{rules_of_one_second().save(), w.features.save(), changed.save()};
  auto end = w.log.range(topic::events, 0)->next;
  transaction told;
  told.appends.push_back({topic::events, 0, record_kind::start, 1, w.time.now(), to_msgpack(rules)});
  CAF_REQUIRE(w.log.write(std::move(told)).has_value());
  lineage_log log{w.log, 1, 1 << 20};
  auto rule = changed.rules.front().hash();
  auto before = log.rules_at(0, end - 1);
  CAF_REQUIRE(before.has_value() && before->has_value());
  CAF_CHECK((*before)->rule_of(rule) == nullptr);
  auto ahead = log.rules_ahead(0, end - 1, rule);
  CAF_REQUIRE(ahead.has_value() && ahead->has_value());
  CAF_CHECK_EQUAL((*ahead)->found_in, "the rules told at offset " + std::to_string(end));
  CAF_CHECK(!log.rules_ahead(0, end - 1, 4711)->has_value());
}

CAF_TEST(limits are kept and said) {
  lineage_world w;
  w.start();
  w.rise(6);
  w.limits.events = 3;
  auto x = w.of_signal("above");
  CAF_CHECK(x.truncated);
  CAF_CHECK((seqs(x.bars[1]) == numbers{11, 13})); // the newest first
  CAF_CHECK((seqs(x.bars[0]) == numbers{1}));
  CAF_CHECK_EQUAL(x.bars[0].missing, "an answer shows 3 events at most");
  w.limits = {};
  w.limits.bars = 1;
  x = w.of_signal("above");
  CAF_CHECK(x.truncated && !x.notes.empty());
  CAF_CHECK_EQUAL(seconds_of(x.bars), "01 ");
  w.limits = {};
  w.limits.vectors = 1;
  auto y = w.of_event(x.what.first_offset);
  CAF_CHECK(y.truncated && y.vectors.size() == 1);
}

CAF_TEST(a bar is named as it is written) {
  for (auto text : {"nyse/SPY/1s/2026-01-05T09:30:00Z", "fx/EUR/USD/60s/2026-01-05T09:30:00Z"}) {
    auto name = parse_bar_name(text);
    CAF_REQUIRE(name.has_value());
    CAF_CHECK_EQUAL(to_string(*name), text);
  }
  auto pair = parse_bar_name("fx/EUR/USD/1m/2026-01-05");
  CAF_REQUIRE(pair.has_value());
  CAF_CHECK_EQUAL(pair->symbol, "EUR/USD");
  for (auto text : {"", "SPY", "nyse/SPY", "nyse/SPY/1s", "nyse/SPY/soon/2026-01-05", "nyse/SPY/1s/soon"}) {
    auto name = parse_bar_name(text);
    CAF_REQUIRE(!name.has_value());
    CAF_CHECK(has(name.error().message, "PROVIDER/SYMBOL/INTERVAL/START"));
  }
}

CAF_TEST(lineage is answered over HTTP) {
  lineage_world w;
  w.start();
  w.rise(6);
  auto made = w.signals("above").front();
  auto answer = w.ask("signal/" + made.signal_id);
  CAF_CHECK_EQUAL(answer.status, 200);
  CAF_CHECK(has(answer.body, R"("condition":"close > vwap_2")"));
  CAF_CHECK(has(answer.body, R"("key":"nyse/SPY/1s/2026-01-05T09:30:01Z")"));
  CAF_CHECK(has(answer.body, R"("seq":13,"price":11,"size":1},"raw":null})"));
  CAF_CHECK_EQUAL(w.ask("signal/none").status, 404);
  answer =
    w.ask("bar", {{"provider", "nyse"}, {"symbol", "SPY"}, {"interval", "1s"}, {"start", "2026-01-05T09:30:00Z"}});
  CAF_CHECK_EQUAL(answer.status, 200);
  CAF_CHECK(has(answer.body, R"("complete":true)"));
  answer = w.ask("event", {{"partition", "0"}, {"offset", std::to_string(made.first_offset)}});
  CAF_CHECK_EQUAL(answer.status, 200);
  CAF_CHECK(has(answer.body, made.signal_id));
  CAF_CHECK_EQUAL(w.ask("event", {{"partition", "0"}, {"offset", "0"}}).status, 404); // the node's start
  CAF_CHECK_EQUAL(w.ask("event", {{"partition", "9"}, {"offset", "1"}}).status, 404);
  CAF_CHECK_EQUAL(w.ask("event", {{"partition", "x"}, {"offset", "1"}}).status, 400);
  CAF_CHECK_EQUAL(w.ask("event").status, 400);
  CAF_CHECK(has(w.ask("bar", {{"provider", "nyse"}}).body, "which symbol?"));
  CAF_CHECK_EQUAL(w.ask("tick").status, 404);
}
