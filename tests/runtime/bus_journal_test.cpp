#define CAF_SUITE bus_journal

#include "messages/codec/event_codec.hpp"
#include "runtime/bus/journal.hpp"
#include "tests/runtime/bus_language.hpp"

#include <fmt/format.h>

using namespace finstream;
using namespace finstream::test;

namespace {

transaction rich() {
  auto tx = appends({events_record(3, 1000, at(1), std::string("\0\xff", 2)), record_of(topic::raw, 3, 1, {-1}, "")});
  tx.writes = {{"bars", std::string("k\0", 2), std::string("\xff\0", 2)}, {"bars", "gone", std::nullopt}};
  tx.commits = {{"windows", topic::events, 3, 1000}};
  return tx;
}

std::string text_of(const transaction& tx) {
  std::string out;
  for (auto& x : tx.appends)
    out += fmt::format("{}/{} {} {} {} {}|", to_string(x.where), x.partition, static_cast<int>(x.kind), x.count,
                       x.log_ts.ns, x.payload);
  for (auto& x : tx.writes) out += x.table + x.key + x.value.value_or("(none)") + "|";
  for (auto& x : tx.commits) out += fmt::format("{} {}/{} {}|", x.group, to_string(x.where), x.partition, x.offset);
  return out;
}

} // namespace

CAF_TEST(a transaction is read as it was written) {
  for (auto how : {compression::none, compression::zstd}) {
    auto blocks = encode_blocks(rich(), 42, how);
    CAF_REQUIRE_EQUAL(blocks.size(), 1u);
    CAF_CHECK_EQUAL(must(events_of_block(blocks[0])), 1001u);
    block_reader reader;
    auto read = must(reader.add(blocks[0]));
    CAF_REQUIRE(read.has_value());
    CAF_CHECK_EQUAL(read->epoch, 42u);
    CAF_CHECK(text_of(read->what) == text_of(rich()));
  }
}

CAF_TEST(a very large transaction is several blocks) {
  auto tx = appends({events_record(0, 1, at(1), std::string(20u << 20, 'x'))});
  auto blocks = encode_blocks(tx, 1, compression::none);
  CAF_CHECK_EQUAL(blocks.size(), 3u);
  block_reader reader;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    CAF_CHECK(blocks[i].size() <= most_block_bytes);
    auto read = must(reader.add(blocks[i]));
    CAF_CHECK_EQUAL(read.has_value(), i == 2);
    if (read) CAF_CHECK(text_of(read->what) == text_of(tx));
  }
  CAF_CHECK(reader.is_between_transactions());
}

CAF_TEST(a block is put together of messages of any size) {
  auto block = encode_blocks(rich(), 1, compression::none)[0];
  for (std::size_t limit : {1u, 7u, 1000u}) {
    auto messages = to_messages(9, 5, block, {{"tick", "{}"}}, limit);
    message_reader reader;
    std::optional<std::string> whole;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      CAF_CHECK_EQUAL(messages[i].number.part, i);
      CAF_CHECK(messages[i].body.size() <= limit);
      whole = must(reader.add(messages[i]));
      CAF_CHECK_EQUAL(whole.has_value(), i + 1 == messages.size());
    }
    CAF_CHECK(whole == block);
  }
}

CAF_TEST(a message that is missing is found out) {
  auto messages = to_messages(1, 5, std::string(10, 'x'), {}, 3);
  message_reader reader;
  must(reader.add(messages[0]));
  CAF_CHECK(code_of(reader.add(messages[2])) == errc::corrupt_record);
}

CAF_TEST(any bytes are safe to read) {
  for (auto how : {compression::none, compression::zstd}) {
    auto block = encode_blocks(rich(), 1, how)[0];
    for (std::size_t n = 0; n < block.size(); ++n) {
      block_reader reader;
      CAF_CHECK(!reader.add(block.substr(0, n)).has_value());
      for (auto bit : {1, 0x80}) {
        auto bad = block;
        bad[n] = static_cast<char>(bad[n] ^ bit);
        (void)block_reader{}.add(bad);
      }
    }
  }
}

CAF_TEST(events are shown to other programs as v1 JSON) {
  event_batch batch;
  batch.keys = std::make_shared<std::vector<series_key>>(std::vector<series_key>{{"nyse", "AAPL"}});
  batch.ingest_ts = at(2);
  batch.rows.push_back({at(1), 7, {1'500'000'000, 100'000'000'000}, 0, event_kind::tick, 0});
  auto tx = appends({events_record(0, 1, at(1), encode_events(batch))});
  auto shown = show_events(encode_blocks(tx, 1, compression::none)[0]);
  CAF_REQUIRE_EQUAL(shown.size(), 1u);
  CAF_CHECK_EQUAL(shown[0].type, "tick");
  CAF_CHECK_EQUAL(shown[0].json, R"({"ver":1,"provider":"nyse","symbol":"AAPL","kind":"tick",)"
                                 R"("src_ts":"2023-11-14T22:13:21Z","ingest_ts":"2023-11-14T22:13:22Z",)"
                                 R"("price":1.5,"size":100,"seq":7,"event_id":"nyse|AAPL|2023-11-14T22:13:21Z|7"})");
}
