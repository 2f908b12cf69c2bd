// What the embedded bus finds when it is opened again: after a stop, a kill, a loss of bytes, a change of bytes.
#define CAF_SUITE bus_recovery

#include "tests/runtime/bus_files.hpp"
#include "tests/support/temp_dir.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

struct fixture {
  temp_dir directory;
  const std::string& path() const { return directory.path(); }

  // Ten records of ten events each, "0" to "9", one a second.
  void ten_records(durability level = durability::interval) {
    auto log = open_log(path(), level);
    for (int i = 0; i < 10; ++i) append_one(*log, events_record(0, 10, at(i), std::to_string(i)));
  }
  // The same with so much payload that the write-ahead log has more than one block, and one group at its end.
  void ten_large_records() {
    auto log = open_log(path());
    for (int i = 0; i < 10; ++i) {
      auto tx = appends({events_record(0, 10, at(i), std::string(20'000, static_cast<char>('0' + i)))});
      tx.commits.push_back({"windows", topic::events, 0, static_cast<std::uint64_t>(10 * i + 10)});
      must(log->write(std::move(tx)));
    }
  }
  bool said(const bus& log, const std::string& text) {
    for (const auto& x : log.recovery().notes)
      if (x.find(text) != std::string::npos) return true;
    for (const auto& x : log.recovery().notes) CAF_MESSAGE("note: " << x);
    return false;
  }
};

// The log, its derived topic, its table and its group must tell the same story, and every record must be what was
// written.
std::uint64_t check_whole(const bus& log) {
  auto end = must(log.range(topic::events, 0)).next;
  CAF_CHECK_EQUAL(must(log.range(topic::raw, 0)).next, end);
  CAF_CHECK_EQUAL(must(log.get("state", "end")).value_or("0"), std::to_string(end));
  CAF_CHECK_EQUAL(must(log.committed("windows", topic::events, 0)).value_or(0), end);
  std::uint64_t offset = 0;
  bool same = true;
  while (offset < end) {
    for (const auto& x : must(log.read(topic::events, 0, offset, 1u << 20))) {
      same = same && x.offset == offset && x.payload == std::to_string(offset) + std::string(offset % 20'000, '.');
      offset = x.next();
    }
  }
  CAF_CHECK(same);
  return end;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(bus_recovery_tests, fixture)

CAF_TEST(a log that was closed is found as it was at every level) {
  for (auto level : {durability::none, durability::interval, durability::batch}) {
    temp_dir here;
    std::uint64_t epoch = 0;
    {
      auto log = open_log(here.path(), level);
      epoch = log->recovery().epoch;
      auto tx = appends({events_record(0, 10, at(1), "a"), record_of(topic::raw, 0, 2, at(1), "b")});
      tx.writes.push_back({"bars", "key", "value"});
      tx.commits.push_back({"windows", topic::events, 0, 10});
      must(log->write(tx));
    }
    auto log = open_log(here.path(), level);
    CAF_CHECK(!log->recovery().created);
    CAF_CHECK(log->recovery().notes.empty());
    CAF_CHECK_EQUAL(log->recovery().epoch, epoch);
    CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 0, 100))), "a");
    CAF_CHECK_EQUAL(payloads(must(log->read(topic::raw, 0, 0, 100))), "b");
    CAF_CHECK(must(log->get("bars", "key")) == std::optional<std::string>{"value"});
    CAF_CHECK(must(log->committed("windows", topic::events, 0)) == std::optional<std::uint64_t>{10});
    CAF_CHECK(code_of(log->write(appends({events_record(0, 1, at(0), "c")}))) ==
              errc::invalid_argument); // time as well
    CAF_CHECK_EQUAL(append_one(*log, events_record(0, 1, at(1), "c")), 10u);
  }
}

CAF_TEST(what was acknowledged is found after kill - 9) {
  for (auto level : {durability::interval, durability::batch}) {
    temp_dir here;
    std::uint64_t before = 0;
    for (int round = 0; round < 8; ++round) {
      writer_process writer{here.path(), level};
      std::uint64_t acknowledged = 0;
      for (int i = 0; i < 1 + round * round * 7; ++i) acknowledged = writer.next_line();
      acknowledged = std::max(acknowledged, writer.kill());
      auto log = open_log(here.path(), level);
      auto end = check_whole(*log);
      CAF_CHECK(end >= acknowledged);
      CAF_CHECK(end > before);
      CAF_CHECK(log->recovery().notes.empty());
      before = end;
    }
  }
}

CAF_TEST(at level none a kill leaves a log that is whole and tells what was lost) {
  writer_process writer{path(), durability::none};
  std::uint64_t acknowledged = 0;
  while (acknowledged < 3000) acknowledged = writer.next_line(); // 1000 transactions of up to 3 kB
  acknowledged = std::max(acknowledged, writer.kill());
  auto log = open_log(path(), durability::none);
  auto end = check_whole(*log);
  CAF_CHECK(end <= acknowledged + 3);
  if (end < acknowledged) CAF_CHECK(said(*log, "acknowledged at level none were lost with the process"));
}

CAF_TEST(a torn tail is cut and reported and the log goes on) {
  ten_large_records();
  auto newest = files_of(path(), ".log").back();
  std::filesystem::resize_file(newest, std::filesystem::file_size(newest) - 3);
  {
    auto log = open_log(path());
    CAF_CHECK(said(*log,
                   "torn tail: events/0 ends at 90 but 100 was promised: 10 events acknowledged at level interval were "
                   "lost with the machine"));
    CAF_CHECK_EQUAL(must(log->range(topic::events, 0)).next, 90u);
    CAF_CHECK(must(log->committed("windows", topic::events, 0)) == std::optional<std::uint64_t>{90});
    CAF_CHECK_EQUAL(append_one(*log, events_record(0, 1, at(9), "again")), 90u);
  }
  CAF_CHECK(open_log(path())->recovery().notes.empty()); // said once
}

CAF_TEST(a torn tail is cut wherever it is torn) {
  ten_large_records();
  temp_dir other;
  auto copy = other.path() + "/copy";
  auto newest = files_of(path(), ".log").back().filename();
  auto size = std::filesystem::file_size(path() + "/" + newest.string());
  for (std::uint64_t cut = 1; cut < size; cut = cut * 2 + 1) {
    std::filesystem::remove_all(copy);
    std::filesystem::copy(path(), copy);
    std::filesystem::resize_file(copy + "/" + newest.string(), size - cut);
    auto log = open_log(copy);
    auto end = must(log->range(topic::events, 0)).next;
    CAF_CHECK(end < 100);
    CAF_CHECK(end % 10 == 0);
    CAF_CHECK(said(*log, "torn tail: events/0 ends at " + std::to_string(end)));
    CAF_CHECK_EQUAL(must(log->committed("windows", topic::events, 0)).value_or(0), end);
  }
}

CAF_TEST(a changed byte in the middle of the write - ahead log refuses to open and names the file) {
  ten_large_records();
  auto newest = files_of(path(), ".log").back();
  flip_byte(newest, std::filesystem::file_size(newest) / 2);
  auto opened = open_embedded_bus(options_for(path()));
  CAF_CHECK(code_of(opened) == errc::corrupt_record);
  CAF_MESSAGE(message_of(opened));
  CAF_CHECK(message_of(opened).find(path()) != std::string::npos);
  CAF_CHECK(message_of(opened).find("checksum mismatch") != std::string::npos);
}

CAF_TEST(a changed byte in a sorted file is refused by the read that comes to it) {
  ten_large_records();
  open_log(path()); // moves the records from the write-ahead log to a sorted file
  std::filesystem::path largest;
  for (const auto& x : files_of(path(), ".sst"))
    if (largest.empty() || std::filesystem::file_size(x) > std::filesystem::file_size(largest)) largest = x;
  flip_byte(largest, 110'000); // in the fifth or sixth record
  auto log = open_log(path());
  auto before = must(log->read(topic::events, 0, 0, 1u << 20));
  CAF_REQUIRE(!before.empty());
  CAF_CHECK(before.size() < 7);
  auto found = log->read(topic::events, 0, before.back().next(), 1u << 20);
  CAF_CHECK(code_of(found) == errc::corrupt_record);
  CAF_MESSAGE(message_of(found));
  CAF_CHECK(message_of(found).find("events/0 at " + std::to_string(before.back().next())) != std::string::npos);
}

CAF_TEST(a bad record in the middle is refused with position and reason and is never skipped) {
  ten_records();
  {
    raw_log raw{path()};
    auto value = raw.get("events/0", event_key(50));
    value[19] ^= 1;
    raw.put("events/0", event_key(50), value);
  }
  auto log = open_log(path());
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 0, 1000))), "01234");
  auto found = log->read(topic::events, 0, 55, 1000);
  CAF_CHECK(code_of(found) == errc::corrupt_record);
  CAF_CHECK(message_of(found).find("events/0 at 50") != std::string::npos);
  CAF_CHECK(message_of(found).find("checksum") != std::string::npos);
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 60, 1000))), "6789");
}

CAF_TEST(a record that is missing in the middle is refused) {
  ten_records();
  raw_log{path()}.erase("events/0", event_key(50));
  auto log = open_log(path());
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 20, 1000))), "234");
  auto found = log->read(topic::events, 0, 50, 1000);
  CAF_CHECK(code_of(found) == errc::corrupt_record);
  CAF_CHECK(message_of(found).find("events/0 at 50: it is missing") != std::string::npos);
}

CAF_TEST(a bad last record is cut and reported and groups are set back to the end) {
  ten_records();
  commit(*open_log(path()), "windows", 100);
  raw_log{path()}.put("events/0", event_key(90), "garbage");
  auto log = open_log(path());
  CAF_CHECK(said(*log, "torn tail: the last record was cut"));
  CAF_CHECK(said(*log, "group windows of events/0 was at 100"));
  CAF_CHECK_EQUAL(must(log->range(topic::events, 0)).next, 90u);
  CAF_CHECK_EQUAL(append_one(*log, events_record(0, 20, at(8), "new")), 90u);
  CAF_CHECK(must(log->committed("windows", topic::events, 0)) == std::optional<std::uint64_t>{90});
  CAF_CHECK_EQUAL(payloads(must(log->read(topic::events, 0, 80, 1000))), "8new");
}

CAF_TEST(two bad records at the end are no torn tail) {
  ten_records();
  {
    raw_log raw{path()};
    raw.put("events/0", event_key(80), "garbage");
    raw.put("events/0", event_key(90), "garbage");
  }
  auto opened = open_embedded_bus(options_for(path()));
  CAF_CHECK(code_of(opened) == errc::corrupt_record);
  CAF_CHECK(message_of(opened).find("events/0 at 80") != std::string::npos);
}

CAF_TEST(a directory of a newer version or of something else is refused) {
  ten_records();
  raw_log{path()}.put("default", "format", std::string("\0\0\0\0\0\0\0\2", 8));
  CAF_CHECK(code_of(open_embedded_bus(options_for(path()))) == errc::incompatible);
  raw_log{path()}.create("something");
  auto opened = open_embedded_bus(options_for(path()));
  CAF_CHECK(code_of(opened) == errc::incompatible);
  CAF_CHECK(message_of(opened).find("something") != std::string::npos);
}

CAF_TEST(a witness that is damaged or foreign has nothing to say) {
  ten_records();
  std::filesystem::resize_file(path() + "/witness", 100);
  CAF_CHECK(open_log(path())->recovery().notes.empty());
  std::filesystem::remove(path() + "/witness");
  CAF_CHECK(open_log(path())->recovery().notes.empty());
  flip_byte(path() + "/witness", 12); // its epoch
  CAF_CHECK(open_log(path())->recovery().notes.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
