#define CAF_SUITE line_parser

#include "messages/codec/line_parser.hpp"
#include "tests/support/suite.hpp"

#include <vector>

using namespace finstream;

namespace {

constexpr std::int64_t one = units_per_one;

// 2026-11-21T10:00:00Z; the lines below are a moment older.
const timestamp read_at = *parse_timestamp("2026-11-21T10:00:00Z");
constexpr auto when = R"("src_ts":"2026-11-21T09:59:59.5Z")";

line_parser_options options() {
  line_parser_options out;
  out.feed = "alpha";
  return out;
}

// A tick of SPY with these fields added.
std::string tick(const std::string& more) { return R"({"symbol":"SPY",)" + std::string{when} + "," + more + "}\n"; }

parsed_chunk parse(const std::string& lines, line_parser_options with = options()) {
  return line_parser{std::move(with)}.parse(lines, read_at);
}

event_row row_of(const std::string& line, line_parser_options with = options()) {
  auto chunk = parse(line, std::move(with));
  if (!chunk.dead_letters.empty()) CAF_FAIL("dead letter: " + chunk.dead_letters[0].reason);
  CAF_REQUIRE_EQUAL(chunk.events, 1u);
  return chunk.batches[0]->rows.at(0);
}

std::int64_t first_value(const event_row& row) { return row.values[0]; }

dead_letter dead(const std::string& line, line_parser_options with = options()) {
  auto chunk = parse(line, std::move(with));
  CAF_CHECK_EQUAL(chunk.events, 0u);
  CAF_REQUIRE_EQUAL(chunk.dead_letters.size(), 1u);
  return chunk.dead_letters[0];
}

void check_dead(const std::string& line, errc code, const std::string& part_of_reason) {
  auto letter = dead(line);
  CAF_CHECK_EQUAL(letter.code, code);
  if (letter.reason.find(part_of_reason) == std::string::npos)
    CAF_ERROR("\"" + letter.reason + "\" does not say \"" + part_of_reason + "\"");
}

} // namespace

CAF_TEST(a v1 stream event becomes a row with its names beside it) {
  auto chunk = parse(R"({"ver":1,"event_id":"x","provider":"synthetic","symbol":"SPY","kind":"tick",)"
                     R"("src_ts":"2026-11-21T09:59:59.123456789Z","ingest_ts":"2026-11-21T09:59:59.2Z",)"
                     R"("price":425.15,"size":1200,"seq":18300001,"resume":"t1","note":{"a":[1,null,"x"]}})"
                     "\n");
  CAF_REQUIRE_EQUAL(chunk.events, 1u);
  const auto& batch = *chunk.batches[0];
  CAF_CHECK_EQUAL(batch.feed, "alpha");
  CAF_CHECK_EQUAL(batch.ingest_ts.ns, read_at.ns);
  auto event = spell_out(batch, batch.rows[0]);
  CAF_CHECK_EQUAL(event.provider, "synthetic");
  CAF_CHECK_EQUAL(event.symbol, "SPY");
  CAF_CHECK(event.kind == event_kind::tick);
  CAF_CHECK_EQUAL(to_string(event.src_ts), "2026-11-21T09:59:59.123456789Z");
  CAF_CHECK_EQUAL(event.seq, 18'300'001);
  CAF_CHECK_EQUAL(event.values[0], 425'150'000'000);
  CAF_CHECK_EQUAL(event.values[1], 1'200 * one);
  CAF_CHECK(chunk.has_resume);
  CAF_CHECK_EQUAL(chunk.resume.token, "t1");
  CAF_CHECK_EQUAL(chunk.resume.src_ts.ns, event.src_ts.ns);
  CAF_CHECK_EQUAL(chunk.resume.seq, 18'300'001);
}

CAF_TEST(the kind follows from what is written) {
  struct row {
    const char* fields;
    event_kind kind;
    std::array<std::int64_t, 5> values;
  };
  for (const auto& x : std::vector<row>{
         {R"("price":5)", event_kind::tick, {5 * one}},
         {R"("price":-37.63,"size":0)", event_kind::tick, {-37'630'000'000}},
         {R"("price":"425.15","size":"3")", event_kind::tick, {425'150'000'000, 3 * one}},
         {R"("bid":1,"ask":2)", event_kind::quote, {one, 2 * one}},
         {R"("bid":1,"ask":2,"bid_size":3,"ask_size":4)", event_kind::quote, {one, 2 * one, 3 * one, 4 * one}},
         {R"("kind":"quote","price":9,"bid":1,"ask":2)", event_kind::quote, {one, 2 * one}},
         {R"("price":9,"bid":1,"ask":2)", event_kind::tick, {9 * one}},
         {R"("kind":"tick","price":9,"bid":"no number, and nobody asks")", event_kind::tick, {9 * one}},
         {R"("o":2,"h":4,"l":1,"c":3)", event_kind::bar, {2 * one, 4 * one, one, 3 * one}},
         {R"("kind":"tick","o":2,"h":4,"l":1,"c":3,"v":7)", event_kind::bar, {2 * one, 4 * one, one, 3 * one, 7 * one}},
         {R"("kind":"bar","o":2,"h":2,"l":2,"c":2,"v":0,"interval":null)",
          event_kind::bar,
          {2 * one, 2 * one, 2 * one, 2 * one}},
         {R"("kind":null,"o":null,"h":null,"l":null,"c":null,"price":5,"size":null)", event_kind::tick, {5 * one}},
       }) {
    auto got = row_of(tick(std::string{R"("seq":1,)"} + x.fields));
    CAF_CHECK(got.kind == x.kind);
    CAF_CHECK(got.values == x.values);
  }
}

CAF_TEST(a sequence number is any integer of 64 bits) {
  CAF_CHECK_EQUAL(row_of(tick(R"("price":1,"seq":-7)")).seq, -7);
  CAF_CHECK_EQUAL(row_of(tick(R"("price":1,"seq":"12")")).seq, 12);
  CAF_CHECK_EQUAL(row_of(tick(R"("price":1,"seq":9223372036854775807)")).seq, std::numeric_limits<std::int64_t>::max());
  CAF_CHECK_EQUAL(row_of(tick(R"("price":1,"seq":-9223372036854775808)")).seq,
                  std::numeric_limits<std::int64_t>::min());
  check_dead(tick(R"("price":1,"seq":9223372036854775808)"), errc::overflow, "seq: 9223372036854775808");
  check_dead(tick(R"("price":1,"seq":1.0)"), errc::bad_field, "seq: \"1.0\" is not an integer");
  check_dead(tick(R"("price":1,"seq":"007")"), errc::bad_field, "seq: \"007\"");
  check_dead(tick(R"("price":1,"seq":true)"), errc::bad_field, "seq: must be an integer");
}

CAF_TEST(a dead letter names the field at fault) {
  check_dead(tick(R"("price":1)"), errc::missing_field, "seq is missing: without a sequence number a duplicate");
  check_dead(tick(R"("seq":1)"), errc::missing_field, "price is missing");
  check_dead(tick(R"("seq":1,"price":null)"), errc::missing_field, "price is missing");
  check_dead(tick(R"("seq":1,"kind":"quote","bid":1)"), errc::missing_field, "ask is missing");
  check_dead(tick(R"("seq":1,"kind":"bar")"), errc::missing_field, "o is missing");
  check_dead(tick(R"("seq":1,"o":1,"h":2,"l":1)"), errc::missing_field, "c is missing");
  check_dead("{}\n", errc::missing_field, "symbol is missing");
  check_dead(R"({"symbol":"SPY","seq":1,"price":1})", errc::missing_field, "src_ts is missing");
  check_dead(tick(R"("seq":1,"price":"abc")"), errc::bad_field, "price: \"abc\" is not a number");
  check_dead(tick(R"("seq":1,"price":[1])"), errc::bad_field, "price: must be a number");
  check_dead(tick(R"("seq":1,"price":1,"size":-1)"), errc::bad_field, "size: -1 is negative");
  check_dead(tick(R"("seq":1,"bid":1,"ask":1,"ask_size":-0.1)"), errc::bad_field, "ask_size: -0.1 is negative");
  check_dead(tick(R"("seq":1,"price":1.0000000001)"), errc::precision, "price: 1.0000000001");
  check_dead(tick(R"("seq":1,"price":10000000000)"), errc::overflow, "price: 10000000000");
  check_dead(tick(R"("seq":1,"price":1,"ver":2)"), errc::bad_field, "ver: 2");
  check_dead(tick(R"("seq":1,"price":1,"kind":"trade")"), errc::bad_field, "kind: \"trade\"");
  check_dead(tick(R"("seq":1,"price":1,"type":"trade")"), errc::bad_field, "type: \"trade\" is none of");
  check_dead(tick(R"("seq":1,"price":1,"resume":1.5)"), errc::bad_field, "resume: 1.5");
  check_dead(tick(R"("seq":1,"price":1,"provider":7)"), errc::bad_field, "provider: must be a string");
  check_dead(R"({"symbol":"SPY","seq":1,"price":1,"src_ts":1761314521})", errc::bad_field, "src_ts: must be a string");
  check_dead(R"({"symbol":"SPY","seq":1,"price":1,"src_ts":"now"})", errc::bad_field, "src_ts: \"now\"");
}

CAF_TEST(a bar holds together or is refused) {
  check_dead(tick(R"("seq":1,"o":2,"h":1,"l":1,"c":1)"), errc::bad_field,
             "h: o and c of a bar must lie between l and h");
  check_dead(tick(R"("seq":1,"o":2,"h":3,"l":1,"c":4)"), errc::bad_field, "h: ");
  check_dead(tick(R"("seq":1,"o":2,"h":3,"l":2.5,"c":3)"), errc::bad_field, "l: ");
  check_dead(tick(R"("seq":1,"o":1,"h":1,"l":1,"c":1,"v":-1)"), errc::bad_field, "v: -1 is negative");
  check_dead(tick(R"("seq":1,"o":1,"h":1,"l":1,"c":1,"interval":"12345678901234567")"), errc::bad_field, "interval: ");
}

CAF_TEST(bars of several intervals keep them by name) {
  std::string lines;
  for (auto interval : {"1s", "1m", "1s", ""})
    lines += tick(R"("seq":1,"o":1,"h":1,"l":1,"c":1,"interval":")" + std::string{interval} + "\"");
  for (int round = 0; round < 2; ++round) { // again, when the shape is known
    auto chunk = parse(lines + lines);
    const auto& batch = *chunk.batches[0];
    CAF_REQUIRE_EQUAL(batch.rows.size(), 8u);
    CAF_CHECK_EQUAL(spell_out(batch, batch.rows[0]).interval, "1s");
    CAF_CHECK_EQUAL(spell_out(batch, batch.rows[5]).interval, "1m");
    CAF_CHECK_EQUAL(spell_out(batch, batch.rows[7]).interval, "");
    CAF_CHECK_EQUAL(batch.intervals.size(), 3u);
  }
}

CAF_TEST(names have 1 to 64 bytes without control characters and bars) {
  auto with = [](const std::string& symbol) {
    return R"({"symbol":")" + symbol + R"(","seq":1,"price":1,)" + when + "}\n";
  };
  auto chunk =
    parse(with(std::string(64, 'x')) + with("BRK.B") + with("caf\xC3\xA9") + with("\\u00e9") + with("a\\\"b"));
  CAF_CHECK_EQUAL(chunk.events, 5u);
  CAF_CHECK_EQUAL((*chunk.batches[0]->keys)[3].symbol, "\xC3\xA9");
  CAF_CHECK_EQUAL((*chunk.batches[0]->keys)[4].symbol, "a\"b");
  check_dead(with(std::string(65, 'x')), errc::bad_field, "must have 1 to 64 bytes, and has 65");
  check_dead(with(""), errc::bad_field, "and has 0");
  check_dead(with("A|B"), errc::bad_field, "symbol: \"A|B\" has a '|'");
  check_dead(with("A\\u007cB"), errc::bad_field, "has a '|'");
  check_dead(with("A\\nB"), errc::bad_field, "symbol: control characters");
  check_dead(with("A\x7F"), errc::bad_field, "symbol: control characters");
}

CAF_TEST(what is not one JSON object is a malformed line) {
  for (auto line : {"[1]",
                    "1",
                    "\"x\"",
                    "null",
                    "hello",
                    "{",
                    "}",
                    "{\"a\":1",
                    "{\"a\":1}}",
                    "{\"a\":1} x",
                    "{\"a\":1}{\"a\":1}",
                    "{\"a\":01}",
                    "{\"a\":1.}",
                    "{\"a\":nul}",
                    "{\"a\":nulll}",
                    "{\"a\":NaN}",
                    "{\"a\":tru}",
                    "{a:1}",
                    "{\"a\" 1}",
                    "{\"a\":1,}",
                    "{\"a\":\"x}",
                    "{\"a\":\"\\x\"}",
                    "{\"a\":\"\\ud800\"}",
                    "{\"a\":\"\\udc00\"}",
                    "{\"a\":[1,]}",
                    "{\"a\":{\"b\":+1}}",
                    "{\"a\":\"\t\"}",
                    "{'a':1}",
                    "{\"a\":[}",
                    "{\"\\q\":1}"})
    check_dead(line, errc::malformed_line, "the line is not one JSON object");
  // Also when a field was wrong before the end was reached.
  check_dead(R"({"seq":true,"symbol":"SPY")", errc::malformed_line, "the line is not one JSON object");
  check_dead(R"({"a":)" + std::string(20'000, '[') + std::string(20'000, ']') + "}", errc::malformed_line,
             "nested too deep");
}

CAF_TEST(bytes that are not UTF - 8 are named as such) {
  for (auto bytes : {"\xFF", "\xC3", "\xED\xA0\x80", "\xC0\xAF"})
    check_dead(R"({"symbol":"A)" + std::string{bytes} + R"(","seq":1,"price":1})", errc::not_utf8, "not UTF-8");
}

CAF_TEST(an event from the future is refused and one that is a little ahead is not ) {
  auto with = [](const char* time) {
    return R"({"symbol":"SPY","seq":1,"price":1,"src_ts":")" + std::string{time} + "\"}\n";
  };
  CAF_CHECK_EQUAL(parse(with("2026-11-21T10:00:05Z")).events, 1u); // max_future is 5 s
  check_dead(with("2026-11-21T10:00:05.000000001Z"), errc::future, "src_ts: 2026-11-21T10:00:05.000000001Z");
}

CAF_TEST(a line over the limit is refused whole) {
  auto with = options();
  with.max_line_bytes = 200;
  with.max_dead_letter_bytes = 16;
  auto long_line = tick(R"("seq":1,"price":1,"x":")" + std::string(200, 'x') + "\"");
  auto chunk = parse(tick(R"("seq":1,"price":1,"x":"")") + long_line + tick(R"("seq":1,"price":1,"x":"")"), with);
  CAF_CHECK_EQUAL(chunk.events, 2u);
  CAF_REQUIRE_EQUAL(chunk.dead_letters.size(), 1u);
  CAF_CHECK_EQUAL(chunk.dead_letters[0].code, errc::line_too_long);
  CAF_CHECK_EQUAL(chunk.dead_letters[0].bytes, long_line.substr(0, 16));
}

CAF_TEST(lines and bytes are counted over the life of the parser) {
  line_parser parser{options()};
  auto good = tick(R"("seq":1,"price":1)");
  auto first = parser.parse("\n" + good + "x\n", read_at);
  CAF_REQUIRE_EQUAL(first.dead_letters.size(), 1u);
  CAF_CHECK_EQUAL(first.lines, 3u);
  CAF_CHECK_EQUAL(first.dead_letters[0].line_number, 3u);
  CAF_CHECK_EQUAL(first.dead_letters[0].byte_offset, 1 + good.size());
  CAF_CHECK_EQUAL(first.dead_letters[0].bytes, "x");
  CAF_CHECK_EQUAL(first.dead_letters[0].feed, "alpha");
  CAF_CHECK_EQUAL(first.dead_letters[0].seen_ts.ns, read_at.ns);
  auto given_up = parser.give_up_line("yyyy", 100'000, read_at);
  CAF_CHECK_EQUAL(given_up.code, errc::line_too_long);
  CAF_CHECK_EQUAL(given_up.line_number, 4u);
  CAF_CHECK_EQUAL(given_up.byte_offset, 1 + good.size() + 2);
  CAF_CHECK_EQUAL(given_up.bytes, "yyyy");
  // The feed's last line may lack its newline.
  auto last = parser.parse("z", read_at);
  CAF_REQUIRE_EQUAL(last.dead_letters.size(), 1u);
  CAF_CHECK_EQUAL(last.dead_letters[0].line_number, 5u);
  CAF_CHECK_EQUAL(last.dead_letters[0].byte_offset, 1 + good.size() + 2 + 100'000);
  auto after = parser.parse("z", read_at);
  CAF_CHECK_EQUAL(after.dead_letters.at(0).byte_offset, 1 + good.size() + 2 + 100'000 + 1);
}

CAF_TEST(empty lines are nothing and carriage returns are tolerated) {
  auto good = tick(R"("seq":1,"price":1)");
  good.insert(good.size() - 1, "\r");
  auto chunk = parse("\n  \t\r\n\r\n" + good + good + "   ");
  CAF_CHECK_EQUAL(chunk.events, 2u);
  CAF_CHECK_EQUAL(chunk.dead_letters.size(), 0u);
  CAF_CHECK_EQUAL(chunk.lines, 6u);
  CAF_CHECK_EQUAL(parse("").lines, 0u);
}

CAF_TEST(of a key that comes twice the first counts) {
  CAF_CHECK_EQUAL(first_value(row_of(tick(R"("seq":1,"price":1,"price":2,"seq":3)"))), one);
}

CAF_TEST(events go to the partition of their symbol and all batches share the table of names) {
  auto with = options();
  with.partitions = 4;
  line_parser parser{with};
  std::string lines;
  for (int i = 0; i < 100; ++i)
    lines += R"({"symbol":"S)" + std::to_string(i) + R"(","seq":1,"price":1,)" + when + "}\n";
  for (int round = 0; round < 2; ++round) {
    auto chunk = parser.parse(lines, read_at);
    std::uint64_t rows = 0;
    for (std::uint32_t partition = 0; partition < 4; ++partition) {
      const auto& batch = chunk.batches[partition];
      CAF_REQUIRE(batch != nullptr);
      CAF_CHECK_EQUAL(batch->keys, chunk.batches[0]->keys);
      rows += batch->rows.size();
      for (const auto& row : batch->rows) CAF_CHECK_EQUAL(partition_of((*batch->keys)[row.key].symbol, 4), partition);
    }
    CAF_CHECK_EQUAL(rows, 100u);
    CAF_CHECK_EQUAL(chunk.batches[0]->keys->size(), 100u);
  }
}

CAF_TEST(the partition of a symbol never changes) {
  CAF_CHECK_EQUAL(partition_of("SPY", 1), 0u);
  // XXH3 of the names, modulo 16; these decide where events are in logs that exist.
  CAF_CHECK_EQUAL(partition_of("SPY", 16), 8u);
  CAF_CHECK_EQUAL(partition_of("BTCUSDT", 16), 5u);
  CAF_CHECK_EQUAL(partition_of("EUR/USD", 16), 13u);
}

CAF_TEST(a feed may not name more series than the limit) {
  auto with = options();
  with.max_keys = 2;
  auto line = [](const char* symbol) {
    return R"({"symbol":")" + std::string{symbol} + R"(","seq":1,"price":1,)" + when + "}\n";
  };
  auto chunk = parse(line("A") + line("B") + line("C") + line("A"), with);
  CAF_CHECK_EQUAL(chunk.events, 3u);
  CAF_REQUIRE_EQUAL(chunk.dead_letters.size(), 1u);
  CAF_CHECK_EQUAL(chunk.dead_letters[0].code, errc::overloaded);
}

CAF_TEST(one series each for the same symbol of two providers) {
  auto line = [](const char* provider) {
    return R"({"provider":")" + std::string{provider} + R"(","symbol":"SPY","seq":1,"price":1,)" + when + "}\n";
  };
  auto lines = line("a") + line("b") + line("alpha") + tick(R"("seq":1,"price":1)");
  auto chunk = parse(lines + lines + lines);
  CAF_CHECK_EQUAL(chunk.batches[0]->keys->size(), 3u); // a line without a provider is alpha's
  CAF_CHECK_EQUAL(chunk.events, 12u);
}

CAF_TEST(rounding is for those who ask for it) {
  auto with = options();
  with.rounding_mode = rounding::half_even;
  auto line = tick(R"("seq":1,"price":425.15000000000003)");
  CAF_CHECK_EQUAL(first_value(row_of(line, with)), 425'150'000'000);
  CAF_CHECK_EQUAL(parse(line + line + line, with).events, 3u);
  CAF_CHECK_EQUAL(parse(line + line + line).dead_letters.size(), 3u);
}
