#define CAF_SUITE stages

#include "actors/log_entries.hpp"
#include "actors/stages.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

log_entry_ptr start_entry() {
  auto out = std::make_shared<log_entry>();
  out->kind = static_cast<std::uint8_t>(record_kind::start);
  out->log_ts = at("09:30:00");
  out->rules.bars = rules_of_one_second().save();
  return out;
}
log_entry_ptr events_entry(std::uint64_t offset, const std::vector<happening>& events) {
  auto batch = make_batch(events);
  auto written = events_record(0, batch.ingest_ts, batch);
  return *to_log_entry({offset, written.count, written.kind, written.log_ts, written.payload});
}

} // namespace

CAF_TEST(a log that does not begin with its rules is refused) {
  window_stage stage;
  auto applied = stage.apply(*events_entry(0, {trade(at("09:30:00"), "1", "2", 3)}));
  CAF_CHECK(!applied && applied.error().code == errc::corrupt_record);
  CAF_CHECK_EQUAL(stage.save(), "");
  CAF_CHECK(!stage.has_open_windows());
}

CAF_TEST(a late event is a dead letter that says what and how late) {
  window_stage stage;
  CAF_CHECK(stage.apply(*start_entry()).has_value());
  auto first = stage.apply(*events_entry(1, {trade(at("09:30:00"), "1", "1", 1), trade(at("09:30:05"), "1", "1", 2)}));
  CAF_REQUIRE(first.has_value());
  CAF_CHECK(!first->bars.empty() && first->rejected.empty());
  auto late = stage.apply(*events_entry(3, {trade(at("09:30:00.25"), "7.5", "2", 3)}));
  CAF_REQUIRE(late.has_value());
  CAF_CHECK(late->bars.empty());
  CAF_CHECK_EQUAL(late->cause, 3u);
  CAF_REQUIRE_EQUAL(late->rejected.size(), 1u);
  auto& letter = late->rejected[0];
  CAF_CHECK(letter.code == errc::late && letter.feed == "feed" && letter.cause_offset == 3);
  CAF_CHECK_EQUAL(letter.stage + " " + letter.cause_topic, "window events");
  // The windows before 09:30:04 are closed: the watermark is at 09:30:04.5.
  CAF_CHECK_EQUAL(letter.reason, "nyse|SPY|2026-01-05T09:30:00.250Z|3 came 3750 ms after its bars were closed");
  CAF_CHECK(letter.bytes.find("7.5") != std::string::npos);
}

CAF_TEST(stages go on from their snapshot as if they had never stopped) {
  partition_stages one, other;
  CAF_CHECK(one.apply(*start_entry()).has_value());
  auto first = events_entry(1, {trade(at("09:30:00.1"), "1", "1", 1), trade(at("09:30:00.7"), "3", "2", 2)});
  CAF_CHECK(one.apply(*first).has_value());
  CAF_CHECK(other.load(one.save()).has_value());
  auto more = events_entry(3, {trade(at("09:30:03"), "2", "1", 3)});
  auto a = one.apply(*more), b = other.apply(*more);
  CAF_REQUIRE(a.has_value() && b.has_value());
  CAF_CHECK(!a->bars.empty());
  CAF_CHECK(a->bars == b->bars && a->features == b->features && a->signals == b->signals);
  CAF_CHECK(one.save() == other.save());
  CAF_CHECK(!other.load({"garbage", "", ""}));
}
