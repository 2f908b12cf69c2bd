#define CAF_SUITE msgpack

#include "tests/support/golden.hpp"

#include "messages/codec/msgpack.hpp"

#include <limits>
#include <random>

using namespace finstream;

namespace {

std::string any_text(std::mt19937_64& random) {
  std::string out(random() % 40, '\0');
  for (auto& c : out) c = static_cast<char>(random());
  return out;
}
std::int64_t any_signed(std::mt19937_64& random) { return static_cast<std::int64_t>(random()) >> (random() % 64); }

bar any_bar(std::mt19937_64& random) {
  bar x;
  x.provider = any_text(random), x.symbol = any_text(random);
  x.interval = any_signed(random), x.start.ns = any_signed(random), x.end.ns = any_signed(random);
  x.open.units = any_signed(random), x.high.units = any_signed(random), x.low.units = any_signed(random);
  x.close.units = any_signed(random), x.volume.units = any_signed(random);
  if (random() % 2 == 0) x.vwap = price{{any_signed(random)}};
  x.trades = random(), x.first_ts.ns = any_signed(random), x.last_ts.ns = any_signed(random);
  x.revision = static_cast<std::uint32_t>(random()), x.state = static_cast<bar_state>(random() % 2);
  x.coverage.units = any_signed(random), x.flags = static_cast<std::uint32_t>(random()), x.reason = any_text(random);
  x.first_offset = random(), x.last_offset = random(), x.schema = random(), x.config_hash = random();
  x.traded.units = static_cast<int128>(any_signed(random)) * any_signed(random);
  return x;
}
double any_double(std::mt19937_64& random) {
  return static_cast<double>(any_signed(random)) / static_cast<double>(1 + random() % 1000);
}
std::optional<double> any_optional(std::mt19937_64& random) {
  return random() % 2 == 0 ? std::optional{any_double(random)} : std::nullopt;
}
feature_vector any_features(std::mt19937_64& random) {
  feature_vector x;
  x.provider = any_text(random), x.symbol = any_text(random), x.interval = any_signed(random);
  x.start.ns = any_signed(random), x.end.ns = any_signed(random), x.close.units = any_signed(random);
  x.revision = static_cast<std::uint32_t>(random()), x.first_offset = random(), x.config_hash = random();
  for (auto n = random() % 5; n != 0; --n) {
    feature_value v;
    v.name = any_text(random), v.value = any_optional(random), v.factor = any_optional(random), v.n = random();
    if (random() % 2 == 0) v.exact = decimal{any_signed(random)};
    v.warm = random() % 2 == 0, v.flat = random() % 2 == 0, v.window_start.ns = any_signed(random);
    v.inputs_revision = static_cast<std::uint32_t>(random());
    x.values.push_back(v);
  }
  return x;
}
signal any_signal(std::mt19937_64& random) {
  signal x;
  x.signal_id = any_text(random), x.provider = any_text(random), x.symbol = any_text(random);
  x.ts.ns = any_signed(random), x.name = any_text(random), x.value = any_double(random), x.score = any_double(random);
  x.adapter = any_text(random), x.maker = random(), x.bar_start.ns = any_signed(random);
  x.bar_revision = static_cast<std::uint32_t>(random()), x.last_offset = random();
  for (auto n = random() % 4; n != 0; --n) x.inputs.push_back({any_text(random), any_optional(random)});
  return x;
}
end_of_interval any_end(std::mt19937_64& random) {
  return {any_text(random),
          any_signed(random),
          {any_signed(random)},
          {any_signed(random)},
          static_cast<interval_reason>(random() % 5)};
}
dead_letter any_letter(std::mt19937_64& random) {
  dead_letter x{any_text(random), {any_signed(random)}, static_cast<errc>(random() % 24), any_text(random), random(),
                random(),         any_text(random)};
  x.stage = any_text(random), x.cause_topic = any_text(random), x.cause_offset = random(), x.config_hash = random();
  x.attempts = static_cast<std::uint32_t>(random());
  if (random() % 2 == 0) x.first_seen_ts = timestamp{any_signed(random)};
  return x;
}
source_event any_source(std::mt19937_64& random) {
  return {any_text(random),     any_text(random),     static_cast<source_change>(random() % 6),
          {any_signed(random)}, {any_signed(random)}, random() % 2 == 0,
          any_text(random)};
}
std::vector<derived> any_derived(std::mt19937_64& random) {
  std::vector<derived> out;
  for (auto n = random() % 8; n != 0; --n) {
    switch (random() % 4) {
    case 0: out.emplace_back(any_bar(random)); break;
    case 1: out.emplace_back(any_end(random)); break;
    case 2: out.emplace_back(any_features(random)); break;
    case 3: out.emplace_back(any_signal(random)); break;
    }
  }
  return out;
}

template <class T> bool refused(const expected<T>& x) { return !x && x.error().code == errc::corrupt_record; }

// Every reader survives these bytes.
void read_as_everything(const std::string& bytes) {
  auto a = bar_from_msgpack(bytes);
  auto b = dead_letter_from_msgpack(bytes);
  auto c = source_event_from_msgpack(bytes);
  auto d = derived_from_msgpack(bytes);
  auto e = feature_vector_from_msgpack(bytes);
  auto f = signal_from_msgpack(bytes);
  CAF_CHECK(e || refused(e));
  CAF_CHECK(f || refused(f));
  CAF_CHECK(a || refused(a));
  CAF_CHECK(b || refused(b));
  CAF_CHECK(c || refused(c));
  CAF_CHECK(d || refused(d));
  if (d) CAF_CHECK(derived_from_msgpack(to_msgpack(*d)) == *d);
}

} // namespace

CAF_TEST(the bytes are those that the documentation shows) {
  auto start = *parse_timestamp("2026-01-05T14:30:00Z");
  std::vector<derived> xs{end_of_interval{"demo", second, start, start + second, interval_reason::closed}};
  CAF_CHECK_EQUAL(test::hex_of(to_msgpack(xs)), test::documented_hex("docs/formats.md", 1));
}

CAF_TEST(every message is read back as it was) {
  std::mt19937_64 random{1};
  for (int i = 0; i < 500; ++i) {
    auto a = any_bar(random);
    auto b = any_letter(random);
    auto c = any_source(random);
    auto d = any_derived(random);
    auto e = any_features(random);
    auto f = any_signal(random);
    CAF_CHECK(feature_vector_from_msgpack(to_msgpack(e)) == e);
    CAF_CHECK(signal_from_msgpack(to_msgpack(f)) == f);
    stage_rules g{any_text(random), any_text(random), any_text(random)};
    CAF_CHECK(stage_rules_from_msgpack(to_msgpack(g)) == g);
    CAF_CHECK(bar_from_msgpack(to_msgpack(a)) == a);
    CAF_CHECK(dead_letter_from_msgpack(to_msgpack(b)) == b);
    CAF_CHECK(source_event_from_msgpack(to_msgpack(c)) == c);
    CAF_CHECK(derived_from_msgpack(to_msgpack(d)) == d);
    set_aside_request h{any_text(random), static_cast<std::uint16_t>(random()), b, std::nullopt};
    if (i % 2 == 0) h.from = static_cast<line_stage>(random() % 3);
    CAF_CHECK(set_aside_request_from_msgpack(to_msgpack(h)) == h);
    taken_windows j{{{a.start, a.interval, any_text(random), any_text(random)}, {a.end, 1, {}, {}}}};
    CAF_CHECK(taken_windows_from_msgpack(to_msgpack(j)) == j);
  }
}

CAF_TEST(the extremes of every number are read back) {
  bar x;
  x.open.units = std::numeric_limits<std::int64_t>::min();
  x.high.units = std::numeric_limits<std::int64_t>::max();
  x.traded.units = multiply(x.open, {x.open.units}).units;
  x.trades = x.schema = std::numeric_limits<std::uint64_t>::max();
  x.revision = std::numeric_limits<std::uint32_t>::max();
  CAF_CHECK(bar_from_msgpack(to_msgpack(x)) == x);
}

CAF_TEST(a message is the array of its fields) {
  end_of_interval x{"nyse", 1, {2}, {3}, interval_reason::no_trades};
  // An array of two: the tag of an end of interval, and an array of five.
  CAF_CHECK_EQUAL(to_msgpack(std::vector<derived>{x}), "\x92\x01\x95\xa4nyse\x01\x02\x03\x01");
}

CAF_TEST(a field that is not there keeps its default) {
  auto found = source_event_from_msgpack(std::string{"\x92\xa4"
                                                     "feed\xa8"
                                                     "provider"});
  CAF_REQUIRE(found.has_value());
  CAF_CHECK(*found == (source_event{"feed", "provider", source_change::up, {}, {}, false, ""}));
  auto empty = bar_from_msgpack("\x90");
  CAF_REQUIRE(empty.has_value());
  CAF_CHECK(*empty == bar{});
}

CAF_TEST(a field that a newer writer has added is left alone) {
  source_event x{"feed", "provider", source_change::gap, {5}, {4}, true, "why"};
  auto bytes = to_msgpack(x);
  CAF_REQUIRE_EQUAL(bytes[0], '\x97');
  bytes[0] = '\x99';
  bytes += "\xa3new\x92\x01\x02";
  CAF_CHECK(source_event_from_msgpack(bytes) == x);
}

CAF_TEST(a value of the wrong type is refused) {
  CAF_CHECK(refused(source_event_from_msgpack("\x91\x01")));          // a number for a text
  CAF_CHECK(refused(source_event_from_msgpack("\x93\xa0\xa0\xa1x"))); // a text for an enum
  CAF_CHECK(refused(source_event_from_msgpack("\x81\x01\x02")));      // a map
  CAF_CHECK(refused(source_event_from_msgpack("\x01")));
  CAF_CHECK(refused(source_event_from_msgpack("")));
  CAF_CHECK(refused(derived_from_msgpack("\x91\x01")));     // a tag without a message
  CAF_CHECK(refused(derived_from_msgpack("\x92\x07\x90"))); // a tag that is unknown
}

CAF_TEST(a number that its field cannot hold is refused and not cut) {
  auto with_change = [](const std::string& number) { return std::string{"\x93\xa0\xa0"} + number; };
  CAF_CHECK(source_event_from_msgpack(with_change("\x05")).has_value());
  CAF_CHECK(
    refused(source_event_from_msgpack(with_change(std::string{"\xcd\x01\x00", 3})))); // 256 as an enum of a byte
  CAF_CHECK(refused(source_event_from_msgpack(with_change("\xff"))));                 // -1
  // 2^63 as a time.
  CAF_CHECK(
    refused(source_event_from_msgpack(std::string{"\x94\xa0\xa0\x05\xcf\x80\x00\x00\x00\x00\x00\x00\x00", 13})));
  CAF_CHECK(
    refused(derived_from_msgpack(std::string{"\x92\xcf\x00\x00\x00\x01\x00\x00\x00\x00\x90", 11}))); // 2^32 as a tag
}

CAF_TEST(a stage that there is not is refused) {
  set_aside_request x;
  x.from = static_cast<line_stage>(3);
  CAF_CHECK(refused(set_aside_request_from_msgpack(to_msgpack(x))));
}

CAF_TEST(bytes that follow are refused) {
  CAF_CHECK(refused(bar_from_msgpack(to_msgpack(bar{}) + '\x01')));
  CAF_CHECK(refused(derived_from_msgpack(to_msgpack(std::vector<derived>{}) + "abc")));
}

CAF_TEST(a record that is cut anywhere is refused) {
  std::mt19937_64 random{2};
  auto bytes = to_msgpack(std::vector<derived>{any_bar(random), any_end(random)});
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CAF_CHECK(refused(derived_from_msgpack(std::string_view{bytes}.substr(0, size))));
}

CAF_TEST(changed bytes do no harm) {
  std::mt19937_64 random{3};
  for (int i = 0; i < 25'000;) {
    std::string originals[] = {to_msgpack(any_bar(random)), to_msgpack(any_letter(random)),
                               to_msgpack(any_source(random)), to_msgpack(any_derived(random))};
    for (auto& original : originals) {
      for (int j = 0; j < 25; ++j, ++i) {
        auto bytes = original;
        for (auto changes = 1 + random() % 4; changes != 0; --changes)
          bytes[random() % bytes.size()] = static_cast<char>(random() % 3 == 0 ? 0x90 + random() % 0x50 : random());
        read_as_everything(bytes);
      }
    }
  }
}

// An array's head of five bytes can promise millions of elements.
CAF_TEST(a small record cannot ask for much memory) {
  std::string nested;
  for (int i = 0; i < 8; ++i) nested += std::string{"\xdd\x00\x0f\xff\xff", 5};
  read_as_everything(nested);
  CAF_CHECK(refused(derived_from_msgpack(nested)));
  std::string deep(100'000, '\x91');
  CAF_CHECK(refused(derived_from_msgpack(deep)));
  CAF_CHECK(refused(bar_from_msgpack(std::string{"\xdb\xff\xff\xff\xff", 5})));
}

// All windows may close in one step: at a change of the rules, at the end of a feed.
CAF_TEST(what a step of a million bars gives can be read again) {
  std::vector<derived> many(1'000'000, end_of_interval{"p", 1, {2}, {3}, interval_reason::closed});
  auto bytes = to_msgpack(many);
  auto back = derived_from_msgpack(bytes);
  CAF_REQUIRE(back.has_value());
  CAF_CHECK_EQUAL(back->size(), many.size());
}
