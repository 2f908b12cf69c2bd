#define CAF_SUITE timestamp

#include "messages/value/timestamp.hpp"
#include "tests/support/suite.hpp"

#include <random>
#include <vector>

using namespace finstream;

namespace {

struct row {
  const char* text;
  std::int64_t ns;
};

// 2025-10-24T14:02:01Z: date -u -d @1761314521
constexpr std::int64_t october = 1'761'314'521 * second;

} // namespace

CAF_TEST(a time is read to the nanosecond) {
  for (const auto& x : std::vector<row>{
         {"1970-01-01T00:00:00Z", 0},
         {"2025-10-24T14:02:01Z", october},
         {"2025-10-24T14:02:01.5Z", october + 500'000'000},
         {"2025-10-24T14:02:01.12Z", october + 120'000'000},
         {"2025-10-24T14:02:01.123Z", october + 123'000'000},
         {"2025-10-24T14:02:01.1234Z", october + 123'400'000},
         {"2025-10-24T14:02:01.12345Z", october + 123'450'000},
         {"2025-10-24T14:02:01.123456Z", october + 123'456'000},
         {"2025-10-24T14:02:01.1234567Z", october + 123'456'700},
         {"2025-10-24T14:02:01.12345678Z", october + 123'456'780},
         {"2025-10-24T14:02:01.123456789Z", october + 123'456'789},
         {"2025-10-24T14:02:01.000000001Z", october + 1},
         {"2025-10-24t14:02:01z", october},
         {"2025-10-24 14:02:01Z", october},
         {"2025-10-24T16:02:01+02:00", october},
         {"2025-10-24T08:32:01-05:30", october},
         {"2025-10-25T13:01:01+22:59", october},
         {"2025-10-24T14:02:01-00:00", october},
         {"2024-02-29T00:00:00Z", 1'709'164'800 * second},
         {"2000-02-29T12:00:00Z", 951'825'600 * second},
         {"1969-12-31T23:59:59.999999999Z", -1},
         {"1969-12-31T23:59:59Z", -second},
         {"1678-01-01T00:00:00Z", -9'214'560'000 * second},
         {"2261-12-31T23:59:59.999999999Z", 9'214'646'400 * second - 1},
       }) {
    auto parsed = parse_timestamp(x.text);
    CAF_REQUIRE(parsed.has_value());
    CAF_CHECK_EQUAL(parsed->ns, x.ns);
  }
}

CAF_TEST(what is no time is refused) {
  for (auto text : {"",
                    "2025",
                    "2025-10-24",
                    "2025-10-24T14:02Z",
                    "2025-10-24T14:02:01",
                    "2025-10-24T14:02:01.Z",
                    "2025-10-24T14:02:01.1234567890Z",
                    "2025-10-24T14:02:01,5Z",
                    "2025-10-24T24:00:00Z",
                    "2025-10-24T14:60:00Z",
                    "2025-10-24T14:02:01Zx",
                    "2025-10-24T14:02:01+2:00",
                    "2025-10-24T14:02:01+0200",
                    "2025-10-24T14:02:01+24:00",
                    "2025-10-24T14:02:01+02:60",
                    "2025-13-01T00:00:00Z",
                    "2025-00-01T00:00:00Z",
                    "2025-02-30T00:00:00Z",
                    "2025-02-29T00:00:00Z",
                    "1900-02-29T00:00:00Z",
                    "2025-04-31T00:00:00Z",
                    "2025-10-00T00:00:00Z",
                    "25-10-24T14:02:01Z",
                    "-025-10-24T14:02:01Z",
                    "1677-12-31T23:59:59Z",
                    "2262-01-01T00:00:00Z",
                    " 2025-10-24T14:02:01Z",
                    "1761314521"}) {
    auto parsed = parse_timestamp(text);
    CAF_REQUIRE(!parsed.has_value());
    CAF_CHECK_EQUAL(parsed.error().code, errc::bad_field);
  }
}

CAF_TEST(a leap second is refused because it would be the time of another second) {
  CAF_CHECK(!parse_timestamp("2016-12-31T23:59:60Z").has_value());
}

CAF_TEST(a time is printed with the fewest digits in groups of three) {
  for (const auto& x : std::vector<row>{
         {"1970-01-01T00:00:00Z", 0},
         {"2025-10-24T14:02:01Z", october},
         {"2025-10-24T14:02:01.500Z", october + 500'000'000},
         {"2025-10-24T14:02:01.123456Z", october + 123'456'000},
         {"2025-10-24T14:02:01.000000001Z", october + 1},
         {"1969-12-31T23:59:59.999999999Z", -1},
         {"2024-02-29T00:00:00Z", 1'709'164'800 * second},
         {"1677-09-21T00:12:43.145224192Z", earliest.ns}, // all that 64 bits hold can be printed
         {"2262-04-11T23:47:16.854775807Z", std::numeric_limits<std::int64_t>::max()},
       })
    CAF_CHECK_EQUAL(to_string(timestamp{x.ns}), x.text);
}

CAF_TEST(what is printed reads back the same) {
  std::mt19937_64 random{20261121};
  for (int i = 0; i < 20'000; ++i) {
    auto ns = static_cast<std::int64_t>(random()) >> (random() % 64);
    if (i % 3 == 0) ns -= ns % 1'000;
    auto t = timestamp{ns};
    auto text = to_string(t);
    if (text < "1678" || text >= "2262") continue;
    auto back = parse_timestamp(text);
    CAF_REQUIRE(back.has_value());
    CAF_REQUIRE_EQUAL(back->ns, ns);
  }
}

CAF_TEST(the start of a window is at or before the time and also before 1970) {
  CAF_CHECK_EQUAL(floor_to({october + 1}, second).ns, october);
  CAF_CHECK_EQUAL(floor_to({october}, second).ns, october);
  CAF_CHECK_EQUAL(floor_to({-1}, second).ns, -second);
  CAF_CHECK_EQUAL(floor_to({-second}, second).ns, -second);
}

CAF_TEST(spans are read and printed with their unit) {
  for (const auto& x : std::vector<row>{{"250ms", 250 * millisecond},
                                        {"2s", 2 * second},
                                        {"60s", 60 * second},
                                        {"5m", 300 * second},
                                        {"1h", 3'600 * second},
                                        {"1d", 86'400 * second},
                                        {"0s", 0}}) {
    auto parsed = parse_span(x.text);
    CAF_REQUIRE(parsed.has_value());
    CAF_CHECK_EQUAL(*parsed, x.ns);
    CAF_CHECK_EQUAL(span_to_string(*parsed), x.text);
  }
  for (auto text : {"", "s", "5", "-5s", "5 s", "5us", "1.5s", "5sm", "999999999d", "9999999999s"})
    CAF_CHECK(!parse_span(text).has_value());
}
