// A check of a log names every damage by its place and goes on behind it; a copy holds what is whole.
#define CAF_SUITE bus_check
#include "runtime/bus/log_check.hpp"
#include "tests/runtime/bus_files.hpp"
#include "tests/support/temp_dir.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

using kind = log_damage::kind;

constexpr int records = 100, events_each = 10;
constexpr std::uint64_t end_of_log = std::uint64_t{records} * events_each;

struct fixture : temp_dir {
  // Offsets 0, 10 ... 990, of 3 kB each, so that a block of a sorted file holds some 20 of them; and two rows.
  void make() {
    auto log = open_log(path());
    for (int i = 0; i < records; ++i)
      append_one(*log, events_record(0, events_each, at(i), std::string(3000, static_cast<char>('a' + i % 26))));
    put(*log, "bars", "one", "1");
    put(*log, "feeds", "two", "2");
    commit(*log, "windows", 500);
  }

  std::unique_ptr<log_check> look() {
    auto log = must(log_check::begin(path()));
    if (!log->check_files()) return log;
    log->check_records([](topic, std::uint16_t, const record& x) {
      return x.payload == "wrong" ? expected<void>{fail(errc::corrupt_record, "it is wrong")} : expected<void>{};
    });
    log->check_rows([](std::string_view, std::string_view, std::string_view value) {
      return value == "x" ? expected<void>{fail(errc::corrupt_record, "it is x")} : expected<void>{};
    });
    log->check_positions();
    return log;
  }

  // Everything found, a line each.
  std::string found() {
    std::string out;
    auto log = look();
    for (auto& x : log->damage()) out += x.where + ": " + x.why + "\n";
    CAF_MESSAGE(out);
    return out;
  }

  std::filesystem::path largest_sorted_file() {
    std::filesystem::path largest;
    for (const auto& x : files_of(path(), ".sst"))
      if (largest.empty() || std::filesystem::file_size(x) > std::filesystem::file_size(largest)) largest = x;
    return largest;
  }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

} // namespace

CAF_TEST_FIXTURE_SCOPE(bus_check_tests, fixture)

CAF_TEST(a whole log has no damage and is counted) {
  make();
  auto log = look();
  CAF_CHECK(log->damage().empty());
  CAF_CHECK(log->can_be_opened());
  CAF_CHECK_EQUAL(log->counts().records, 100u);
  CAF_CHECK_EQUAL(log->counts().events, end_of_log);
  CAF_CHECK_EQUAL(log->counts().rows, 2u);
  CAF_CHECK_EQUAL(log->counts().groups, 1u);
  CAF_CHECK_EQUAL(log->range(topic::events, 0).next, end_of_log);
}

CAF_TEST(a check holds the directory and what is open elsewhere cannot be checked) {
  writer_process writer{path(), durability::interval};
  writer.next_line();
  auto refused = log_check::begin(path());
  CAF_CHECK(code_of(refused) == errc::locked);
  CAF_CHECK(has(message_of(refused), "process " + std::to_string(writer.id())));
  CAF_CHECK(code_of(log_check::begin(path() + "/none")) == errc::not_found);
}

CAF_TEST(a changed byte in a sorted file is named with its file and the offsets of its block alone) {
  make();
  open_log(path()); // moves the records to a sorted file
  auto file = largest_sorted_file();
  flip_byte(file, std::filesystem::file_size(file) / 2);
  auto log = look();
  CAF_REQUIRE_EQUAL(log->damage().size(), 2u);
  CAF_CHECK(log->damage()[0].is == kind::sorted_file);
  CAF_CHECK_EQUAL(log->damage()[0].where, file.filename().string());
  CAF_CHECK(log->damage()[0].of == topic::events);
  auto& lost = log->damage()[1];
  CAF_MESSAGE(lost.where);
  CAF_CHECK(lost.is == kind::record);
  // Half way through the file, and as many records as a block of 64 KiB holds: 21 or 22.
  CAF_CHECK(lost.first > 300 && lost.first <= 500 && lost.end > 500 && lost.end < 700);
  CAF_CHECK(lost.end - lost.first <= 22 * events_each);
  CAF_CHECK(lost.after < lost.before);
  CAF_CHECK_EQUAL(log->counts().events, end_of_log - (lost.end - lost.first));
}

CAF_TEST(a missing sorted file is named with what it holds) {
  make();
  open_log(path());
  auto file = largest_sorted_file();
  std::filesystem::remove(file);
  auto text = found();
  CAF_CHECK(has(text, file.filename().string()));
  CAF_CHECK(has(text, "holds events/0"));
  CAF_CHECK(!look()->can_be_opened());
}

CAF_TEST(a hole and bad records and times that go back are each named) {
  make();
  {
    raw_log raw{path()};
    raw.erase("events/0", event_key(50));
    raw.erase("events/0", event_key(60));
    raw.put("events/0", event_key(200), "garbage");
    auto old = events_record(0, events_each, at(1), "old");
    raw.put("events/0", event_key(300), record_codec::encode(event_key(300), old));
    auto wrong = events_record(0, events_each, at(40), "wrong");
    raw.put("events/0", event_key(400), record_codec::encode(event_key(400), wrong));
    raw.put("events/0", event_key(990), "garbage");
  }
  auto text = found();
  auto log = look();
  CAF_CHECK(has(text, "events/0 at 50 to 69: nothing is there"));
  CAF_CHECK(has(text, "events/0 at 200 to 209: it has only 7 bytes\n"));
  CAF_CHECK(has(text, "events/0 at 300 to 309: its log_ts"));
  CAF_CHECK(has(text, "events/0 at 400 to 409: it is wrong"));
  CAF_CHECK(has(text, "events/0 at 990: "));
  CAF_CHECK(log->damage().back().is == kind::tail || has(text, "was acknowledged"));
}

CAF_TEST(a row that is not sound and a group past the end and a witness of nobody are named) {
  make();
  {
    raw_log raw{path()};
    raw.put("tables", std::string{"feeds\0three", 11}, "x");
    raw.put("default", std::string{"group/\0\1\0\0late", 14}, std::string{"\0\0\0\0\0\1\0\0", 8});
  }
  flip_byte(path() + "/witness", 3);
  auto text = found();
  CAF_CHECK(has(text, "table feeds: it is x"));
  CAF_CHECK(has(text, "group late of events/0: it is at 65536, past the end, which is 1000"));
  CAF_CHECK(has(text, "witness: its first bytes are not those of a witness"));
}

CAF_TEST(without CURRENT a log is not begun anew and CURRENT can be written again) {
  make();
  std::filesystem::remove(path() + "/CURRENT");
  auto opened = open_embedded_bus(options_for(path()));
  CAF_CHECK(code_of(opened) == errc::corrupt_record);
  CAF_CHECK(has(message_of(opened), "CURRENT is missing"));
  CAF_CHECK(has(found(), "CURRENT: it is missing"));
  CAF_CHECK(write_current(path()).value_or("").starts_with("MANIFEST-"));
  CAF_CHECK(look()->damage().empty());
  CAF_CHECK_EQUAL(must(open_log(path())->range(topic::events, 0)).next, end_of_log);
}

CAF_TEST(a copy holds the records byte for byte and empty topics begin where they are to) {
  make();
  auto target = path() + "-copy";
  {
    auto log = look();
    log_check::copy_plan plan;
    plan.empty.push_back({topic::bars, 0, 77});
    plan.keeps_row = [](std::string_view table, std::string_view, std::string_view) { return table == "feeds"; };
    must(log->copy(target, plan));
  }
  {
    auto source = open_log(path()), copy = open_log(target);
    CAF_CHECK_EQUAL(copy->recovery().epoch, source->recovery().epoch);
    CAF_CHECK_EQUAL(payloads(must(copy->read(topic::events, 0, 0, 1u << 20))),
                    payloads(must(source->read(topic::events, 0, 0, 1u << 20))));
    CAF_CHECK(!must(copy->get("bars", "one")));
    CAF_CHECK(must(copy->get("feeds", "two")) == std::optional<std::string>{"2"});
    CAF_CHECK(must(copy->committed("windows", topic::events, 0)) == std::optional<std::uint64_t>{500});
    CAF_CHECK_EQUAL(append_one(*copy, record_of(topic::bars, 0, 3, at(1), "bars")), 77u);
  }
  must(exchange_directories(path(), target));
  CAF_CHECK_EQUAL(must(open_log(path())->range(topic::bars, 0)).next, 80u);
  CAF_CHECK_EQUAL(must(open_log(target)->range(topic::bars, 0)).next, 0u);
  std::filesystem::remove_all(target);
}

CAF_TEST(a new list of files holds what sorted files hold) {
  make();
  open_log(path());
  std::filesystem::remove(path() + "/CURRENT");
  auto target = path() + "-copy";
  must(copy_with_new_list(path(), target));
  CAF_CHECK_EQUAL(must(open_log(target)->range(topic::events, 0)).next, end_of_log);
  std::filesystem::remove_all(target);
}

CAF_TEST_FIXTURE_SCOPE_END()
