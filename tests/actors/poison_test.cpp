// A record that crashes its stage again and again, in whichever stage: it is set aside, the partition goes on behind
// it, and whoever goes over the log leaves out the same.
#define CAF_SUITE poison

#include "actors/letter_taker.hpp"
#include "actors/lineage.hpp"
#include "actors/logic/rule_names.hpp"
#include "actors/set_aside.hpp"
#include "actors/stages.hpp"
#include "messages/codec/msgpack.hpp"
#include "runtime/broker/memory_broker.hpp"
#include "runtime/store/signal_store.hpp"
#include "tests/support/rules.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

#include <algorithm>

using namespace finstream;
using namespace finstream::test;

namespace {

stage_rules sound_rules() {
  feature_rules features;
  features.windows = {{"momentum", feature_kind::momentum, 0, 2}};
  rule_book book;
  book.names = rule_names(features.windows);
  book.rules = {rule_of("rising", "momentum > 0"), rule_of("falling", "momentum < 0")};
  return {rules_of_one_second().save(), features.save(), book.save()};
}

stage_rules with(std::string stage_rules::*part, const std::string& text) {
  auto out = sound_rules();
  out.*part = text;
  return out;
}

struct poison {
  std::string stage; // that crashes
  record_kind kind;
  std::string payload;
};

// Each is whole in the log, and yet nobody can do anything with it.
std::vector<poison> all_poisons() {
  auto events = events_record(0, at("09:30:05"), make_batch({trade(at("09:30:05"), "1", "1", 777)})).payload;
  events[events.size() / 2] = '\x7f';
  events.resize(events.size() - 1);
  return {{"window", record_kind::source, "garbage"},
          {"window", record_kind::events, events},
          {"window", record_kind::rules, to_msgpack(with(&stage_rules::bars, "garbage"))},
          {"features", record_kind::rules, to_msgpack(with(&stage_rules::features, "garbage"))},
          {"inference", record_kind::rules, to_msgpack(with(&stage_rules::signals, "garbage"))}};
}

struct poison_world : world {
  poison_world() {
    config.checkpoint.interval_ms = 1000;
    rules.set(sound_rules());
  }
  static constexpr const char* children[] = {"appender", "inference", "features", "window"};

  // As their supervisor would: who crashed is started again with all that were started after it.
  bool revive() {
    auto dead = std::find_if(std::begin(children), std::end(children),
                             [&](auto* x) { return !find<caf::actor>(partition_path(0, x)) || has_ended(x); });
    if (dead == std::end(children)) return false;
    for (auto x = dead; x != std::end(children); ++x) {
      kill(partition_path(0, *x));
      forget(partition_path(0, *x));
    }
    if (dead == std::begin(children)) appender = start_appender();
    start_window();
    return true;
  }
  bool has_ended(const std::string& child) { return !end_of(partition_path(0, child.c_str())).empty(); }
  int revive_all(int most = 20) {
    int times = 0;
    while (times < most && revive()) ++times;
    feed = listen();
    return times;
  }
  void die() { // all of the process, its memory of crashes too
    for (auto* x : {"window", "features", "inference", "appender"}) {
      kill(partition_path(0, x));
      forget(partition_path(0, x));
    }
    figures.crashes.forget(0);
  }
  void trade_second(int n) {
    std::vector<happening> events;
    for (int i = 0; i < 10; ++i)
      events.push_back(trade(at("09:30:00") + n * second + i * 100 * millisecond,
                             std::to_string(100 + (n * 7 + i * 3) % 11), "1", n * 10 + i));
    tell(appender, verb::append_v, part_of(events), ++number, feed.as<append_listener>());
    pass(second);
  }
  // Straight into the log, as if an earlier version had written it.
  std::uint64_t put(const poison& what) {
    transaction tx;
    tx.appends.push_back({topic::events, 0, what.kind, 1, time.now(), what.payload});
    return log.write(std::move(tx))->offsets.front();
  }
  std::size_t bars() const {
    auto all = derived_in_log();
    return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](auto& x) { return std::holds_alternative<bar>(x); }));
  }

  appender_actor appender;
  listener feed;
  std::uint64_t number = 0;
};

// The payloads of the derived topics, as a replay gives them and as they are in the log.
std::vector<std::string> replayed(const world& w) {
  partition_stages stages;
  stages.leave_out(set_aside_records::load(w.log, 0).value());
  std::vector<std::string> bars, features, signals;
  for (auto& r : w.records(topic::events)) {
    if (stages.leaves_out(r.offset)) continue;
    auto step = stages.apply(**to_log_entry(r)).value();
    for (auto [out, items] :
         {std::pair{&bars, &step.bars}, std::pair{&features, &step.features}, std::pair{&signals, &step.signals}})
      if (!items->empty()) out->push_back(to_msgpack(*items));
  }
  bars.insert(bars.end(), features.begin(), features.end());
  bars.insert(bars.end(), signals.begin(), signals.end());
  return bars;
}
std::vector<std::string> logged(const world& w) {
  std::vector<std::string> out;
  for (auto where : {topic::bars, topic::features, topic::signals})
    for (auto& r : w.records(where)) out.push_back(r.payload);
  return out;
}

} // namespace

CAF_TEST(a record that crashes its stage three times is set aside and the partition goes on behind it) {
  for (auto& what : all_poisons()) {
    CAF_MESSAGE(what.stage << " " << static_cast<int>(what.kind));
    poison_world w;
    w.revive_all();
    for (int n = 0; n < 4; ++n) w.trade_second(n);
    w.die();
    auto offset = w.put(what);
    w.time.advance(second);
    auto in_appender = what.kind == record_kind::events;
    CAF_CHECK_EQUAL(w.revive_all(), in_appender ? 3 : 4); // the first start is one of them
    auto letters = w.letters(topic::dead_letters);
    CAF_REQUIRE_EQUAL(letters.size(), 1u);
    auto& letter = letters[0];
    CAF_CHECK(letter.code == errc::poison);
    CAF_CHECK_EQUAL(letter.stage, what.stage);
    CAF_CHECK_EQUAL(letter.cause_topic, "events");
    CAF_CHECK_EQUAL(letter.cause_offset, offset);
    CAF_CHECK_EQUAL(letter.attempts, 3u);
    CAF_CHECK_EQUAL(letter.bytes, what.payload);
    CAF_CHECK(letter.reason.find("3 times") != std::string::npos);
    CAF_CHECK_EQUAL(w.counted("finstream_set_aside_total{stage=\"" + what.stage + "\"}"), 1u);
    auto before = w.bars();
    for (int n = 5; n < 9; ++n) w.trade_second(n);
    w.pass(3 * second);
    CAF_CHECK_LESS(before + 3, w.bars());
    CAF_CHECK_LESS(0u, w.records(topic::signals).size());
    CAF_CHECK(logged(w) == replayed(w));
    if (in_appender) {
      auto event = lineage_of_event(w.log, 1, {}, 0, offset);
      CAF_CHECK(!event && event.error().message.find("was set aside") != std::string::npos);
    }
    std::vector<signal> signals;
    signal_query every;
    every.symbol = "SPY";
    CAF_CHECK(scan_signals(w.log, every, [&](const signal& x) { return signals.push_back(x), true; }).has_value());
    auto lineage = lineage_of_signal(w.log, 1, {}, signals.back().signal_id);
    CAF_CHECK(lineage && lineage->rule); // the rules of poison are not those that were in force
    // And it stays so after a restart that goes over all of it again.
    w.die();
    transaction no_snapshot;
    no_snapshot.writes.push_back({stage_table, snapshot_key(0), std::nullopt});
    CAF_CHECK(w.log.write(std::move(no_snapshot)).has_value());
    CAF_CHECK_EQUAL(w.revive_all(), 1);
    for (int n = 10; n < 13; ++n) w.trade_second(n);
    w.pass(3 * second);
    CAF_CHECK_EQUAL(w.letters(topic::dead_letters).size(), 1u);
    CAF_CHECK(logged(w) == replayed(w));
  }
}

CAF_TEST(a process that is killed between the crashes begins to count anew) {
  poison_world w;
  w.revive_all();
  for (int n = 0; n < 3; ++n) w.trade_second(n);
  w.die();
  w.put(all_poisons()[2]);
  for (int i = 0; i < 4; ++i) {
    CAF_CHECK(w.revive()); // starts all: the window crashes
    CAF_CHECK(w.revive());
    CAF_CHECK(w.letters(topic::dead_letters).empty());
    w.die();
  }
  w.revive_all();
  CAF_CHECK_EQUAL(w.letters(topic::dead_letters).size(), 1u);
}

CAF_TEST(with poison_after 0 the stage crashes for as long as its supervisor lets it) {
  poison_world w;
  w.config.supervisor.poison_after = 0;
  w.revive_all();
  w.trade_second(0);
  w.die();
  w.put(all_poisons()[0]);
  CAF_CHECK_EQUAL(w.revive_all(), 20);
  CAF_CHECK(w.letters(topic::dead_letters).empty());
}

CAF_TEST(crashes at other records than before do not add up) {
  crash_book book;
  auto note = [&](std::uint64_t offset, line_stage stage) {
    book.note(0, {offset, stage, "because", 1, at("09:30:00"), at("09:30:00")});
  };
  note(7, line_stage::window), note(7, line_stage::window), note(8, line_stage::window), note(8, line_stage::features);
  CAF_CHECK(!book.at_least(0, 2));
  note(8, line_stage::features);
  CAF_CHECK(book.at_least(0, 2) && book.at_least(0, 2)->offset == 8);
  CAF_CHECK(!book.at_least(0, 0) && !book.at_least(1, 1));
  book.forget(0);
  CAF_CHECK(!book.at_least(0, 1));
}

CAF_TEST(a record that gave something already is not set aside) {
  poison_world w;
  w.revive_all();
  for (int n = 0; n < 4; ++n) w.trade_second(n);
  auto events = w.entries();
  for (int i = 0; i < 3; ++i)
    w.figures.crashes.note(0, {events[1]->offset, line_stage::window, "not pure", 1, w.time.now(), w.time.now()});
  w.kill("/partitions/0/window");
  w.revive_all();
  CAF_CHECK(w.letters(topic::dead_letters).empty());
  CAF_CHECK(set_aside_records::load(w.log, 0).value().all().empty());
  w.trade_second(5);
  w.pass(3 * second);
  CAF_CHECK(logged(w) == replayed(w));
}

CAF_TEST(where letters are for another process to write the partition stands until that one has) {
  for (auto& what : all_poisons()) {
    CAF_MESSAGE(what.stage << " " << static_cast<int>(what.kind));
    poison_world w;
    w.revive_all();
    for (int n = 0; n < 4; ++n) w.trade_second(n);
    w.die();
    w.put(what);
    w.context.duties = {false, true, false};
    auto before = w.bars();
    CAF_CHECK(w.revive_all() <= 5); // and then nobody crashes any more
    w.pass(60 * second);
    CAF_CHECK(!w.revive());
    CAF_CHECK_EQUAL(w.bars(), before);
    CAF_CHECK_EQUAL(w.figures.partitions_caught_up.load(), 0);
    CAF_CHECK(w.letters(topic::dead_letters).empty());
    // The other one is there, and its log is this one's: as if each followed the other at once.
    memory_broker_server server;
    auto stream = [&](const char* me) {
      return letter_stream{[&]() -> expected<std::unique_ptr<broker>> { return server.open(); }, "letters", 1, me};
    };
    poison_world ingest;
    ingest.context.log = &w.log;
    ingest.context.duties = {true, false, false};
    ingest.time.advance(w.time.now() - ingest.time.now());
    do { // its own look back may crash over the record
      ingest.kill(partition_path(0, "appender")), ingest.forget(partition_path(0, "appender"));
      ingest.appender = ingest.start_appender();
    } while (ingest.has_ended("appender"));
    ingest.feed = ingest.listen();
    spawn_metered<letter_taker_state>(ingest.system(), ingest.where, letters_path,
                                      [&](letter_taker_state& x) { x.prepare(&ingest.context, stream("ingest")); });
    spawn_metered<letter_sender_state>(w.system(), w.where, letters_path,
                                       [&](letter_sender_state& x) { x.prepare(&w.context, stream("worker")); });
    for (int i = 0; i < 3; ++i) w.pass(second), ingest.pass(second);
    w.pass(2 * second);
    CAF_CHECK_EQUAL(w.letters(topic::dead_letters).size(), 1u);
    CAF_CHECK_EQUAL(w.figures.partitions_caught_up.load(), 1);
    for (int i = 0; i < 6; ++i) {
      ingest.trade_second(static_cast<int>((ingest.time.now() - at("09:30:00")) / second));
      w.tell(w.find<appender_actor>(partition_path(0, "appender")), verb::grown_v);
      w.pass(second);
    }
    CAF_CHECK(!w.revive());
    CAF_CHECK_LESS(before, w.bars());
    CAF_CHECK(logged(w) == replayed(w));
    for (auto* x : {&w, &ingest}) x->kill(letters_path), x->die();
  }
}
