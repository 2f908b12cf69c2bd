#include "runtime/bus/record_codec.hpp"

#include "runtime/bus/rules.hpp"

#include <fmt/format.h>
#include <limits>

// Compiled in, because only so the state of the hash can live on the stack.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace finstream::record_codec {

namespace {

std::uint64_t checksum_of(std::string_view key, std::string_view header, std::string_view payload) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, key.data(), key.size());
  XXH3_64bits_update(&state, header.data(), header.size());
  XXH3_64bits_update(&state, payload.data(), payload.size());
  return XXH3_64bits_digest(&state);
}

bool is_known(std::uint8_t kind) {
  return kind >= static_cast<std::uint8_t>(record_kind::events) &&
         kind <= static_cast<std::uint8_t>(record_kind::taken_over);
}

} // namespace

void put_big_endian(char* out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(value >> (8 * (bytes - 1 - i)));
}

std::uint64_t get_big_endian(const char* in, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(in[i]);
  return value;
}

key_block encode_key(topic where, std::uint16_t partition, std::uint64_t offset) {
  key_block key;
  put_big_endian(key.data(), static_cast<std::uint16_t>(where), 2);
  put_big_endian(key.data() + 2, partition, 2);
  put_big_endian(key.data() + 4, offset, 8);
  return key;
}

frame encode_frame(std::string_view key, const new_record& source) {
  frame result;
  auto* out = result.header.data();
  put_big_endian(out, format_version, 1);
  put_big_endian(out + 1, static_cast<std::uint8_t>(source.kind), 1);
  put_big_endian(out + 2, source.count, 4);
  put_big_endian(out + 6, static_cast<std::uint64_t>(source.log_ts.ns), 8);
  put_big_endian(out + 14, source.payload.size(), 4);
  auto checksum = checksum_of(key, {result.header.data(), result.header.size()}, source.payload);
  put_big_endian(result.checksum.data(), checksum, checksum_bytes);
  return result;
}

std::string encode(std::string_view key, const new_record& source) {
  auto around = encode_frame(key, source);
  std::string value;
  value.reserve(header_bytes + source.payload.size() + checksum_bytes);
  value.append(around.header.data(), around.header.size());
  value.append(source.payload);
  value.append(around.checksum.data(), around.checksum.size());
  return value;
}

expected<record_view> decode(std::string_view key, std::string_view value) {
  if (key.size() != key_bytes)
    return fail(errc::corrupt_record,
                fmt::format("a record in the log has a key of {} bytes instead of {}", key.size(), key_bytes));
  auto where = static_cast<topic>(get_big_endian(key.data(), 2));
  auto partition = static_cast<std::uint16_t>(get_big_endian(key.data() + 2, 2));
  record_view result;
  result.offset = get_big_endian(key.data() + 4, 8);
  auto refuse = [&](std::string_view reason) { return corrupt_at(where, partition, result.offset, reason); };

  if (value.size() < header_bytes + checksum_bytes) return refuse(fmt::format("it has only {} bytes", value.size()));
  auto header = value.substr(0, header_bytes);
  auto version = static_cast<std::uint8_t>(header[0]);
  if (version != format_version)
    return refuse(fmt::format("its format version is {}, known is {}", version, format_version));
  auto length = get_big_endian(header.data() + 14, 4);
  if (length != value.size() - header_bytes - checksum_bytes)
    return refuse(
      fmt::format("it has {} bytes of payload instead of {}", value.size() - header_bytes - checksum_bytes, length));
  result.payload = value.substr(header_bytes, length);
  auto written = get_big_endian(value.data() + header_bytes + length, checksum_bytes);
  auto computed = checksum_of(key, header, result.payload);
  if (written != computed)
    return refuse(fmt::format("its checksum is {:016x}, that of its bytes {:016x}", written, computed));

  auto kind = static_cast<std::uint8_t>(header[1]);
  if (!is_known(kind)) return refuse(fmt::format("its kind is {}, which is unknown", kind));
  result.kind = static_cast<record_kind>(kind);
  result.count = static_cast<std::uint32_t>(get_big_endian(header.data() + 2, 4));
  if (result.count == 0) return refuse("it has no events");
  if (result.offset > std::numeric_limits<std::uint64_t>::max() - result.count) return refuse("its offsets do not fit");
  result.log_ts = {static_cast<std::int64_t>(get_big_endian(header.data() + 6, 8))};
  return result;
}

} // namespace finstream::record_codec
