// Text read a word of eight characters at a time: where its digits end and what they are worth, where a plain string
// ends. No branch depends on the characters inside a word, so values of changing length cost few mispredictions.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace finstream {

static_assert(std::endian::native == std::endian::little, "the first character must be the lowest byte of a word");

inline constexpr std::array<std::uint64_t, 20> powers_of_ten = [] {
  std::array<std::uint64_t, 20> out{};
  std::uint64_t x = 1;
  for (auto& p : out) p = x, x *= 10; // the last product wraps and is not kept
  return out;
}();

// Eight characters, the first in the lowest byte. All eight must be readable.
inline std::uint64_t load_word(const char* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

// The first eight characters of a text of any length, zeros after its end. Two loads that overlap, not a loop.
inline std::uint64_t first_word_of(std::string_view text) {
  auto p = text.data();
  auto size = text.size();
  if (size >= 8) return load_word(p);
  if (size >= 4) {
    std::uint32_t head, last;
    std::memcpy(&head, p, sizeof(head));
    std::memcpy(&last, p + size - sizeof(last), sizeof(last));
    return head | static_cast<std::uint64_t>(last) << (8 * (size - sizeof(last)));
  }
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < size; ++i)
    word |= static_cast<std::uint64_t>(static_cast<unsigned char>(p[i])) << (8 * i);
  return word;
}

// How many of the word's first characters are digits: 0 to 8.
inline unsigned leading_digits(std::uint64_t word) {
  auto value = word ^ 0x3030303030303030; // a digit becomes 0 to 9
  // A byte over 9 reaches its top bit; a carry out of one spoils only bytes after it, and the first is what counts.
  auto others = ((value + 0x7676767676767676) | value) & 0x8080808080808080;
  return others == 0 ? 8 : static_cast<unsigned>(std::countr_zero(others)) / 8;
}

// What the word's first `count` characters, all digits, are worth. `count` is 1 to 8.
inline std::uint64_t digits_value(std::uint64_t word, unsigned count) {
  auto value = (word ^ 0x3030303030303030) << (64 - 8 * count); // the others fall out, zeros come in front
  value = value * 10 + (value >> 8);
  constexpr std::uint64_t mask = 0x000000FF000000FF;
  return ((value & mask) * 0x000F424000000064 + ((value >> 16) & mask) * 0x0000271000000001) >> 32;
}

// How many of the word's first characters are plain inside a JSON string: not a quote, a backslash, a control character
// (DEL is one here) or a byte that is not ASCII.
inline unsigned plain_characters(std::uint64_t word) {
  constexpr std::uint64_t ones = 0x0101010101010101, tops = ones << 7;
  auto quotes = word ^ (ones * '"'), backslashes = word ^ (ones * '\\');
  // Each term has the top bit of a byte set for what it looks for; a borrow or carry can only spoil bytes after the
  // first such.
  auto stops = ((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes) | ((word - ones * 0x20) & ~word) |
               (word + ones) | word;
  stops &= tops;
  return stops == 0 ? 8 : static_cast<unsigned>(std::countr_zero(stops)) / 8;
}
// The first character at or after `p` that is not plain. There must be one; up to seven bytes after it are read.
inline const char* plain_end(const char* p) {
  for (;;) {
    auto count = plain_characters(load_word(p));
    p += count;
    if (count < 8) return p;
  }
}

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

} // namespace finstream
