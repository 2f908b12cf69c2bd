#define CAF_SUITE decimal

#include "messages/value/decimal.hpp"
#include "tests/support/suite.hpp"

#include <random>
#include <vector>

using namespace finstream;

namespace {

constexpr auto max_units = std::numeric_limits<std::int64_t>::max();
constexpr auto min_units = std::numeric_limits<std::int64_t>::min();

struct good {
  const char* text;
  std::int64_t units;
};

struct bad {
  std::string text;
  errc code;
};

// By value: the checks keep references to what they are given.
std::int64_t units_of(const expected<decimal>& x) { return x ? x->units : 0xBAD; }
errc code_of(const expected<decimal>& x) { return x ? errc::none : x.error().code; }

} // namespace

CAF_TEST(a number is read from its characters and counts in units of one billionth) {
  for (const auto& x : std::vector<good>{
         {"0", 0},
         {"-0", 0},
         {"0.0", 0},
         {"0e400", 0},
         {"1", units_per_one},
         {"425.15", 425'150'000'000},
         {"-425.15", -425'150'000'000},
         {"0.000000001", 1},
         {"-0.000000001", -1},
         {"0.1", 100'000'000},
         {"999999999.999999999", 999'999'999'999'999'999},
         {"1.5e3", 1'500 * units_per_one},
         {"1.5E+3", 1'500 * units_per_one},
         {"15e-1", 1'500'000'000},
         {"0.00000000001e3", 10},
       }) {
    auto parsed = parse_decimal(x.text, rounding::half_even);
    CAF_REQUIRE(parsed.has_value());
    CAF_CHECK_EQUAL(parsed->units, x.units);
  }
}

CAF_TEST(the largest and smallest numbers are those of 64 bits) {
  CAF_CHECK_EQUAL(units_of(parse_decimal("9223372036.854775807")), max_units);
  CAF_CHECK_EQUAL(units_of(parse_decimal("-9223372036.854775808")), min_units);
  CAF_CHECK_EQUAL(code_of(parse_decimal("9223372036.854775808")), errc::overflow);
  CAF_CHECK_EQUAL(code_of(parse_decimal("-9223372036.854775809")), errc::overflow);
  CAF_CHECK_EQUAL(code_of(parse_decimal("10000000000")), errc::overflow);
  CAF_CHECK_EQUAL(code_of(parse_decimal("1e400")), errc::overflow);
  CAF_CHECK_EQUAL(code_of(parse_decimal("1e99999999999")), errc::overflow);
  // Rounding up can be what makes it too large.
  CAF_CHECK_EQUAL(code_of(parse_decimal("9223372036.8547758075", rounding::half_even)), errc::overflow);
  CAF_CHECK_EQUAL(units_of(parse_decimal("9223372036.85477580749", rounding::half_even)), max_units);
}

CAF_TEST(decimals beyond the ninth are refused unless they are zero) {
  CAF_CHECK_EQUAL(units_of(parse_decimal("1.0000000000")), units_per_one);
  CAF_CHECK_EQUAL(units_of(parse_decimal("425.150000000000000")), 425'150'000'000);
  CAF_CHECK_EQUAL(code_of(parse_decimal("1.0000000001")), errc::precision);
  CAF_CHECK_EQUAL(code_of(parse_decimal("1e-10")), errc::precision);
  CAF_CHECK_EQUAL(units_of(parse_decimal("10e-10")), 1);
  // What a double of 425.15 often looks like.
  CAF_CHECK_EQUAL(code_of(parse_decimal("425.15000000000003")), errc::precision);
}

CAF_TEST(rounding goes to the nearest and from the middle to the even unit) {
  for (const auto& x : std::vector<good>{
         {"425.15000000000003", 425'150'000'000},
         {"0.0000000005", 0},
         {"0.0000000015", 2},
         {"0.0000000025", 2},
         {"0.00000000250000000000000000001", 3},
         {"0.00000000249999999999999999999", 2},
         {"-0.0000000015", -2},
         {"-0.0000000025", -2},
         {"-0.0000000026", -3},
         {"0.0000000004999", 0},
         {"0.00000000051", 1},
         {"1e-400", 0},
         {"0.9999999999", units_per_one},
       }) {
    auto parsed = parse_decimal(x.text, rounding::half_even);
    CAF_REQUIRE(parsed.has_value());
    CAF_CHECK_EQUAL(parsed->units, x.units);
  }
}

CAF_TEST(what is not a JSON number is refused) {
  for (const auto& x : std::vector<bad>{
         {"", errc::bad_field},
         {"-", errc::bad_field},
         {"+1", errc::bad_field},
         {"01", errc::bad_field},
         {"-01.5", errc::bad_field},
         {"1.", errc::bad_field},
         {".5", errc::bad_field},
         {"1e", errc::bad_field},
         {"1e+", errc::bad_field},
         {"1.5.5", errc::bad_field},
         {"1 ", errc::bad_field},
         {" 1", errc::bad_field},
         {"0x10", errc::bad_field},
         {"NaN", errc::bad_field},
         {"1,5", errc::bad_field},
         {"--1", errc::bad_field},
         {"1_000", errc::bad_field},
         {std::string(401, '1'), errc::bad_field},
       })
    CAF_CHECK_EQUAL(code_of(parse_decimal(x.text)), x.code);
}

CAF_TEST(the value at fault is quoted and cut between its characters) {
  std::string euros = "x";
  for (int i = 0; i < 30; ++i) euros += "\xE2\x82\xAC"; // three bytes each: byte 40 is not the start of one
  auto parsed = parse_decimal(euros);
  CAF_REQUIRE(!parsed.has_value());
  CAF_CHECK_EQUAL(parsed.error().message, "\"" + euros.substr(0, 40) + "...\" is not a number");
}

CAF_TEST(a number is printed in the fewest characters that say it exactly) {
  for (const auto& x : std::vector<good>{
         {"0", 0},
         {"425.15", 425'150'000'000},
         {"1200", 1'200 * units_per_one},
         {"-0.000000001", -1},
         {"0.1", 100'000'000},
         {"9223372036.854775807", max_units},
         {"-9223372036.854775808", min_units},
       })
    CAF_CHECK_EQUAL(to_string(decimal{x.units}), x.text);
}

CAF_TEST(what is printed reads back the same) {
  std::mt19937_64 random{20261121};
  for (int i = 0; i < 20'000; ++i) {
    // Of all sizes: as many bits as chance says.
    auto units = static_cast<std::int64_t>(random()) >> (random() % 64);
    auto text = to_string(decimal{units});
    auto back = parse_decimal(text);
    CAF_REQUIRE(back.has_value());
    CAF_REQUIRE_EQUAL(back->units, units);
    // Zeros at the end and an exponent that takes them back change nothing.
    back = parse_decimal(text + (text.find('.') == std::string::npos ? ".0000000000" : "0000000000") + "e0");
    CAF_REQUIRE(back.has_value());
    CAF_REQUIRE_EQUAL(back->units, units);
  }
}

CAF_TEST(a quotient is rounded to the nearest and from the middle to even) {
  struct row {
    int n, d, q;
  };
  for (const auto& x : std::vector<row>{{5, 2, 2},
                                        {7, 2, 4},
                                        {-5, 2, -2},
                                        {-7, 2, -4},
                                        {1, 3, 0},
                                        {2, 3, 1},
                                        {-1, 3, 0},
                                        {-2, 3, -1},
                                        {6, 3, 2},
                                        {-6, 3, -2},
                                        {1, 2, 0},
                                        {-1, 2, 0},
                                        {3, 2, 2},
                                        {-3, 2, -2},
                                        {0, 7, 0},
                                        {-11, 4, -3},
                                        {-10, 4, -2},
                                        {10, 4, 2}})
    CAF_CHECK_EQUAL(static_cast<int>(divide_half_even(x.n, x.d)), x.q);
}

CAF_TEST(a volume weighted average is exact to the unit) {
  auto add = [](notional& total, const char* p, const char* q) {
    CAF_REQUIRE(checked_add(total, multiply(price{*parse_decimal(p)}, quantity{*parse_decimal(q)}), total));
  };
  notional total;
  add(total, "10", "1");
  add(total, "20", "2");
  // 50 / 3 = 16.666..., of which the tenth decimal is a 6.
  CAF_CHECK_EQUAL(to_string(*volume_weighted_average(total, quantity{*parse_decimal("3")})), "16.666666667");
  // A price and the next one, a unit apart, in equal parts: the middle, so the even one.
  total = {};
  add(total, "0.000000001", "1");
  add(total, "0.000000002", "1");
  CAF_CHECK_EQUAL(to_string(*volume_weighted_average(total, quantity{*parse_decimal("2")})), "0.000000002");
  total = {};
  add(total, "-0.000000002", "1");
  add(total, "-0.000000003", "1");
  CAF_CHECK_EQUAL(to_string(*volume_weighted_average(total, quantity{*parse_decimal("2")})), "-0.000000002");
  CAF_CHECK(!volume_weighted_average(total, quantity{}).has_value());
  // A total that no prices of 64 bits could have made.
  CAF_CHECK(!volume_weighted_average({static_cast<int128>(max_units) * max_units}, quantity{{1}}).has_value());
}

CAF_TEST(sums that do not fit are noticed) {
  std::int64_t sum = 0;
  CAF_CHECK(checked_add(max_units - 1, 1, sum));
  CAF_CHECK(!checked_add(max_units, 1, sum));
  CAF_CHECK(!checked_add(min_units, -1, sum));
  auto most = notional{(static_cast<int128>(1) << 126) - 1 + (static_cast<int128>(1) << 126)};
  notional total;
  CAF_CHECK(checked_add(most, {0}, total));
  CAF_CHECK(!checked_add(most, {1}, total));
}
