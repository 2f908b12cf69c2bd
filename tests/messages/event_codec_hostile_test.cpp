#define CAF_SUITE event_codec_hostile

#include "tests/messages/codec_language.hpp"
#include "tests/support/suite.hpp"

#include "messages/codec/event_codec.hpp"
#include "messages/value/bytes.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

// The bytes are refused with corrupt_record, or they are a batch that can be used and written again.
bool safe(const std::string& bytes) {
  auto batch = decode_events(bytes);
  if (!batch) return batch.error().code == errc::corrupt_record && !batch.error().message.empty();
  for (auto& row : (*batch)->rows)
    if (row.key >= (*batch)->keys->size() || row.interval >= (*batch)->intervals.size() || row.kind > event_kind::quote)
      return false;
  auto again = decode_events(encode_events(**batch));
  return again.has_value() && (*again)->rows.size() == (*batch)->rows.size();
}

} // namespace

CAF_TEST(a record that is cut anywhere is refused) {
  std::mt19937_64 random{3};
  for (int i = 0; i < 20; ++i) {
    auto batch = any_batch(random);
    auto bytes = encode_events(batch);
    for (std::size_t size = 0; size < bytes.size(); ++size)
      if (auto taken = decode_events(std::string_view{bytes}.substr(0, size)))
        CAF_ERROR("the first " << size << " of " << bytes.size() << " bytes were taken");
  }
}

CAF_TEST(bytes that follow a record are refused) {
  std::mt19937_64 random{4};
  CAF_CHECK(!decode_events(encode_events(any_batch(random)) + '\0'));
}

CAF_TEST(another format version is refused) {
  std::mt19937_64 random{5};
  auto bytes = encode_events(any_batch(random));
  bytes[0] = 2;
  auto found = decode_events(bytes);
  CAF_REQUIRE(!found.has_value());
  CAF_CHECK(found.error().code == errc::corrupt_record);
  CAF_CHECK(found.error().message.find("version") != std::string::npos);
}

CAF_TEST(changed bytes do no harm) {
  std::mt19937_64 random{6};
  for (int i = 0; i < 100'000;) {
    auto original = encode_events(i % 2 == 0 ? any_batch(random)
                                             : market_batch(random, 5, 20, static_cast<event_kind>(random() % 3)));
    for (int j = 0; j < 200; ++j, ++i) {
      auto bytes = original;
      for (auto changes = 1 + random() % 4; changes != 0; --changes) {
        auto where = random() % std::min<std::size_t>(bytes.size(), random() % 2 == 0 ? 40 : bytes.size());
        switch (random() % 4) {
        case 0: bytes[where] = static_cast<char>(random()); break;
        case 1: bytes[where] = static_cast<char>(bytes[where] ^ (1 << random() % 8)); break;
        case 2: bytes.insert(where, 1, static_cast<char>(random())); break;
        case 3: bytes.erase(where, 1 + random() % 3); break;
        }
        if (bytes.empty()) bytes = "x";
      }
      if (!safe(bytes)) CAF_ERROR("mutation " << i << " is not safe");
    }
  }
}

CAF_TEST(random bytes do no harm) {
  std::mt19937_64 random{8};
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 200, '\0');
    for (auto& c : bytes) c = static_cast<char>(random());
    if (!bytes.empty() && i % 2 == 0) bytes[0] = 1;
    if (!safe(bytes)) CAF_ERROR("bytes " << i << " are not safe");
  }
}

// Many names that repeat one long provider would be a small record that asks for gigabytes.
CAF_TEST(a small record cannot ask for much memory) {
  std::string bytes;
  byte_writer out{bytes};
  out.number(1), out.text("feed"), out.signed_number(0);
  out.number(100'000);
  out.text(std::string(100'000, 'p')), out.text("s");
  for (int i = 1; i < 100'000; ++i) out.text(""), out.text("");
  auto found = decode_events(bytes);
  CAF_REQUIRE(!found.has_value());
  CAF_CHECK(found.error().message.find("name") != std::string::npos);
}
