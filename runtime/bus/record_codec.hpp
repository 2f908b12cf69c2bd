// The bytes of a record, private to this folder: 18 bytes of header, the payload, 8 bytes of checksum. Everything is
// big-endian. The checksum (XXH3-64: faster than a CRC and twice as long) covers the key too, so that a whole and
// healthy record under a wrong key is found out as well. Decoding is safe for any bytes.
//
//   key     topic 2 | partition 2 | offset 8                            ordered by bytes as the records are ordered
//   header  version 1 | kind 1 | count 4 | log_ts 8 | payload length 4
#pragma once

#include "runtime/bus/bus.hpp"

#include <array>

namespace finstream::record_codec {

inline constexpr std::uint8_t format_version = 1;
inline constexpr std::size_t key_bytes = 12;
inline constexpr std::size_t header_bytes = 18;
inline constexpr std::size_t checksum_bytes = 8;

using key_block = std::array<char, key_bytes>;
key_block encode_key(topic where, std::uint16_t partition, std::uint64_t offset);

// What goes before and after the payload, which is not copied.
struct frame {
  std::array<char, header_bytes> header;
  std::array<char, checksum_bytes> checksum;
};
frame encode_frame(std::string_view key, const new_record& source);
std::string encode(std::string_view key, const new_record& source);

// A record whose payload is still where it was read.
struct record_view {
  std::uint64_t offset = 0;
  std::uint32_t count = 1;
  record_kind kind = record_kind::events;
  timestamp log_ts;
  std::string_view payload;

  std::uint64_t next() const { return offset + count; }
  record copy() const { return {offset, count, kind, log_ts, std::string{payload}}; }
};
// Errors: corrupt_record, with position and reason.
expected<record_view> decode(std::string_view key, std::string_view value);

void put_big_endian(char* out, std::uint64_t value, std::size_t bytes);
std::uint64_t get_big_endian(const char* in, std::size_t bytes);

} // namespace finstream::record_codec
