#define CAF_SUITE event_codec

#include "tests/messages/codec_language.hpp"
#include "tests/support/golden.hpp"

#include "messages/codec/event_codec.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

// Whether both hold the same events. Names get new numbers on the way, so they are compared spelled out.
bool same(const event_batch& a, const event_batch& b) {
  if (a.feed != b.feed || a.ingest_ts != b.ingest_ts || a.intervals != b.intervals || a.rows.size() != b.rows.size())
    return false;
  for (std::size_t i = 0; i < a.rows.size(); ++i)
    if (spell_out(a, a.rows[i]) != spell_out(b, b.rows[i])) return false;
  return true;
}

// The batch of the worked example in docs/formats.md.
event_batch documented_batch() {
  event_batch batch;
  batch.feed = "demo";
  batch.ingest_ts = *parse_timestamp("2026-01-05T14:30:00.25Z");
  batch.keys = std::make_shared<std::vector<series_key>>(std::vector<series_key>{{"demo", "SPY"}, {"demo", "QQQ"}});
  auto row = [&](std::uint32_t key, const char* when, std::int64_t seq, const char* price, const char* size) {
    batch.rows.push_back({*parse_timestamp(when),
                          seq,
                          {parse_decimal(price)->units, parse_decimal(size)->units},
                          key,
                          event_kind::tick,
                          0});
  };
  row(0, "2026-01-05T14:30:00.1Z", 1, "425.15", "100");
  row(1, "2026-01-05T14:30:00.15Z", 2, "380.5", "200");
  row(0, "2026-01-05T14:30:00.2Z", 3, "425.1", "50");
  return batch;
}

double bytes_per_event(std::size_t symbols, event_kind kind) {
  std::mt19937_64 random{7};
  auto batch = market_batch(random, symbols, 1500, kind);
  return static_cast<double>(encode_events(batch).size()) / static_cast<double>(batch.rows.size());
}

} // namespace

CAF_TEST(the bytes are those that the documentation shows) {
  CAF_CHECK_EQUAL(hex_of(encode_events(documented_batch())), documented_hex("docs/formats.md", 0));
}

CAF_TEST(any batch is read back as it was) {
  std::mt19937_64 random{1};
  for (int i = 0; i < 2000; ++i) {
    auto batch = any_batch(random);
    auto bytes = encode_events(batch);
    auto back = decode_events(bytes);
    CAF_REQUIRE(back.has_value());
    if (!same(batch, **back)) CAF_ERROR("batch " << i << " came back changed");
    CAF_CHECK(encode_events(**back) == bytes);
  }
}

CAF_TEST(only the names that are used are written) {
  std::mt19937_64 random{2};
  auto batch = market_batch(random, 10'000, 10, event_kind::tick);
  auto bytes = encode_events(batch);
  CAF_CHECK_LESS(bytes.size(), 400u);
  CAF_CHECK_EQUAL((*decode_events(bytes))->keys->size(), 10u);
}

CAF_TEST(a batch without rows is a record all the same) {
  event_batch batch;
  batch.feed = "quiet";
  batch.keys = std::make_shared<std::vector<series_key>>();
  auto back = decode_events(encode_events(batch));
  CAF_REQUIRE(back.has_value());
  CAF_CHECK_EQUAL((*back)->feed, "quiet");
  CAF_CHECK((*back)->rows.empty());
}

CAF_TEST(256 intervals fit into a batch) {
  event_batch batch;
  batch.keys = std::make_shared<std::vector<series_key>>(1, series_key{"p", "s"});
  while (batch.intervals.size() < 256) batch.intervals.push_back(std::to_string(batch.intervals.size()));
  batch.rows.push_back({{}, 0, {1, 2, 3, 4, 5}, 0, event_kind::bar, 255});
  auto back = decode_events(encode_events(batch));
  CAF_REQUIRE(back.has_value());
  CAF_CHECK_EQUAL(spell_out(**back, (*back)->rows[0]).interval, "255");
}

CAF_TEST(a realistic event takes 10 to 25 bytes) {
  for (auto symbols : {100u, 10'000u}) {
    for (auto kind : {event_kind::tick, event_kind::quote, event_kind::bar}) {
      // 1500 rows of 10,000 symbols name nearly one symbol a row, which is why names may add to this.
      auto bytes = bytes_per_event(symbols, kind);
      CAF_MESSAGE(to_string(kind) << " of " << symbols << " symbols: " << bytes << " bytes");
      if (symbols == 100) {
        CAF_CHECK_LESS(bytes, 25.0);
        CAF_CHECK_GREATER(bytes, 5.0);
      }
    }
  }
}
