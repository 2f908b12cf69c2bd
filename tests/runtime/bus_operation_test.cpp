// The embedded bus in use: who else may open it, what it costs, what a trim gives back.
#define CAF_SUITE bus_operation

#include "tests/runtime/bus_files.hpp"
#include "tests/support/temp_dir.hpp"

#include <chrono>
#include <thread>

using namespace finstream;
using namespace finstream::test;

namespace {

struct fixture {
  temp_dir directory;
  const std::string& path() const { return directory.path(); }
};

// For what the disk or another thread does in its own time.
template <class Condition> bool eventually(Condition holds) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return true;
}

embedded_bus_options small_files(const std::string& directory) {
  auto options = options_for(directory);
  options.memtable_bytes = 2u << 20;
  return options;
}

// 20 kB each, alternating between two partitions, so that their sorted files are written at the same time.
void fill(bus& log, int records) {
  for (int i = 0; i < records; ++i)
    must(log.write(appends({events_record(static_cast<std::uint16_t>(i % 2), 1000, at(i), std::string(20'000, 'x'))})));
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(bus_operation_tests, fixture)

CAF_TEST(a second opener in this process is told so) {
  auto log = open_log(path());
  auto second = open_embedded_bus(options_for(path()));
  CAF_CHECK(code_of(second) == errc::locked);
  CAF_CHECK(message_of(second).find(path()) != std::string::npos);
  CAF_CHECK(message_of(second).find("this process itself has it open") != std::string::npos);
  // And it has not taken the lock away from the first.
  CAF_CHECK(code_of(open_embedded_bus(options_for(path()))) == errc::locked);
  append_one(*log, events_record(0, 1, at(1), "a"));
}

CAF_TEST(a second opener is told which process has the log) {
  writer_process writer{path(), durability::interval};
  writer.next_line();
  auto second = open_embedded_bus(options_for(path()));
  CAF_CHECK(code_of(second) == errc::locked);
  CAF_CHECK(message_of(second).find("process " + std::to_string(writer.id()) + " has it open") != std::string::npos);
  writer.next_line();
  writer.kill();
  open_log(path());
}

CAF_TEST(a directory that cannot be made is refused) {
  std::ofstream{path() + "/file"} << "x";
  auto opened = open_embedded_bus(options_for(path() + "/file/log"));
  CAF_CHECK(code_of(opened) == errc::io_failure);
  CAF_CHECK(message_of(opened).find(path() + "/file/log") != std::string::npos);
  CAF_CHECK(code_of(open_embedded_bus({})) == errc::invalid_argument);
}

CAF_TEST(a reader beside the writer sees what was there when it opened) {
  auto reading = options_for(path());
  reading.read_only = true;
  CAF_CHECK(code_of(open_embedded_bus(reading)) == errc::not_found);
  auto log = open_log(path());
  append_one(*log, events_record(0, 10, at(1), "a"));
  put(*log, "bars", "key", "value");
  commit(*log, "windows", 10);

  auto reader = must(open_embedded_bus(reading));
  append_one(*log, events_record(0, 10, at(2), "b"));
  CAF_CHECK_EQUAL(payloads(must(reader->read(topic::events, 0, 0, 100))), "a");
  CAF_CHECK_EQUAL(must(reader->range(topic::events, 0)).next, 10u);
  CAF_CHECK_EQUAL(must(reader->offset_at(topic::events, 0, at(1))), 0u);
  CAF_CHECK(must(reader->get("bars", "key")) == std::optional<std::string>{"value"});
  CAF_CHECK(must(reader->committed("windows", topic::events, 0)) == std::optional<std::uint64_t>{10});
  CAF_CHECK_EQUAL(reader->recovery().epoch, log->recovery().epoch);
  CAF_CHECK(reader->recovery().notes.empty());
  CAF_CHECK(code_of(reader->write(appends({events_record(0, 1, at(3), "c")}))) == errc::invalid_argument);
  CAF_CHECK(code_of(reader->trim(topic::events, 0, 10)) == errc::invalid_argument);
  must(reader->sync());
  must(reader->health());

  auto later = must(open_embedded_bus(reading));
  CAF_CHECK_EQUAL(payloads(must(later->read(topic::events, 0, 0, 100))), "ab");
}

CAF_TEST(a reader may be opened at any time beside a busy writer) {
  writer_process writer{path(), durability::interval};
  auto reading = options_for(path());
  reading.read_only = true;
  for (int i = 0; i < 20; ++i) {
    auto acknowledged = writer.next_line();
    auto reader = must(open_embedded_bus(reading));
    auto end = must(reader->range(topic::events, 0)).next;
    CAF_CHECK(end >= acknowledged);
    CAF_CHECK_EQUAL(must(reader->range(topic::raw, 0)).next, end);
  }
}

CAF_TEST(a record is written to the disk about twice) {
  auto log = must(open_embedded_bus(small_files(path())));
  fill(*log, 2000); // 40 MB, in memtables of 1 MB
  auto counted = log->statistics();
  auto amplification = static_cast<double>(counted.bytes_written) / static_cast<double>(counted.bytes_appended);
  CAF_MESSAGE("write amplification " << amplification);
  CAF_CHECK(amplification > 1.5);
  CAF_CHECK(amplification < 2.2);
  CAF_CHECK(counted.bytes_on_disk > counted.bytes_appended);
}

CAF_TEST(a trim gives the space back) {
  auto log = must(open_embedded_bus(small_files(path())));
  fill(*log, 2000);
  commit(*log, "windows", 1'000'000);
  must(log->sync());
  // Files in the upper level stay until they are moved down, so a little more has to be written now and then.
  int i = 2000;
  CAF_CHECK(eventually([&] {
    append_one(*log, events_record(0, 1000, at(i), std::string(20'000, 'y')));
    append_one(*log, events_record(1, 1000, at(i++), std::string(20'000, 'y')));
    CAF_REQUIRE(must(log->trim(topic::events, 0, 990'000)) == 990'000);
    CAF_REQUIRE(must(log->trim(topic::events, 1, 999'000 + static_cast<std::uint64_t>(i % 2))) >= 999'000);
    return log->statistics().bytes_on_disk < 20'000'000;
  }));
  auto kept = must(log->read(topic::events, 0, 990'000, 1));
  CAF_CHECK_EQUAL(kept.at(0).offset, 990'000u);
}

CAF_TEST(a trimmed log is found as it was left) {
  {
    auto log = must(open_embedded_bus(small_files(path())));
    fill(*log, 600);
    CAF_CHECK_EQUAL(must(log->trim(topic::events, 0, 250'500)), 250'000u);
    CAF_CHECK_EQUAL(must(log->trim(topic::events, 1, 300'000)), 300'000u); // to its end
  }
  auto log = open_log(path());
  CAF_CHECK(log->recovery().notes.empty());
  CAF_CHECK_EQUAL(must(log->range(topic::events, 0)).head, 250'000u);
  CAF_CHECK_EQUAL(must(log->range(topic::events, 0)).next, 300'000u);
  CAF_CHECK_EQUAL(must(log->range(topic::events, 1)).head, 300'000u);
  CAF_CHECK_EQUAL(must(log->range(topic::events, 1)).next, 300'000u);
  CAF_CHECK(code_of(log->read(topic::events, 0, 249'999, 100)) == errc::trimmed);
  CAF_CHECK_EQUAL(must(log->read(topic::events, 0, 250'000, 100u << 20)).size(), 50u);
  CAF_CHECK(code_of(log->write(appends({events_record(1, 1, at(598), "earlier")}))) == errc::invalid_argument);
  CAF_CHECK_EQUAL(append_one(*log, events_record(1, 1, at(600), "later")), 300'000u);
}

CAF_TEST(at level interval the log is synced soon after a write and not again while it is idle) {
  auto log = open_log(path());
  append_one(*log, events_record(0, 1, at(1), "a"));
  CAF_CHECK(eventually([&] { return log->statistics().syncs >= 1; }));
  auto once = log->statistics().syncs;
  std::this_thread::sleep_for(std::chrono::milliseconds{60}); // a dozen intervals
  CAF_CHECK(log->statistics().syncs <= once + 1);             // a write that came during a sync may need one more
}

CAF_TEST(at level batch each write is synced) {
  auto log = open_log(path(), durability::batch);
  for (int i = 0; i < 5; ++i) append_one(*log, events_record(0, 1, at(i), "a"));
  CAF_CHECK_EQUAL(log->statistics().syncs, 5u);
}

CAF_TEST(records of every size pass through memtables and files) {
  auto log = must(open_embedded_bus(small_files(path())));
  std::vector<std::size_t> sizes{0, 1, 100, 32'768 - 26, 65'536, 1'000'000, 5'000'000, 3};
  for (auto x : sizes) append_one(*log, events_record(0, 1, at(1), std::string(x, 'z')));
  log.reset();
  log = must(open_embedded_bus(small_files(path())));
  auto found = must(log->read(topic::events, 0, 0, 1u << 30));
  CAF_REQUIRE_EQUAL(found.size(), sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) CAF_CHECK(found[i].payload == std::string(sizes[i], 'z'));
}

CAF_TEST_FIXTURE_SCOPE_END()
