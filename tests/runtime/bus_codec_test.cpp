#define CAF_SUITE record_codec

#include "runtime/bus/record_codec.hpp"
#include "tests/runtime/bus_language.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

std::string key_of(std::uint16_t partition, std::uint64_t offset) {
  auto key = record_codec::encode_key(topic::events, partition, offset);
  return {key.data(), key.size()};
}

const new_record sample{topic::events, 2, record_kind::source, 0x01020304, {0x1122334455667788}, "payload"};

} // namespace

CAF_TEST(a record has the bytes that the documentation shows) {
  CAF_CHECK(key_of(2, 0x0a0b0c0d) == std::string("\x00\x01\x00\x02\x00\x00\x00\x00\x0a\x0b\x0c\x0d", 12));
  auto bytes = record_codec::encode(key_of(2, 0x0a0b0c0d), sample);
  CAF_REQUIRE_EQUAL(bytes.size(), 18u + 7u + 8u);
  CAF_CHECK(bytes.substr(0, 18) ==
            std::string("\x01\x03\x01\x02\x03\x04\x11\x22\x33\x44\x55\x66\x77\x88\x00\x00\x00\x07", 18));
  CAF_CHECK_EQUAL(bytes.substr(18, 7), "payload");
  // XXH3-64 of the key, the header and the payload, as `xxhsum -H3` gives it for those 37 bytes.
  CAF_CHECK_EQUAL(record_codec::get_big_endian(bytes.data() + 25, 8), 0x4fab08b8679ea81cu);
}

CAF_TEST(what is decoded is what was encoded) {
  auto key = key_of(2, 77);
  auto bytes = record_codec::encode(key, sample);
  auto found = must(record_codec::decode(key, bytes)).copy();
  CAF_CHECK_EQUAL(found.offset, 77u);
  CAF_CHECK_EQUAL(found.count, sample.count);
  CAF_CHECK(found.kind == sample.kind);
  CAF_CHECK_EQUAL(found.log_ts.ns, sample.log_ts.ns);
  CAF_CHECK_EQUAL(found.payload, sample.payload);
}

CAF_TEST(keys are ordered as offsets are) {
  CAF_CHECK(key_of(0, 255) < key_of(0, 256));
  CAF_CHECK(key_of(0, ~0ull) < key_of(1, 0));
  CAF_CHECK(key_of(255, 0) < key_of(256, 0));
}

CAF_TEST(a change of any one bit is found out) {
  auto key = key_of(2, 77);
  auto bytes = record_codec::encode(key, sample);
  int passed = 0;
  for (std::size_t bit = 0; bit < 8 * (key.size() + bytes.size()); ++bit) {
    auto bad_key = key;
    auto bad_bytes = bytes;
    auto& byte = bit < 8 * key.size() ? bad_key[bit / 8] : bad_bytes[bit / 8 - key.size()];
    byte = static_cast<char>(byte ^ (1 << bit % 8));
    passed += code_of(record_codec::decode(bad_key, bad_bytes)) != errc::corrupt_record;
  }
  CAF_CHECK_EQUAL(passed, 0);
}

CAF_TEST(a record that is too short or too long is refused) {
  auto key = key_of(2, 77);
  auto bytes = record_codec::encode(key, sample);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    if (record_codec::decode(key, std::string_view{bytes}.substr(0, size))) CAF_ERROR("a part of a record was taken");
  CAF_CHECK(!record_codec::decode(key, bytes + '\0'));
  CAF_CHECK(!record_codec::decode(key.substr(1), bytes));
}

CAF_TEST(a refusal names position and reason) {
  auto key = key_of(2, 77);
  auto bytes = record_codec::encode(key, sample);
  bytes[20] = 'X';
  auto said = message_of(record_codec::decode(key, bytes));
  CAF_CHECK(said.find("events/2 at 77") != std::string::npos);
  CAF_CHECK(said.find("checksum") != std::string::npos);
  bytes[0] = 9;
  said = message_of(record_codec::decode(key, bytes));
  CAF_CHECK(said.find("format version is 9") != std::string::npos);
}

CAF_TEST(a healthy record that makes no sense is refused) {
  auto key = key_of(2, 77);
  auto odd = sample;
  odd.count = 0;
  CAF_CHECK(code_of(record_codec::decode(key, record_codec::encode(key, odd))) == errc::corrupt_record);
  odd = sample;
  odd.kind = static_cast<record_kind>(99);
  CAF_CHECK(code_of(record_codec::decode(key, record_codec::encode(key, odd))) == errc::corrupt_record);
  auto last = key_of(2, ~0ull - 1);
  CAF_CHECK(code_of(record_codec::decode(last, record_codec::encode(last, sample))) == errc::corrupt_record);
}
