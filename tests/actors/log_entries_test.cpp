#define CAF_SUITE log_entries

#include "messages/codec/msgpack.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

record as_read(const new_record& x, std::uint64_t offset = 0) { return {offset, x.count, x.kind, x.log_ts, x.payload}; }

std::shared_ptr<log_entry> start_entry() {
  auto out = std::make_shared<log_entry>();
  out->kind = static_cast<std::uint8_t>(record_kind::start);
  out->log_ts = at("09:30:00");
  out->rules = rules_of_one_second().save();
  return out;
}
log_entry_ptr events_entry(std::uint64_t offset, const std::vector<happening>& events) {
  auto batch = make_batch(events);
  return *to_log_entry(as_read(events_record(0, batch.ingest_ts, batch), offset));
}

} // namespace

CAF_TEST(what is written is what is read) {
  auto batch = make_batch({trade(at("09:30:00"), "1", "2", 3), quote(at("09:30:01"), "1", "2", "3", "4")});
  auto entry = to_log_entry(as_read(events_record(0, at("09:30:02"), batch), 40)).value();
  CAF_CHECK_EQUAL(entry->offset, 40u);
  CAF_CHECK_EQUAL(entry->next(), 42u);
  CAF_CHECK(entry->events->rows == batch.rows && *entry->events->keys == *batch.keys);
  source_event word{"feed", "nyse", source_change::gap, at("09:30:00"), at("09:29:00"), true, "lunch"};
  CAF_CHECK(to_log_entry(as_read(source_record(0, at("09:30:02"), word))).value()->source == word);
  derived_record bars;
  bars.log_ts = at("09:31:00");
  bars.items = {end_of_interval{"nyse", second, at("09:30:00"), at("09:30:01"), interval_reason::no_trades}};
  auto back = to_derived_record(as_read(bars_record(0, bars), 7)).value();
  CAF_CHECK(back->items == bars.items && back->offset == 7 && back->log_ts == bars.log_ts);
}

CAF_TEST(bytes that are no record are refused as corrupt) {
  for (auto kind : {record_kind::events, record_kind::source, record_kind::bars, record_kind::dead_letter}) {
    auto entry = to_log_entry({5, 1, kind, at("09:30:00"), "garbage"});
    CAF_CHECK(!entry && entry.error().code == errc::corrupt_record);
    CAF_CHECK(!entry && entry.error().message.find("offset 5") != std::string::npos);
  }
  CAF_CHECK(!to_derived_record({5, 1, record_kind::bars, at("09:30:00"), "garbage"}));
  auto batch = make_batch({trade(at("09:30:00"), "1", "2", 3)});
  auto wrong_count = as_read(events_record(0, at("09:30:02"), batch));
  wrong_count.count = 2;
  CAF_CHECK(!to_log_entry(wrong_count));
}

CAF_TEST(small things of the tables come back as they were) {
  CAF_CHECK_EQUAL(offset_from_text(offset_text(18'446'744'073'709'551'615u)), 18'446'744'073'709'551'615u);
  CAF_CHECK(
    (unpack_snapshot(pack_snapshot(9, std::string("a\0b", 3))) == std::pair(std::uint64_t{9}, std::string("a\0b", 3))));
  resume_point point{"token \xff", at("09:30:00"), -4};
  CAF_CHECK(unpack_resume_point(pack_resume_point(point)).value() == point);
  CAF_CHECK(!unpack_resume_point("x"));
  CAF_CHECK_EQUAL(unpack_snapshot("").second, "");
}

CAF_TEST(a log that does not begin with its rules is refused) {
  partition_stage stage;
  auto applied = stage.apply(*events_entry(0, {trade(at("09:30:00"), "1", "2", 3)}));
  CAF_CHECK(!applied && applied.error().code == errc::corrupt_record);
  CAF_CHECK_EQUAL(stage.save(), "");
  CAF_CHECK(!stage.has_open_windows());
}

CAF_TEST(a late event is a dead letter that says what and how late) {
  partition_stage stage;
  CAF_CHECK(stage.apply(*start_entry()).has_value());
  CAF_CHECK(stage.apply(*events_entry(1, {trade(at("09:30:00"), "1", "1", 1), trade(at("09:30:05"), "1", "1", 2)}))
              .has_value());
  CAF_CHECK_EQUAL(stage.take_bars(*start_entry()).size(), 1u);
  auto late = events_entry(3, {trade(at("09:30:00.25"), "7.5", "2", 3)});
  CAF_CHECK(stage.apply(*late).has_value());
  CAF_CHECK(stage.take_bars(*late).empty());
  auto rejected = stage.take_rejected(*late);
  CAF_REQUIRE(rejected.has_value());
  CAF_CHECK_EQUAL(rejected->cause, 3u);
  CAF_REQUIRE_EQUAL(rejected->items.size(), 1u);
  auto& letter = rejected->items[0];
  CAF_CHECK(letter.code == errc::late && letter.feed == "feed" && letter.byte_offset == 3);
  // The windows before 09:30:04 are closed: the watermark is at 09:30:04.5.
  CAF_CHECK_EQUAL(letter.reason, "nyse|SPY|2026-01-05T09:30:00.250Z|3 came 3750 ms after its bars were closed");
  CAF_CHECK(letter.bytes.find("7.5") != std::string::npos);
  CAF_CHECK(!stage.take_rejected(*late)); // once
}

CAF_TEST(a stage goes on from its snapshot as if it had never stopped) {
  partition_stage one, other;
  CAF_CHECK(one.apply(*start_entry()).has_value());
  auto first = events_entry(1, {trade(at("09:30:00.1"), "1", "1", 1), trade(at("09:30:00.7"), "3", "2", 2)});
  CAF_CHECK(one.apply(*first).has_value());
  CAF_CHECK(other.load(one.save()).has_value());
  CAF_CHECK_EQUAL(other.open_windows(), one.open_windows());
  auto more = events_entry(3, {trade(at("09:30:03"), "2", "1", 3)});
  CAF_CHECK(one.apply(*more).has_value() && other.apply(*more).has_value());
  auto bars = one.take_bars(*more), others = other.take_bars(*more);
  CAF_REQUIRE(bars.size() == 1 && others.size() == 1);
  CAF_CHECK(bars[0]->items == others[0]->items);
  CAF_CHECK(!other.load("garbage"));
}
