// What a condition means, and what is said of one that means nothing.
#define CAF_SUITE expression

#include "runtime/expression/expression.hpp"
#include "tests/support/suite.hpp"

#include <clocale>
#include <cmath>
#include <limits>
#include <random>

using namespace finstream;

namespace {

using values = std::vector<std::optional<double>>;
const std::vector<std::string> known{"momentum", "rsi", "vwap_1m", "close", "ohlcv_1m.high"};
constexpr auto infinity = std::numeric_limits<double>::infinity();

bool truth_of(const std::string& condition, const values& given = {}) {
  auto made = expression::compile(condition, known);
  if (!made) CAF_ERROR(made.error().message);
  return made && made->evaluate(given);
}

std::string why(const std::string& condition, const std::vector<std::string>& names = known) {
  auto made = expression::compile(condition, names);
  if (made) return "";
  CAF_CHECK_EQUAL(to_string(made.error().code), to_string(errc::invalid_argument));
  return made.error().message;
}

void check(const std::vector<std::pair<std::string, std::string>>& rows) {
  for (auto& [condition, message] : rows) CAF_CHECK_EQUAL(why(condition), message);
}

} // namespace

CAF_TEST(a condition is true where it computes to anything but zero) {
  CAF_CHECK(truth_of("momentum > 0.01", {0.02}));
  CAF_CHECK(!truth_of("momentum > 0.01", {0.01}));
  CAF_CHECK(truth_of("momentum < -0.01", {-0.02}));
  CAF_CHECK(truth_of("momentum", {-3.0}));
  CAF_CHECK(!truth_of("momentum", {0.0}));
  CAF_CHECK(truth_of("1 == 1"));
  CAF_CHECK(!truth_of("2 < 1"));
}

CAF_TEST(arithmetic binds before comparison and comparison before AND before OR) {
  CAF_CHECK(truth_of("1 + 2 * 3 == 7"));
  CAF_CHECK(truth_of("2 ^ 3 == 8"));
  CAF_CHECK(truth_of("-2 ^ 2 == -4"));
  CAF_CHECK(truth_of("10 - 4 - 3 == 3"));
  CAF_CHECK(truth_of("1 == 1 || 1 == 2 && 1 == 2"));
  CAF_CHECK(truth_of("1 == 1 or 1 == 2 and 1 == 2"));
  CAF_CHECK(!truth_of("(1 == 1 or 1 == 2) and 1 == 2"));
  CAF_CHECK(truth_of("!(1 == 2) && 1e-2 == 0.01 && .5 == 1 / 2"));
  CAF_CHECK(truth_of("(rsi > 70 ? 1 : 2) == 1", {71.0}));
  CAF_CHECK(truth_of("1 != 2 and\n 1 <= 1\tand 1 >= 1"));
}

CAF_TEST(the functions are those of a school book) {
  CAF_CHECK(truth_of("abs(-2) == 2 && sign(-2) == -1 && sign(0) == 0"));
  CAF_CHECK(truth_of("min(3, 1, 2) == 1 && max(3, 1, 2) == 3 && max(4) == 4"));
  CAF_CHECK(truth_of("sqrt(9) == 3 && exp(0) == 1 && ln(exp(1)) == 1 && log10(100) == 2"));
  CAF_CHECK(truth_of("floor(1.5) == 1 && ceil(1.5) == 2 && round(2.5) == 3"));
}

CAF_TEST(a value that is not there makes the condition false whatever else it says) {
  CAF_CHECK(!truth_of("momentum > 0.01", {std::nullopt}));
  CAF_CHECK(!truth_of("!(momentum > 0.01)", {std::nullopt}));
  CAF_CHECK(!truth_of("1 == 1 || momentum > 0", {std::nullopt}));
  CAF_CHECK(!truth_of("momentum > 0 || rsi > 0", {1.0, std::nullopt}));
  CAF_CHECK(!truth_of("!(momentum > 0)", {std::nan("")}));
}

CAF_TEST(what is no number is not true) {
  CAF_CHECK(!truth_of("sqrt(-1)"));
  CAF_CHECK(!truth_of("0 / 0"));
  CAF_CHECK(!truth_of("momentum - rsi", {infinity, infinity}));
  CAF_CHECK(truth_of("1 / momentum > 5", {0.0})); // infinite, and greater
}

CAF_TEST(the variables are said in the order of their first use) {
  auto made = expression::compile("rsi < 30 && vwap_1m > close && rsi > ohlcv_1m_high - ohlcv_1m.high", known);
  CAF_REQUIRE(made.has_value());
  std::vector<std::string> names;
  std::vector<std::size_t> numbers;
  for (auto& x : made->variables()) names.push_back(x.name), numbers.push_back(x.known);
  CAF_CHECK_EQUAL(names, (std::vector<std::string>{"rsi", "vwap_1m", "close", "ohlcv_1m_high"}));
  CAF_CHECK_EQUAL(numbers, (std::vector<std::size_t>{1, 2, 3, 4}));
  CAF_CHECK(made->evaluate(values{20.0, 2.0, 1.0, 5.0}));
}

CAF_TEST(a name with dots is written with dots or with underscores) {
  CAF_CHECK(truth_of("ohlcv_1m.high > 2", {3.0}));
  CAF_CHECK(truth_of("ohlcv_1m_high > 2", {3.0}));
  CAF_CHECK(expression::compile("a.b > a_b", {"a_b"})->variables().size() == 1);
}

CAF_TEST(a name that is not known is told with its column and the nearest one) {
  check({
    {"rsi > 70 && momentun > 0.01",
     "column 13 of `rsi > 70 && momentun > 0.01`: `momentun` is not known; did you mean `momentum`? known names: "
     "momentum, rsi, vwap_1m, close, ohlcv_1m.high"},
    {"zigzag == 1", "column 1 of `zigzag == 1`: `zigzag` is not known; known names: momentum, rsi, vwap_1m, close, "
                    "ohlcv_1m.high"},
    {"0x1F > 1", "column 2 of `0x1F > 1`: `x1F` is not known; known names: momentum, rsi, vwap_1m, close, "
                 "ohlcv_1m.high"},
  });
  CAF_CHECK_EQUAL(why("a", {}), "column 1 of `a`: `a` is not known; no names are known");
}

CAF_TEST(what is no condition is refused with the column) {
  check({
    {"", "column 1 of ``: it is empty"},
    {"  ", "column 1 of `  `: it is empty"},
    {"rsi >", "column 6 of `rsi >`: it ends too early: something must follow"},
    {"> rsi", "column 1 of `> rsi`: an operator has nothing to its left"},
    {"rsi 5", "column 5 of `rsi 5`: an operator such as `&&` is missing before this"},
    {"rsi close", "column 5 of `rsi close`: an operator such as `&&` is missing before this"},
    {"(rsi > 1", "column 1 of `(rsi > 1`: this `(` is never closed"},
    {"rsi > 1)", "column 8 of `rsi > 1)`: this `)` closes nothing"},
    {"rsi, close", "column 4 of `rsi, close`: `,` stands between the arguments of a function only"},
    {"abs(1, 2)", "column 9 of `abs(1, 2)`: a function has too many arguments"},
    {"min()", "column 6 of `min()`: a function has too few arguments"},
    {"rsi > 1 ? 2", "column 1 of `rsi > 1 ? 2`: `?` and `:` go together: `condition ? value : other`"},
  });
}

CAF_TEST(what can be computed but was hardly meant is refused) {
  check({
    {"rsi = 70", "column 5 of `rsi = 70`: `=` would set a value; to compare write `==`"},
    {"0 < rsi < 30", "column 9 of `0 < rsi < 30`: this compares the result of a comparison; write `a < b && b < c`, or "
                     "put one in parentheses"},
    {"rsi < 30 & close > 1", "column 10 of `rsi < 30 & close > 1`: `&` is written twice: `&&`"},
    {"!rsi > 3", "column 1 of `!rsi > 3`: `!` needs parentheses: write `!(...)`"},
    {"not rsi > 3", "column 1 of `not rsi > 3`: `not` is written `!(...)` here"},
    {"rsi > 70%", "column 9 of `rsi > 70%`: `%` means nothing in a condition"},
    {"rsi > 70€", "column 9 of `rsi > 70€`: `€` means nothing in a condition"},
    {"rsi > \"a\"", "column 7 of `rsi > \"a\"`: `\"` means nothing in a condition"},
    {"log(rsi)", "column 1 of `log(rsi)`: `log` is no function"},
    {"rnd(1) > 0", "column 1 of `rnd(1) > 0`: `rnd` is no function"},
    {"max > 1", "column 1 of `max > 1`: `max` is a function: write `max(...)`"},
  });
  CAF_CHECK_EQUAL(why("(rsi > 1) == (close > 2)"), "");
  CAF_CHECK_EQUAL(why("rsi > 1 ? close > 2 : close < 2"), "");
  CAF_CHECK_EQUAL(why("max(rsi > 1, close > 1) == 1"), "");
}

CAF_TEST(a condition has a limit) {
  std::string longest = "1";
  while (longest.size() + 2 <= max_condition_bytes) longest += "+1";
  CAF_CHECK_EQUAL(why(longest), "");
  CAF_CHECK_EQUAL(why(std::string(max_condition_bytes + 1, ' ')),
                  "the condition has 4097 bytes; at most 4096 are read");
  auto message = why(std::string(3000, '1') + "%");
  CAF_CHECK(message.size() < 300);
  CAF_CHECK(message.starts_with("column 3001 of `111"));
  CAF_CHECK_EQUAL(why(std::string(2000, '(') + "1" + std::string(2000, ')')), "");
}

CAF_TEST(no text and no name does more than fail) {
  std::mt19937_64 random{7};
  const std::vector<std::string> words{"rsi", "close", "1", ".5", "1e9", "(",   ")",   "+",  "-", "*",
                                       "/",   "^",     "<", ">=", "==",  "!=",  "&&",  "||", "?", ":",
                                       ",",   "!",     "(", ")",  "min", "abs", "and", "or", " "};
  auto good = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string text;
    for (auto n = 1 + random() % 9; n != 0; --n) text += words[random() % words.size()];
    auto made = expression::compile(text, known);
    if (!made) continue;
    ++good;
    values given;
    for (auto& x : made->variables()) given.emplace_back(x.name == "rsi" ? 3.0 : 0.0);
    CAF_CHECK_EQUAL(made->evaluate(given), made->evaluate(given));
  }
  CAF_CHECK(good > 500);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto n = random() % 20; n != 0; --n) text += static_cast<char>(random());
    (void)expression::compile(text, known);
  }
}

CAF_TEST(the decimal point is a point in every locale) {
  auto* before = std::setlocale(LC_ALL, nullptr);
  std::string kept = before == nullptr ? "C" : before;
  for (auto* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "C"}) {
    std::setlocale(LC_ALL, name); // where it is not installed nothing changes
    CAF_CHECK(truth_of("1.5 * 2 == 3"));
  }
  std::setlocale(LC_ALL, kept.c_str());
}
