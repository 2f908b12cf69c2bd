#define CAF_SUITE log_entries

#include "messages/codec/msgpack.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

record as_read(const new_record& x, std::uint64_t offset = 0) { return {offset, x.count, x.kind, x.log_ts, x.payload}; }

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
  auto back = to_derived_record(as_read(derived_record_of(derived_topic::bars, 0, bars), 7)).value();
  CAF_CHECK(back->items == bars.items && back->offset == 7 && back->log_ts == bars.log_ts);
}

CAF_TEST(bytes that are no record are refused as corrupt) {
  for (auto kind : {record_kind::events, record_kind::source, record_kind::outputs, record_kind::dead_letter}) {
    auto entry = to_log_entry({5, 1, kind, at("09:30:00"), "garbage"});
    CAF_CHECK(!entry && entry.error().code == errc::corrupt_record);
    CAF_CHECK(!entry && entry.error().message.find("offset 5") != std::string::npos);
  }
  CAF_CHECK(!to_derived_record({5, 1, record_kind::outputs, at("09:30:00"), "garbage"}));
  auto batch = make_batch({trade(at("09:30:00"), "1", "2", 3)});
  auto wrong_count = as_read(events_record(0, at("09:30:02"), batch));
  wrong_count.count = 2;
  CAF_CHECK(!to_log_entry(wrong_count));
}

CAF_TEST(small things of the tables come back as they were) {
  CAF_CHECK_EQUAL(offset_from_text(offset_text(18'446'744'073'709'551'615u)), 18'446'744'073'709'551'615u);
  CAF_CHECK((unpack_snapshot(pack_snapshot(9, {std::string("a\0b", 3), "c", ""})) ==
             std::pair(std::uint64_t{9}, stage_states{std::string("a\0b", 3), "c", ""})));
  resume_point point{"token \xff", at("09:30:00"), -4};
  CAF_CHECK(unpack_resume_point(pack_resume_point(point)).value() == point);
  CAF_CHECK(!unpack_resume_point("x"));
  CAF_CHECK(unpack_snapshot("").second == stage_states{});
  CAF_CHECK(unpack_snapshot("\x09\x01x").second == stage_states{});
}
