// Any bytes as a key and a record: they are refused, or what was decoded gives the same bytes when it is encoded again.
#include "runtime/bus/record_codec.hpp"

#include <cstddef>
#include <cstdint>

using namespace finstream;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input{reinterpret_cast<const char*>(data), size};
  auto key = input.substr(0, record_codec::key_bytes);
  auto value = input.substr(key.size());
  if (auto found = record_codec::decode(key, value)) {
    new_record same{{}, 0, found->kind, found->count, found->log_ts, std::string{found->payload}};
    ensure(record_codec::encode(key, same) == value, "a record was decoded into something else");
  } else {
    ensure(found.error().code == errc::corrupt_record && !found.error().message.empty(), "a refusal without a reason");
  }

  // Chance finds no checksum, so the same bytes are dressed as a healthy record, whose fields then must be judged.
  if (size < record_codec::header_bytes) return 0;
  new_record dressed;
  dressed.kind = static_cast<record_kind>(input[0]);
  dressed.count = static_cast<std::uint32_t>(record_codec::get_big_endian(input.data() + 1, 4));
  dressed.log_ts = {static_cast<std::int64_t>(record_codec::get_big_endian(input.data() + 5, 8))};
  dressed.payload = input.substr(record_codec::header_bytes);
  auto bytes = record_codec::encode(key, dressed);
  auto found = record_codec::decode(key, bytes);
  if (found) {
    ensure(found->payload == dressed.payload && found->count == dressed.count && found->log_ts == dressed.log_ts,
           "a record was decoded into something else");
    ensure(found->count > 0 && found->next() > found->offset, "a record without events was taken");
  }
  // One changed byte of it must be found out.
  auto at = record_codec::get_big_endian(input.data() + 13, 4) % bytes.size();
  bytes[at] = static_cast<char>(bytes[at] ^ (input[17] | 1));
  ensure(!record_codec::decode(key, bytes), "a damaged record was taken");
  return 0;
}
