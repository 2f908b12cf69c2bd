#define CAF_SUITE window

#include "actors/logic/rule_names.hpp"
#include "actors/stages.hpp"
#include "runtime/store/bar_store.hpp"
#include "tests/support/rules.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

struct window_world : world {
  window_world() { config.checkpoint.interval_ms = 1000; }
  void start() {
    appender = start_appender();
    window = start_window();
    feed = listen();
  }
  void kill_both() {
    kill("/partitions/0/window");
    kill("/partitions/0/appender");
    feed = {};
  }
  void append(const std::vector<happening>& events) {
    tell(appender, verb::append_v, part_of(events), ++number, feed.as<append_listener>());
  }
  void append(source_event what) {
    auto part = std::make_shared<chunk_part>();
    part->feed = "feed";
    part->after = {std::move(what)};
    tell(appender, verb::append_v, chunk_part_ptr{part}, ++number, feed.as<append_listener>());
  }
  void finish() { append(source_event{"feed", "nyse", source_change::eof, {}, {}, false, ""}); }
  std::vector<bar> bars() const {
    std::vector<bar> out;
    for (auto& x : derived_in_log())
      if (auto* made = std::get_if<bar>(&x)) out.push_back(*made);
    return out;
  }
  std::uint64_t snapshot_offset() const {
    auto snapshot = saved(stage_table, snapshot_key(0));
    return snapshot.empty() ? 0 : unpack_snapshot(snapshot).first;
  }
  std::uint64_t end_of_log() const { return log.range(topic::events, 0)->next; }

  appender_actor appender;
  window_actor window;
  listener feed;
  std::uint64_t number = 0;
};

// A trade every 100 ms, the last one late now and then.
std::vector<happening> second_number(int n) {
  std::vector<happening> out;
  for (int i = 0; i < 10; ++i) {
    auto when = at("09:30:00") + n * second + i * 100 * millisecond;
    out.push_back(trade(when, std::to_string(100 + (n * 7 + i * 3) % 11), std::to_string(1 + i % 3), n * 10 + i));
  }
  if (n % 4 == 3) out.push_back(trade(at("09:30:00") + (n - 3) * second, "1", "1", 10'000 + n));
  return out;
}

// The same twelve seconds of trading; `interrupt` comes after each.
template <class Interrupt> void trade_for_a_while(window_world& w, Interrupt interrupt) {
  for (int n = 0; n < 12; ++n) {
    w.append(second_number(n));
    w.pass(second);
    interrupt(n);
  }
  w.finish();
  w.pass(2 * second);
}

// Without what tells on which way it came about: places in the log, and what is thought of the source's health.
std::vector<std::string> told_all(const std::vector<bar>& bars) {
  std::vector<std::string> out;
  for (auto& b : bars) out.push_back(to_string(b.start) + " " + told(b));
  return out;
}

// What the log alone says, gone over from its beginning by a stage of its own.
std::vector<derived> replayed(const world& w) {
  window_stage stage;
  std::vector<derived> out;
  for (auto& entry : w.entries()) {
    auto step = stage.apply(*entry);
    ensure(step.has_value(), "an entry can be applied");
    out.insert(out.end(), step->bars.begin(), step->bars.end());
  }
  return out;
}

} // namespace

CAF_TEST(bars are published and stored when their windows close) {
  window_world w;
  w.start();
  w.append({trade(at("09:30:00.1"), "10", "1", 1), trade(at("09:30:00.9"), "12", "3", 2)});
  CAF_CHECK(w.bars().empty());
  w.append({trade(at("09:30:01.5"), "11", "1", 3)}); // the watermark is at 09:30:01
  CAF_REQUIRE_EQUAL(w.bars().size(), 1u);
  CAF_CHECK_EQUAL(told(w.bars()[0]), "10/12/10/12/4/11.5/2");
  std::vector<bar> stored;
  CAF_CHECK(scan_bars(w.log, {"SPY", second, "", earliest, at("10:00:00")}, [&](const bar& x) {
              return stored.push_back(x), true;
            }).has_value());
  CAF_CHECK(stored == w.bars());
}

CAF_TEST(windows close by the passing of time alone) {
  window_world w;
  w.start();
  w.append({trade(at("09:30:00.1"), "10", "1", 1)});
  w.pass(4 * second);
  CAF_CHECK_EQUAL(w.bars().size(), 1u);
  CAF_CHECK(w.derived_in_log() == replayed(w));
}

CAF_TEST(however often it is killed the bars are the same and none is doubled) {
  window_world calm;
  calm.start();
  trade_for_a_while(calm, [](int) {});
  CAF_REQUIRE_EQUAL(calm.bars().size(), 12u);
  CAF_CHECK_EQUAL(calm.letters(topic::rejected).size(), 3u); // seconds 3, 7 and 11

  window_world window_killed;
  window_killed.start();
  trade_for_a_while(window_killed, [&](int) {
    window_killed.kill("/partitions/0/window");
    window_killed.window = window_killed.start_window();
  });
  CAF_CHECK(window_killed.derived_in_log() == calm.derived_in_log());
  CAF_CHECK(window_killed.letters(topic::rejected) == calm.letters(topic::rejected));

  window_world both_killed;
  both_killed.start();
  trade_for_a_while(both_killed, [&](int) {
    both_killed.kill_both();
    both_killed.start();
  });
  CAF_CHECK(told_all(both_killed.bars()) == told_all(calm.bars()));
  CAF_CHECK(both_killed.derived_in_log() == replayed(both_killed));
  CAF_CHECK_EQUAL(both_killed.letters(topic::rejected).size(), 3u);
}

CAF_TEST(whichever stage is killed its features and signals are the same and none is doubled) {
  auto with_rules = [](window_world& w) {
    feature_rules features;
    features.windows = {{"momentum", feature_kind::momentum, 0, 2}, {"rsi", feature_kind::rsi, 0, 3}};
    rule_book book;
    book.names = rule_names(features.windows);
    book.rules = {rule_of("rising", "momentum > 0"), rule_of("low", "rsi < 50")};
    w.rules.set({rules_of_one_second().save(), features.save(), book.save()});
    w.start();
  };
  auto told_all = [](const window_world& w) {
    std::vector<std::string> out;
    for (auto where : {topic::bars, topic::features, topic::signals})
      for (auto& r : w.records(where)) out.push_back(r.payload);
    return out;
  };
  window_world calm;
  with_rules(calm);
  trade_for_a_while(calm, [](int) {});
  CAF_CHECK_EQUAL(calm.records(topic::features).size(), 12u);
  CAF_CHECK_LESS(2u, calm.records(topic::signals).size());
  for (auto* victim : {"features", "inference", "window"}) {
    window_world w;
    with_rules(w);
    trade_for_a_while(w, [&](int n) {
      if (n % 2 == 0) return;
      // As their supervisor would: the window goes along, and the new one tells those behind it where to begin.
      w.kill(partition_path(0, victim));
      w.forget(partition_path(0, victim));
      w.kill("/partitions/0/window");
      w.window = w.start_window();
    });
    CAF_CHECK(told_all(w) == told_all(calm));
  }
}

CAF_TEST(rules that change while it runs hold from their place in the log on) {
  window_world w;
  w.start();
  trade_for_a_while(w, [&](int n) {
    if (n != 5) return;
    feature_rules features;
    features.windows = {{"momentum", feature_kind::momentum, 0, 1}};
    rule_book book;
    book.names = rule_names(features.windows);
    book.rules = {rule_of("rising", "momentum > -1")};
    w.rules.set({rules_of_one_second().save(), features.save(), book.save()});
    w.tell(w.appender, verb::obey_v);
    w.tell(w.appender, verb::obey_v); // they are in force already
  });
  auto entries = w.entries();
  auto told = std::count_if(entries.begin(), entries.end(),
                            [](auto& e) { return e->kind == static_cast<std::uint8_t>(record_kind::rules); });
  CAF_CHECK_EQUAL(told, 1);
  CAF_CHECK_EQUAL(w.bars().size(), 12u);
  CAF_CHECK_EQUAL(w.records(topic::features).size(), 7u); // of seconds 5 to 11: the fifth was open yet
  CAF_CHECK_EQUAL(w.records(topic::signals).size(), 1u);  // on the edge
}

CAF_TEST(what was committed after the last snapshot is not doubled by a restart) {
  window_world w;
  w.config.checkpoint.interval_ms = 3'600'000;
  w.start();
  trade_for_a_while(w, [&](int n) {
    if (n % 3 != 2) return;
    CAF_CHECK_EQUAL(w.snapshot_offset(), 0u);
    w.kill_both();
    w.start();
  });
  CAF_CHECK_EQUAL(w.bars().size(), 12u);
  CAF_CHECK(w.derived_in_log() == replayed(w));
  CAF_CHECK_EQUAL(w.letters(topic::rejected).size(), 3u);
}

CAF_TEST(a state that is large is written more rarely) {
  auto snapshots = [](std::uint64_t max_bytes_per_s) {
    window_world w;
    w.config.checkpoint.max_bytes_per_s = max_bytes_per_s;
    w.start();
    trade_for_a_while(w, [](int) {});
    std::size_t out = 0;
    for (auto& tx : w.log.taken())
      for (auto& x : tx.writes) out += x.key == snapshot_key(0) ? 1u : 0u;
    return out;
  };
  auto often = snapshots(1 << 20), rarely = snapshots(50);
  CAF_CHECK_LESS(8u, often); // one a second
  CAF_CHECK_LESS(rarely, 5u);
  CAF_CHECK_LESS(0u, rarely);
}

CAF_TEST(a restart goes on from the snapshot and not from the beginning) {
  window_world w;
  w.start();
  trade_for_a_while(w, [](int) {});
  auto snapshot = w.snapshot_offset();
  CAF_CHECK(snapshot > 100); // at least the twelve seconds' events
  w.kill_both();
  w.appender = w.start_appender();
  auto reads = w.log.reads();
  w.window = w.start_window();
  CAF_CHECK(w.log.reads() - reads <= 1);
  CAF_CHECK(w.status("/partitions/0/window")->find("\"snapshot_at\":" + std::to_string(snapshot)) != std::string::npos);
}

CAF_TEST(a snapshot that cannot be used costs only a longer way) {
  window_world w;
  w.start();
  trade_for_a_while(w, [](int) {});
  auto before = w.derived_in_log();
  w.kill_both();
  transaction damage;
  damage.writes.push_back({stage_table, snapshot_key(0), pack_snapshot(w.snapshot_offset(), {"garbage", "", ""})});
  CAF_CHECK(w.log.write(std::move(damage)).has_value());
  w.start();
  w.pass(2 * second);
  CAF_CHECK(w.derived_in_log() == before);
  CAF_CHECK_EQUAL(w.figures.partitions_caught_up.load(), 1);
}

CAF_TEST(a window that is behind reads the log itself and then follows the appender) {
  window_world w;
  w.config.limits.recent_batches = 2;
  w.appender = w.start_appender();
  w.feed = w.listen();
  for (int n = 0; n < 12; ++n) w.append(second_number(n));
  CAF_CHECK(w.bars().empty());
  auto reads = w.log.reads();
  w.window = w.start_window();
  CAF_CHECK(w.log.reads() > reads);
  CAF_CHECK_EQUAL(w.bars().size(), 11u);
  CAF_CHECK_EQUAL(w.figures.partitions_caught_up.load(), 1);
  reads = w.log.reads();
  w.append(second_number(12));
  CAF_CHECK_EQUAL(w.bars().size(), 12u);
  CAF_CHECK_EQUAL(w.log.reads(), reads);
}

CAF_TEST(bars do not wait for the next checkpoint when a snapshot is underway as their events come) {
  window_world w;
  w.start();
  w.append({trade(at("09:30:00.1"), "10", "1", 1)});
  // The checkpoint's pulse comes to the window while the end of the feed is on its way from the appender.
  caf::anon_send(
    w.appender, verb::append_v,
    [] {
      auto part = std::make_shared<chunk_part>();
      part->after = {{"feed", "nyse", source_change::eof, {}, {}, false, ""}};
      return chunk_part_ptr{part};
    }(),
    std::uint64_t{9}, w.feed.as<append_listener>());
  w.tell(w.window, verb::pulse_v);
  CAF_CHECK_EQUAL(w.bars().size(), 1u);
}

CAF_TEST(stopping writes a last snapshot at the end of what it has seen) {
  window_world w;
  w.config.checkpoint.interval_ms = 3'600'000;
  w.start();
  w.append(second_number(0));
  w.append(second_number(1));
  CAF_CHECK_EQUAL(w.snapshot_offset(), 0u);
  auto address = w.window.address();
  w.tell(w.window, verb::stop_v);
  CAF_CHECK(!w.alive(address));
  CAF_CHECK_EQUAL(w.snapshot_offset(), w.end_of_log());
}

CAF_TEST(stopping waits for a log that is in trouble) {
  window_world w;
  w.start();
  w.append(second_number(0));
  w.log.refuse(errc::disk_full);
  auto address = w.window.address();
  w.tell(w.window, verb::stop_v);
  CAF_CHECK(w.alive(address));
  w.log.refuse(errc::none);
  w.pass(second);
  CAF_CHECK(!w.alive(address));
  CAF_CHECK_EQUAL(w.snapshot_offset(), 11u); // the rules and ten events; after them comes only the passing of time
}

CAF_TEST(a log that cannot be read ends the window) {
  window_world w;
  w.start();
  w.append(second_number(0));
  transaction garbage; // a source record that is none
  garbage.appends.push_back({topic::events, 0, record_kind::source, 1, at("09:31:00"), "garbage"});
  CAF_CHECK(w.log.write(std::move(garbage)).has_value());
  w.time.advance(60 * second);
  w.kill_both();
  w.config.limits.recent_batches = 1;
  w.appender = w.start_appender();
  w.window = w.start_window();
  CAF_CHECK(w.end_of("/partitions/0/window").find("reading the log: events at offset 11: ") != std::string::npos);
}
