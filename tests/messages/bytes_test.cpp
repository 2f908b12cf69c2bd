#define CAF_SUITE bytes

#include "tests/support/suite.hpp"

#include "messages/value/bytes.hpp"

#include <limits>
#include <random>

using namespace finstream;

namespace {

constexpr auto least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();

std::string number_bytes(std::uint64_t x) {
  std::string out;
  byte_writer{out}.number(x);
  return out;
}

} // namespace

CAF_TEST(a small number takes one byte and the largest takes ten) {
  CAF_CHECK_EQUAL(number_bytes(0), std::string(1, '\0'));
  CAF_CHECK_EQUAL(number_bytes(127).size(), 1u);
  CAF_CHECK_EQUAL(number_bytes(128), "\x80\x01");
  CAF_CHECK_EQUAL(number_bytes(300), "\xac\x02");
  CAF_CHECK_EQUAL(number_bytes(~std::uint64_t{0}).size(), 10u);
}

CAF_TEST(small signed numbers are small whatever their sign) {
  CAF_CHECK_EQUAL(zigzag(0), 0u);
  CAF_CHECK_EQUAL(zigzag(-1), 1u);
  CAF_CHECK_EQUAL(zigzag(1), 2u);
  CAF_CHECK_EQUAL(zigzag(most), ~std::uint64_t{1});
  CAF_CHECK_EQUAL(zigzag(least), ~std::uint64_t{0});
  for (auto x : {least, least + 1, std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, most})
    CAF_CHECK_EQUAL(unzigzag(zigzag(x)), x);
}

CAF_TEST(what was written is read back) {
  std::mt19937_64 random{1};
  for (int i = 0; i < 1000; ++i) {
    auto a = random() >> (random() % 64);
    auto b = static_cast<std::int64_t>(random()) >> (random() % 64);
    auto c = static_cast<int128>(random()) << 64 | random();
    auto d = std::string(random() % 300, 'x');
    std::string bytes;
    byte_writer out{bytes};
    out.number(a), out.signed_number(b), out.wide_number(c), out.text(d);
    byte_reader in{bytes};
    bool same = in.number() == a && in.signed_number() == b && in.wide_number() == c && in.text() == d;
    CAF_CHECK(same);
    CAF_CHECK(in.done());
  }
}

CAF_TEST(a reader that runs out of bytes says so and gives zeros) {
  std::string bytes;
  byte_writer out{bytes};
  out.number(1'000'000), out.wide_number(-1), out.text("abcdef");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    byte_reader in{std::string_view{bytes}.substr(0, size)};
    in.number();
    bool wide_is_there = in.wide_number() == -1;
    auto text = in.text();
    CAF_CHECK(!in.done());
    CAF_CHECK(!in.good());
    CAF_CHECK_EQUAL(wide_is_there, size >= 19);
    CAF_CHECK_EQUAL(text, "");
    CAF_CHECK_EQUAL(in.number(), 0u);
    CAF_CHECK_EQUAL(in.left(), 0u);
  }
}

CAF_TEST(a number of more than ten bytes is refused) {
  std::string endless(11, '\x80');
  byte_reader in{endless};
  CAF_CHECK_EQUAL(in.number(), 0u);
  CAF_CHECK(!in.good());
}

CAF_TEST(a count is never more than what can still follow) {
  auto bytes = number_bytes(5) + "abcdefghij";
  CAF_CHECK_EQUAL(byte_reader{bytes}.count(2), 5u);
  byte_reader too_many{bytes};
  CAF_CHECK_EQUAL(too_many.count(3), 0u);
  CAF_CHECK(!too_many.good());
}

CAF_TEST(bytes that follow are noticed) {
  byte_reader in{"\x01\x02"};
  in.number();
  CAF_CHECK(in.good());
  CAF_CHECK(!in.done());
}
