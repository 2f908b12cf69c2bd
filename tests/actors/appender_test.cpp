#define CAF_SUITE appender

#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

#include <numeric>

using namespace finstream;
using namespace finstream::test;

namespace {

// Trades with these seqs, one a millisecond.
std::vector<happening> trades(std::int64_t first, std::int64_t last) {
  std::vector<happening> out;
  for (auto seq = first; seq <= last; ++seq) out.push_back(trade(at("09:30:00") + seq * millisecond, "10", "1", seq));
  return out;
}

std::vector<std::int64_t> numbers(std::int64_t first, std::int64_t last) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(last - first + 1));
  std::iota(out.begin(), out.end(), first);
  return out;
}

struct appender_world : world {
  appender_actor appender;
  listener feed, reader;
  std::uint64_t last_number = 0;

  void start() {
    appender = start_appender();
    feed = listen();
    reader = listen();
  }
  void append(chunk_part_ptr what, std::uint64_t number) {
    tell(appender, verb::append_v, what, number, feed.as<append_listener>());
  }
  void append(chunk_part_ptr what) { append(std::move(what), ++last_number); }
  void pull(std::uint64_t offset) { tell(appender, verb::pull_v, offset, reader.as<entry_reader>()); }
  void pull_bars(std::uint64_t offset) {
    tell(appender, verb::pull_v, derived_topic::bars, offset, reader.as<derived_reader>());
  }
  void commit(const stage_result& what) {
    tell(appender, verb::commit_v, std::make_shared<stage_result>(what), reader.as<commit_listener>());
  }
  void start_again() {
    kill("/partitions/0/appender");
    start();
  }
};

source_event word(source_change change) { return {"feed", "nyse", change, {}, {}, false, ""}; }

// What the stages would hand in for the entry at `cause`.
stage_result result_for(std::uint64_t cause, std::uint64_t dealt_with, bool open_windows = false) {
  stage_step step;
  step.cause = cause;
  step.log_ts = at("09:30:02");
  bar b;
  b.provider = "nyse", b.symbol = "SPY", b.interval = second;
  b.start = at("09:30:00") + static_cast<nanoseconds>(cause) * second, b.end = b.start + second;
  step.bars = {b};
  stage_result out;
  out.dealt_with = dealt_with;
  out.steps = {step};
  out.open_windows = open_windows;
  return out;
}

std::size_t clock_records(const world& w) {
  auto all = w.entries();
  return static_cast<std::size_t>(std::count_if(
    all.begin(), all.end(), [](auto& e) { return e->kind == static_cast<std::uint8_t>(record_kind::clock); }));
}

} // namespace

CAF_TEST(the log of a partition begins with the rules for its bars) {
  appender_world w;
  w.start();
  auto log = w.entries();
  CAF_REQUIRE_EQUAL(log.size(), 1u);
  CAF_CHECK(log[0]->rules == w.rules.get().first);
  CAF_CHECK(log[0]->log_ts == at("09:30:00"));
  CAF_CHECK_EQUAL(w.figures.partitions_recovered.load(), 1);
}

CAF_TEST(all of a part is in the log in its order and by one transaction) {
  appender_world w;
  w.start();
  auto part = std::make_shared<chunk_part>(*part_of(trades(1, 3), resume_point{"here", at("09:30:00.003"), 3}));
  part->before = {word(source_change::up)};
  part->after = {word(source_change::heartbeat), word(source_change::eof)};
  part->dead_letters = {{"feed", at("09:30:00"), errc::malformed_line, "no", 4, 70, "{"}};
  auto before = w.log.taken().size();
  w.append(part);
  CAF_REQUIRE_EQUAL(w.log.taken().size(), before + 1);
  CAF_CHECK(w.feed.now().appended == std::vector<std::uint64_t>{1});
  auto log = w.entries();
  CAF_REQUIRE_EQUAL(log.size(), 5u); // the rules, and these four
  CAF_CHECK(log[1]->source == part->before[0]);
  CAF_CHECK_EQUAL(log[2]->events->rows.size(), 3u);
  CAF_CHECK(log[3]->source == part->after[0]);
  CAF_CHECK(log[4]->source == part->after[1]);
  CAF_CHECK(w.letters(topic::dead_letters) == part->dead_letters);
  auto point = unpack_resume_point(w.saved(feeds_table, "feed"));
  CAF_CHECK(point.has_value() && *point == *part->resume);
}

CAF_TEST(parts are in the log in the order in which they came) {
  appender_world w;
  w.start();
  for (std::int64_t i = 0; i < 20; ++i) w.append(part_of(trades(i * 10, i * 10 + 9)));
  CAF_CHECK_EQUAL(w.end_of("/partitions/0/appender"), "");
  CAF_CHECK(w.events_in_log() == numbers(0, 199));
  CAF_CHECK_EQUAL(w.feed.now().appended.size(), 20u);
  CAF_CHECK_EQUAL(w.figures.events.load(), 200u);
}

CAF_TEST(an event that is in the log already is dropped and counted) {
  appender_world w;
  w.start();
  w.append(part_of(trades(1, 10)));
  w.append(part_of(trades(6, 15)));
  w.append(part_of(trades(1, 15))); // nothing is left of this one, and it is confirmed all the same
  CAF_CHECK(w.events_in_log() == numbers(1, 15));
  CAF_CHECK_EQUAL(w.figures.duplicates.load(), 5u + 15u);
  CAF_CHECK_EQUAL(w.counted("finstream_duplicates_total{feed=\"feed\"}"), 20u);
  CAF_CHECK_EQUAL(w.feed.now().appended.size(), 3u);
}

CAF_TEST(a restarted appender still knows what is in the log) {
  appender_world w;
  w.start();
  w.append(part_of(trades(1, 10)));
  w.append(part_of(trades(11, 20)));
  w.start_again();
  w.append(part_of(trades(5, 25)));
  CAF_CHECK(w.events_in_log() == numbers(1, 25));
  CAF_CHECK_EQUAL(w.figures.duplicates.load(), 16u);
}

CAF_TEST(a part that is in the log already is only confirmed when it comes again) {
  appender_world w;
  w.start();
  auto part = std::make_shared<chunk_part>(*part_of(trades(1, 3)));
  part->sender = 77;
  part->before = {word(source_change::up)};
  part->dead_letters = {{"feed", at("09:30:00"), errc::malformed_line, "no", 4, 70, "{"}};
  w.append(part, 5);
  w.append(part, 5);
  w.start_again();
  auto records = w.records(topic::events).size();
  w.append(part, 5);
  CAF_CHECK(w.feed.now().appended == std::vector<std::uint64_t>{5});
  CAF_CHECK_EQUAL(w.records(topic::events).size(), records);
  CAF_CHECK_EQUAL(w.letters(topic::dead_letters).size(), 1u);
  auto of_another = std::make_shared<chunk_part>(*part_of(trades(4, 4)));
  of_another->sender = 78; // another life of the ingestor, which counts from the beginning
  w.append(of_another, 1);
  CAF_CHECK(w.events_in_log() == numbers(1, 4));
}

CAF_TEST(duplicates are known as far back as the horizon and no further than a quarter more) {
  for (auto again : {false, true}) {
    appender_world w;
    w.config.windows.duplicate_horizon_events = 100;
    w.start();
    for (std::int64_t i = 0; i < 30; ++i) w.append(part_of(trades(i * 10 + 1, i * 10 + 10)));
    if (again) w.start_again();
    w.append(part_of(trades(211, 300))); // within the last 100, the start's own record not counted
    CAF_CHECK_EQUAL(w.figures.duplicates.load(), 90u);
    w.append(part_of(trades(1, 10))); // 300 events ago: taken for new
    CAF_CHECK_EQUAL(w.figures.duplicates.load(), 90u);
    CAF_CHECK_EQUAL(w.figures.events.load(), 310u);
  }
}

CAF_TEST(the time of the log never goes back when the clock does) {
  appender_world w;
  w.start();
  w.append(part_of(trades(1, 1)));
  w.time.advance(-3600 * second);
  w.append(part_of(trades(2, 2)));
  w.start_again();
  w.append(part_of(trades(3, 3)));
  auto last = earliest;
  for (auto& entry : w.entries()) {
    CAF_CHECK(entry->log_ts >= last);
    last = entry->log_ts;
  }
  CAF_CHECK(last == at("09:30:00"));
  CAF_CHECK(w.events_in_log() == numbers(1, 3));
}

CAF_TEST(a reader who is not far behind is served from memory) {
  appender_world w;
  w.start();
  w.append(part_of(trades(1, 3)));
  w.append(part_of(trades(4, 6)));
  auto reads = w.log.reads();
  w.pull(1); // after the rules
  auto heard = w.reader.now().entries;
  CAF_REQUIRE_EQUAL(heard.size(), 1u);
  CAF_CHECK(!heard[0].behind);
  CAF_REQUIRE_EQUAL(heard[0].entries.size(), 2u);
  CAF_CHECK_EQUAL(heard[0].entries[0]->offset, 1u);
  CAF_CHECK_EQUAL(heard[0].entries[1]->offset, 4u);
  CAF_CHECK_EQUAL(w.log.reads(), reads);
}

CAF_TEST(a reader who asks for what memory no longer has is told that it is behind) {
  appender_world w;
  w.config.limits.recent_batches = 4;
  w.start();
  for (std::int64_t i = 0; i < 10; ++i) w.append(part_of(trades(i, i)));
  w.pull(6); // offsets 7 to 10 are kept
  w.pull(7);
  auto heard = w.reader.now().entries;
  CAF_REQUIRE_EQUAL(heard.size(), 2u);
  CAF_CHECK(heard[0].behind && heard[0].entries.empty());
  CAF_CHECK(!heard[1].behind);
  CAF_CHECK_EQUAL(heard[1].entries.size(), 4u);
}

CAF_TEST(a reader at the end is answered when something comes and not before) {
  appender_world w;
  w.start();
  w.pull(1);
  CAF_CHECK(w.reader.now().entries.empty());
  w.pass(5 * second);
  CAF_CHECK(w.reader.now().entries.empty());
  w.append(part_of(trades(1, 2)));
  auto heard = w.reader.now().entries;
  CAF_REQUIRE_EQUAL(heard.size(), 1u);
  CAF_CHECK_EQUAL(heard[0].entries.size(), 1u);
  w.append(part_of(trades(3, 4))); // one pull, one answer
  CAF_CHECK_EQUAL(w.reader.now().entries.size(), 1u);
}

CAF_TEST(the passing of time is logged while windows are open and only then) {
  appender_world w;
  w.start();
  w.append(part_of(trades(1, 1)));
  w.pass(3 * second);
  CAF_CHECK_EQUAL(clock_records(w), 0u);
  stage_result open;
  open.dealt_with = 2, open.open_windows = true;
  w.commit(open);
  w.pass(2 * second);
  CAF_CHECK_EQUAL(clock_records(w), 8u); // one each 250 ms
  stage_result closed;
  closed.dealt_with = 2 + 8;
  w.commit(closed);
  w.pass(3 * second);
  CAF_CHECK_EQUAL(clock_records(w), 8u);
}

CAF_TEST(bars are stored and published and counted as dealt with by one transaction) {
  appender_world w;
  w.start();
  w.append(part_of(trades(1, 1)));
  w.pull_bars(0);
  auto before = w.log.taken().size();
  auto handed_in = result_for(1, 2);
  stage_states states{"window's", "features'", "inference's"};
  handed_in.snapshot = states;
  handed_in.steps[0].rejected = {{"feed", at("09:30:02"), errc::late, "late", 0, 1, "{}"}};
  w.commit(handed_in);
  CAF_CHECK_EQUAL(w.log.taken().size(), before + 1);
  CAF_CHECK(w.derived_in_log() == handed_in.steps[0].bars);
  CAF_CHECK(w.letters(topic::rejected) == handed_in.steps[0].rejected);
  CAF_CHECK_EQUAL(w.saved(stage_table, dealt_with_key(0)), "2");
  CAF_CHECK(unpack_snapshot(w.saved(stage_table, snapshot_key(0))) == std::pair(std::uint64_t{2}, states));
  CAF_CHECK(w.log.committed("window", topic::events, 0).value() == 2u);
  auto heard = w.reader.now();
  CAF_CHECK(heard.committed == std::vector<std::uint64_t>{2});
  CAF_REQUIRE_EQUAL(heard.bars.size(), 1u);
  CAF_CHECK_EQUAL(heard.bars[0].records.size(), 1u);
  CAF_CHECK_EQUAL(w.figures.bars.load(), 1u);
}

CAF_TEST(a result that is handed in twice is written once and also by a restarted appender) {
  appender_world w;
  w.start();
  w.append(part_of(trades(1, 1)));
  w.commit(result_for(1, 2));
  w.commit(result_for(1, 2));
  w.start_again();
  w.commit(result_for(1, 2));
  CAF_CHECK_EQUAL(w.derived_in_log().size(), 1u);
  CAF_CHECK_EQUAL(w.figures.bars.load(), 1u);
  auto cause = w.log.range(topic::events, 0)->next;
  w.append(part_of(trades(2, 2)));
  w.commit(result_for(cause, cause + 1));
  CAF_CHECK_EQUAL(w.derived_in_log().size(), 2u);
}

CAF_TEST(rejected events that are handed in again beside new ones are counted once) {
  appender_world w;
  w.start();
  w.append(part_of(trades(1, 2)));
  auto rejected = [](std::uint64_t cause) {
    dead_letter letter;
    letter.code = errc::late;
    stage_step step;
    step.cause = cause, step.log_ts = at("09:30:00"), step.rejected = {letter};
    return step;
  };
  stage_result first, again;
  first.dealt_with = 2, first.steps = {rejected(1)};
  again.dealt_with = 3, again.steps = {rejected(1), rejected(2)};
  w.commit(first);
  w.commit(again);
  CAF_CHECK_EQUAL(w.letters(topic::rejected).size(), 2u);
  CAF_CHECK_EQUAL(w.figures.dead_letters.load(), 2u);
  CAF_CHECK_EQUAL(w.counted("errors_total{component=\"window\",reason=\"late\"}"), 2u);
}

CAF_TEST(while the log refuses nothing is confirmed and afterwards all goes on in order) {
  appender_world w;
  w.start();
  w.append(part_of(trades(1, 5)));
  w.pull(6);
  w.log.refuse(errc::disk_full);
  w.append(part_of(trades(6, 10)));
  w.append(part_of(trades(8, 15))); // 8 to 10 are known by then, though not yet written
  w.commit(result_for(1, 6));
  w.append(part_of(trades(16, 20)));
  w.pass(3 * second);
  CAF_CHECK(w.feed.now().appended == std::vector<std::uint64_t>{1});
  CAF_CHECK(w.reader.now().committed.empty());
  CAF_CHECK(w.reader.now().entries.empty());
  CAF_CHECK(w.events_in_log() == numbers(1, 5));
  CAF_CHECK(w.log.refused() >= 4); // it goes on trying
  CAF_CHECK_EQUAL(w.counted("errors_total{component=\"appender\",reason=\"disk_full\"}"),
                  static_cast<std::uint64_t>(w.log.refused()));
  CAF_CHECK(w.status("/partitions/0/appender")->find("\"stalled\":true,\"pending\":4") != std::string::npos);
  w.log.refuse(errc::none);
  w.pass(second);
  CAF_CHECK((w.feed.now().appended == std::vector<std::uint64_t>{1, 2, 3, 4}));
  CAF_CHECK(w.events_in_log() == numbers(1, 20));
  CAF_CHECK_EQUAL(w.reader.now().committed.size(), 1u);
  CAF_CHECK_EQUAL(w.reader.now().entries.size(), 1u);
  CAF_CHECK_EQUAL(w.derived_in_log().size(), 1u);
  w.append(part_of(trades(21, 21)));
  CAF_CHECK_EQUAL(w.feed.now().appended.size(), 5u);
}

CAF_TEST(a log that fails again amid what is waiting keeps the order) {
  appender_world w;
  w.start();
  w.log.refuse(errc::io_failure);
  for (std::int64_t i = 1; i <= 6; ++i) w.append(part_of(trades(i, i)));
  for (int round = 0; round < 3; ++round) {
    w.log.refuse(errc::io_failure, 2);
    w.pass(600 * millisecond);
  }
  w.log.refuse(errc::none);
  w.pass(second);
  CAF_CHECK(w.events_in_log() == numbers(1, 6));
  CAF_CHECK((w.feed.now().appended == std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6}));
}

CAF_TEST(after trouble with the log time is logged no more often than before) {
  appender_world w;
  w.start();
  stage_result open;
  open.dealt_with = 1, open.open_windows = true;
  w.commit(open);
  for (int i = 0; i < 5; ++i) {
    w.log.refuse(errc::disk_full);
    w.pass(700 * millisecond);
    w.log.refuse(errc::none);
    w.pass(700 * millisecond);
  }
  auto before = clock_records(w);
  auto handled = w.where.gauges().at(0)->handled.load();
  w.pass(10 * second); // 40 times 250 ms
  auto more = clock_records(w) - before;
  CAF_CHECK(more >= 39 && more <= 41);
  CAF_CHECK(w.where.gauges().at(0)->handled.load() - handled <= 41); // and nothing else is going round
}

CAF_TEST(a log that cannot be written at the start is waited for and the node is not ready before) {
  world w;
  w.log.refuse(errc::disk_full); // the start record is refused
  w.start_appender();
  CAF_CHECK_EQUAL(w.figures.partitions_recovered.load(), 0);
  w.pass(2 * second);
  CAF_CHECK(w.status("/partitions/0/appender")->find("\"stalled\":true,\"pending\":1") != std::string::npos);
  w.log.refuse(errc::none);
  w.pass(second);
  CAF_CHECK_EQUAL(w.figures.partitions_recovered.load(), 1);
  auto taken = w.log.taken();
  CAF_REQUIRE_EQUAL(taken.size(), 1u);
  CAF_CHECK(taken[0].appends[0].kind == record_kind::start);
}
