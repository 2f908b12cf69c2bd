#define CAF_SUITE json

#include "tests/messages/codec_language.hpp"
#include "tests/support/suite.hpp"

#include "messages/codec/json.hpp"

#include <limits>
#include <nlohmann/json.hpp>

using namespace finstream;
using namespace finstream::test;

namespace {

std::string string_json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

event_batch one_event(event_kind kind, std::array<std::int64_t, 5> values, const std::string& symbol = "SPY") {
  event_batch batch;
  batch.ingest_ts = *parse_timestamp("2026-01-05T14:30:00.25Z");
  batch.keys = std::make_shared<std::vector<series_key>>(1, series_key{"nyse", symbol});
  batch.intervals.push_back("1s");
  batch.rows.push_back({*parse_timestamp("2026-01-05T14:30:00.1Z"), 7, values, 0, kind,
                        static_cast<std::uint8_t>(kind == event_kind::bar)});
  return batch;
}
std::string event_json(const event_batch& batch) {
  std::string out;
  append_tick_json(out, batch, batch.rows[0], "1-0-4711");
  return out;
}

constexpr std::int64_t one = units_per_one;

bar sample_bar() {
  bar x;
  x.provider = "nyse", x.symbol = "SPY", x.interval = second;
  x.start = *parse_timestamp("2026-01-05T14:30:00Z"), x.end = x.start + second;
  x.open.units = 425'150'000'000, x.high.units = 426 * one, x.low.units = 425 * one, x.close.units = -1,
  x.volume.units = 100 * one;
  x.vwap = price{{425'333'333'333}};
  x.traded = {static_cast<int128>(42'533) * one / 1000 * one + 1};
  x.trades = 3, x.first_ts = x.start + 1, x.last_ts = x.start + 999 * millisecond;
  x.flags = gap | partial_start, x.coverage.units = 500'000'000;
  x.first_offset = 10, x.last_offset = 12, x.schema = 0xab, x.config_hash = ~0ull;
  return x;
}

bool is_json(const std::string& text) { return nlohmann::json::accept(text); }

} // namespace

CAF_TEST(a tick has these characters) {
  CAF_CHECK_EQUAL(
    event_json(one_event(event_kind::tick, {425'150'000'000, 100 * one})),
    R"({"type":"tick","channel":"ticks.SPY","pos":"1-0-4711","provider":"nyse","symbol":"SPY",)"
    R"("src_ts":"2026-01-05T14:30:00.100Z","ingest_ts":"2026-01-05T14:30:00.250Z","seq":7,"price":425.15,"size":100})");
}

CAF_TEST(a quote and a bar of a feed have the fields of their kind) {
  CAF_CHECK_EQUAL(event_json(one_event(event_kind::quote, {1, 2 * one, 3, 4})),
                  R"({"type":"quote","channel":"ticks.SPY","pos":"1-0-4711","provider":"nyse","symbol":"SPY",)"
                  R"("src_ts":"2026-01-05T14:30:00.100Z","ingest_ts":"2026-01-05T14:30:00.250Z","seq":7,)"
                  R"("bid":0.000000001,"ask":2,"bid_size":0.000000003,"ask_size":0.000000004})");
  CAF_CHECK_EQUAL(
    event_json(one_event(event_kind::bar, {one, 4 * one, -one, 2 * one, 0})),
    R"({"type":"bar","channel":"ticks.SPY","pos":"1-0-4711","provider":"nyse","symbol":"SPY","interval":"1s",)"
    R"("src_ts":"2026-01-05T14:30:00.100Z","ingest_ts":"2026-01-05T14:30:00.250Z","seq":7,"o":1,"h":4,"l":-1,"c":2,"v":0})");
}

CAF_TEST(a bar has these characters) {
  std::string out;
  append_bar_json(out, sample_bar(), "1-99");
  CAF_CHECK_EQUAL(
    out, R"({"type":"bar","channel":"bars.1s.SPY","pos":"1-99","provider":"nyse","symbol":"SPY","interval":"1s",)"
         R"("start":"2026-01-05T14:30:00Z","end":"2026-01-05T14:30:01Z","open":425.15,"high":426,"low":425,)"
         R"("close":-0.000000001,"volume":100,"vwap":425.333333333,"notional":42.533000000000000001,"trades":3,)"
         R"("first_ts":"2026-01-05T14:30:00.000000001Z","last_ts":"2026-01-05T14:30:00.999Z","revision":0,)"
         R"("state":"final","coverage":0.5,"flags":"partial_start gap","reason":"","first_offset":10,)"
         R"("last_offset":12,"schema":"00000000000000ab","config_hash":"ffffffffffffffff"})");
}

CAF_TEST(a bar without volume has null for its vwap) {
  auto x = sample_bar();
  x.vwap.reset();
  std::string out;
  append_bar_json(out, x, "1-99");
  auto parsed = nlohmann::json::parse(out);
  CAF_CHECK(parsed["vwap"].is_null());
}

CAF_TEST(features have these characters) {
  feature_vector x;
  x.provider = "nyse", x.symbol = "SPY", x.interval = second;
  x.start = *parse_timestamp("2026-01-05T14:30:00Z"), x.end = x.start + second;
  x.close.units = 425 * one, x.revision = 1, x.inputs_revision = 2, x.first_offset = 3, x.last_offset = 4;
  x.values.push_back({"vwap_1m", 425.1, decimal{425'100'000'000}, {}, 7, true, false, x.end - 60 * second, 2});
  x.values.push_back({"rsi", std::nullopt, {}, {}, 1, false, true, x.start, 0});
  x.values.push_back({"vol_ann", 0.1, {}, 5615.692299628, 20, true, false, x.start, 0});
  std::string out;
  append_features_json(out, x, "1-0-7");
  CAF_CHECK_EQUAL(
    out,
    R"({"type":"features","channel":"features.SPY","pos":"1-0-7","provider":"nyse","symbol":"SPY","interval":"1s",)"
    R"("start":"2026-01-05T14:30:00Z","end":"2026-01-05T14:30:01Z","close":425,"revision":1,"inputs_revision":2,)"
    R"("features":{"vwap_1m":{"value":425.1,"n":7,"warm":true,"window_start":"2026-01-05T14:29:01Z",)"
    R"("window_end":"2026-01-05T14:30:01Z","inputs_revision":2},)"
    R"("rsi":{"value":null,"n":1,"warm":false,"window_start":"2026-01-05T14:30:00Z",)"
    R"("window_end":"2026-01-05T14:30:01Z","inputs_revision":0,"flat":true},)"
    R"("vol_ann":{"value":0.1,"n":20,"warm":true,"window_start":"2026-01-05T14:30:00Z",)"
    R"("window_end":"2026-01-05T14:30:01Z","inputs_revision":0,"factor":5615.692299628}},)"
    R"("first_offset":3,"last_offset":4,"schema":"0000000000000000","config_hash":"0000000000000000"})");
}

CAF_TEST(a signal has these characters) {
  signal x;
  x.signal_id = "0123456789abcdef0123456789abcdef", x.provider = "nyse", x.symbol = "SPY";
  x.bar_start = *parse_timestamp("2026-01-05T14:30:00Z"), x.ts = x.bar_start + second, x.interval = second;
  x.name = "rsi_overbought", x.value = -1, x.score = 0.7, x.adapter = "rules", x.maker = 0xab;
  x.inputs_start = x.bar_start - 13 * second, x.close.units = 425'150'000'000;
  x.inputs = {{"rsi", 71.5}, {"vol", std::nullopt}};
  std::string out;
  append_signal_json(out, x, "1-0-7");
  CAF_CHECK_EQUAL(
    out, R"({"type":"signal","channel":"signals.SPY","pos":"1-0-7","ver":1,)"
         R"("signal_id":"0123456789abcdef0123456789abcdef","provider":"nyse","symbol":"SPY",)"
         R"("ts":"2026-01-05T14:30:01Z","name":"rsi_overbought","value":-1,"score":0.7,"adapter":"rules",)"
         R"("rule_hash":"00000000000000ab","meta":{"window":"1s","price":425.15,"bar_start":"2026-01-05T14:30:00Z",)"
         R"("bar_revision":0,"inputs_start":"2026-01-05T14:29:47Z","inputs":{"rsi":71.5,"vol":null}},)"
         R"("first_offset":0,"last_offset":0,"schema":"0000000000000000","config_hash":"0000000000000000"})");
}

CAF_TEST(a double is the shortest that reads back the same) {
  std::string out;
  for (double x : {0.1, -0.0, 1e300, 5e-324, 32.79857397504736}) append_json_double(out, x), out += ' ';
  append_json_double(out, std::numeric_limits<double>::quiet_NaN());
  CAF_CHECK_EQUAL(out, "0.1 -0 1e+300 5e-324 32.79857397504736 null");
}

CAF_TEST(an end of interval and an announcement have these characters) {
  std::string out;
  auto start = *parse_timestamp("2026-01-05T14:30:00Z");
  append_end_of_interval_json(out, {"nyse", 60 * second, start, start + 120 * second, interval_reason::feed_down},
                              "1-5");
  CAF_CHECK_EQUAL(out,
                  R"({"type":"end_of_interval","channel":"bars.60s.*","pos":"1-5","provider":"nyse","interval":"60s",)"
                  R"("start":"2026-01-05T14:30:00Z","end":"2026-01-05T14:32:00Z","reason":"feed_down"})");
  out.clear();
  append_sys_event_json(out, {sys_kind::feed_killed, start, "/feeds/demo", "said \"no\""});
  CAF_CHECK_EQUAL(out, R"({"type":"status","channel":"status","kind":"feed_killed","at":"2026-01-05T14:30:00Z",)"
                       R"("subject":"/feeds/demo","reason":"said \"no\""})");
}

CAF_TEST(a position is its epoch and its partition and its offset) {
  CAF_CHECK_EQUAL(position_text(1, 3, 4711), "1-3-4711");
  CAF_CHECK_EQUAL(position_text(~0ull, ~0u, ~0ull), "18446744073709551615-4294967295-18446744073709551615");
}

CAF_TEST(what JSON must escape is escaped) {
  CAF_CHECK_EQUAL(string_json(""), R"("")");
  CAF_CHECK_EQUAL(string_json("a\"b\\c"), R"("a\"b\\c")");
  CAF_CHECK_EQUAL(string_json(std::string_view{"\0\n\x1f", 3}), R"("\u0000\u000a\u001f")");
  CAF_CHECK_EQUAL(string_json("\x7f/"), "\"\x7f/\"");
  CAF_CHECK_EQUAL(string_json("z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80"),
                  "\"z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

CAF_TEST(text that is UTF8 is read back as it was) {
  std::mt19937_64 random{1};
  const std::string_view pieces[] = {"a", "\"",  "\\", "\n", "\x01", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                     "/", "\x7f"};
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (auto n = random() % 20; n != 0; --n) text += pieces[random() % std::size(pieces)];
    auto parsed = nlohmann::json::parse(string_json(text), nullptr, false);
    CAF_CHECK(parsed == text);
  }
}

CAF_TEST(bytes that are not UTF8 are replaced so that what leaves is JSON) {
  CAF_CHECK_EQUAL(string_json("a\xff"
                              "b"),
                  "\"a\xef\xbf\xbd"
                  "b\"");
  CAF_CHECK_EQUAL(string_json("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\""); // cut in the middle
  CAF_CHECK_EQUAL(string_json("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\""); // longer than need be
  CAF_CHECK_EQUAL(string_json("\xed\xa0\x80x"),
                  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\"");        // half of a surrogate pair
  CAF_CHECK_EQUAL(string_json("\xf4\x90\x80\x80").size(), 2u + 4 * 3); // beyond the last character
  std::mt19937_64 random{2};
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 12, '\0');
    for (auto& c : text) c = static_cast<char>(random() % 2 == 0 ? 0x80 + random() % 0x80 : random());
    if (!is_json(string_json(text))) CAF_ERROR("text " << i << " became something else than JSON");
  }
}

CAF_TEST(a symbol may have any characters) {
  for (std::string symbol : {"A\"B", "A\\", "\xff", "\n", "BRK.B"}) {
    auto parsed = nlohmann::json::parse(event_json(one_event(event_kind::tick, {one, one}, symbol)), nullptr, false);
    CAF_REQUIRE(parsed.is_object());
    CAF_CHECK_EQUAL(parsed["channel"].get<std::string>(), "ticks." + parsed["symbol"].get<std::string>());
    std::string out;
    auto x = sample_bar();
    x.symbol = symbol;
    append_bar_json(out, x, "");
    CAF_CHECK(is_json(out));
  }
}

CAF_TEST(any event is JSON whose numbers are exact) {
  std::mt19937_64 random{3};
  for (int i = 0; i < 200; ++i) {
    auto batch = any_batch(random);
    for (auto& row : batch.rows) {
      std::string out;
      append_tick_json(out, batch, row, "1-1");
      auto parsed = nlohmann::json::parse(out, nullptr, false);
      CAF_REQUIRE(parsed.is_object());
      bool same = parsed["seq"] == row.seq && parsed["symbol"] == (*batch.keys)[row.key].symbol &&
                  parsed["type"] == to_string(row.kind);
      if (!same) CAF_ERROR("not the event that it was: " << out);
      if (row.kind != event_kind::tick) continue;
      // Exact means: the characters, not what a double makes of them.
      auto from = out.find("\"price\":") + 8;
      auto back = parse_decimal(std::string_view{out}.substr(from, out.find(',', from) - from));
      CAF_CHECK(back && back->units == row.values[0]);
    }
  }
}

CAF_TEST(an object goes to the end of what is there) {
  std::string out = "[{";
  append_sys_event_json(out, {});
  CAF_CHECK(out.starts_with(R"([{{"type":"status",)"));
}
