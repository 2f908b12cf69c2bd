// Numbers and texts <-> bytes: little-endian base-128 varints, zigzag for signed numbers, length-prefixed texts. The
// writer appends to a string; the reader is safe for any bytes and says at its end whether all was well.
#pragma once

#include "messages/value/decimal.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace finstream {

constexpr std::uint64_t zigzag(std::int64_t x) {
  return (static_cast<std::uint64_t>(x) << 1) ^ static_cast<std::uint64_t>(x >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t x) { return static_cast<std::int64_t>((x >> 1) ^ (0 - (x & 1))); }

// Writes at most 10 bytes; returns the end.
inline char* write_varint(char* out, std::uint64_t x) {
  while (x >= 0x80) *out++ = static_cast<char>(x | 0x80), x >>= 7;
  *out++ = static_cast<char>(x);
  return out;
}

class byte_writer {
public:
  explicit byte_writer(std::string& out) : out_{out} {}
  void number(std::uint64_t x) {
    char buffer[10];
    out_.append(buffer, static_cast<std::size_t>(write_varint(buffer, x) - buffer));
  }
  void signed_number(std::int64_t x) { number(zigzag(x)); }
  void wide_number(int128 x) {
    char buffer[16];
    std::memcpy(buffer, &x, sizeof(buffer));
    out_.append(buffer, sizeof(buffer));
  }
  void text(std::string_view x) {
    number(x.size());
    out_.append(x);
  }

private:
  std::string& out_;
};

class byte_reader {
public:
  explicit byte_reader(std::string_view in) : at_{in.data()}, end_{in.data() + in.size()} {}

  std::uint64_t number() {
    std::uint64_t x = 0;
    for (int shift = 0; shift < 64 && at_ != end_; shift += 7) {
      auto byte = static_cast<unsigned char>(*at_++);
      x |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return x;
    }
    good_ = false;
    at_ = end_;
    return 0;
  }
  std::int64_t signed_number() { return unzigzag(number()); }
  int128 wide_number() {
    int128 x = 0;
    if (left() < sizeof(x)) return good_ = false, at_ = end_, 0;
    std::memcpy(&x, at_, sizeof(x));
    at_ += sizeof(x);
    return x;
  }
  std::string_view text() {
    auto size = number();
    if (size > left()) return good_ = false, at_ = end_, std::string_view{};
    std::string_view out{at_, static_cast<std::size_t>(size)};
    at_ += size;
    return out;
  }
  // A count of things that take at least `least_bytes` each: never more than can still be there.
  std::uint64_t count(std::size_t least_bytes) {
    auto n = number();
    if (n > left() / least_bytes) return good_ = false, at_ = end_, 0;
    return n;
  }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  bool good() const { return good_; }
  bool done() const { return good_ && at_ == end_; }

private:
  const char* at_;
  const char* end_;
  bool good_ = true;
};

} // namespace finstream
