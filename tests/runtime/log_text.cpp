// However odd the text of an event, it stays one line that a person, a terminal and a JSON parser can take.
#define CAF_SUITE log_text

#include "runtime/log/line.hpp"
#include "tests/support/suite.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

using namespace finstream;
using finstream::log::human_line;
using finstream::log::json_line;
using finstream::log::level;

namespace {

// 2026-11-21T09:10:00.123456789Z
constexpr timestamp at{1795252200'123'456'789};

std::string human(std::string_view text) {
  auto whole = human_line({at, level::info, "feeds/a", text}, false);
  constexpr std::string_view head = "2026-11-21 09:10:00.123 INFO  feeds/a  ";
  CAF_REQUIRE(whole.starts_with(head) && whole.ends_with('\n'));
  return whole.substr(head.size(), whole.size() - head.size() - 1);
}

std::string json_text(std::string_view text) {
  auto whole = json_line({at, level::info, "feeds/a", text});
  CAF_REQUIRE(whole.ends_with('\n'));
  auto parsed = nlohmann::json::parse(whole.substr(0, whole.size() - 1), nullptr, false);
  CAF_REQUIRE(!parsed.is_discarded());
  return parsed["text"].get<std::string>();
}

struct row {
  std::string text;
  const char* shown;  // to a person
  const char* parsed; // from the JSON
};

} // namespace

CAF_TEST(a line has its time and level and component before the text) {
  CAF_CHECK_EQUAL(human_line({at, level::error, "bus", "disk full"}, false),
                  "2026-11-21 09:10:00.123 ERROR bus  disk full\n");
  CAF_CHECK_EQUAL(human_line({at, level::warning, "bus", "x"}, false), "2026-11-21 09:10:00.123 WARN  bus  x\n");
  CAF_CHECK_EQUAL(human_line({at, level::debug, "bus", "x"}, false), "2026-11-21 09:10:00.123 DEBUG bus  x\n");
  CAF_CHECK_EQUAL(human_line({at, level::trace, "bus", "x"}, false), "2026-11-21 09:10:00.123 TRACE bus  x\n");
  CAF_CHECK_EQUAL(human_line({timestamp{-1}, level::info, "bus", "x"}, false),
                  "1969-12-31 23:59:59.999 INFO  bus  x\n");
  CAF_CHECK_EQUAL(json_line({at, level::warning, "bus", "disk full"}),
                  R"({"ts":"2026-11-21T09:10:00.123456789Z","level":"warning","component":"bus","text":"disk full"})"
                  "\n");
}

CAF_TEST(only the level has a colour) {
  CAF_CHECK_EQUAL(human_line({at, level::error, "bus", "x"}, true),
                  "2026-11-21 09:10:00.123 \x1b[1;31mERROR\x1b[0m bus  x\n");
}

CAF_TEST(whatever could break the line is made visible) {
  std::vector<row> rows{
    {"plain text, é, 東京, 🙂", "plain text, é, 東京, 🙂", "plain text, é, 東京, 🙂"},
    {"", "", ""},
    {"two\nlines\r\n", "two\\nlines\\r\\n", "two\nlines\r\n"},
    {"a\tb", "a\\tb", "a\tb"},
    {"say \"x\" \\ y", "say \"x\" \\ y", "say \"x\" \\ y"},
    {"\x1b[2J red", "\\x1b[2J red", "\x1b[2J red"},
    {std::string("a\0b", 3), "a\\x00b", nullptr},
    {"\x7f", "\\x7f", "\x7f"},
    {"\xc2\x9b"
     "1m",
     "\\x9b1m",
     "\xc2\x9b"
     "1m"}, // U+009B opens a command on some terminals
    {"a\xe2\x80\xa8"
     "b\xe2\x80\xa9",
     "a\\u2028b\\u2029",
     "a\xe2\x80\xa8"
     "b\xe2\x80\xa9"}, // line and paragraph separators
    {"\xff\xfe", "\\xff\\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"cut \xe6\x9d", "cut \\xe6\\x9d", "cut \xef\xbf\xbd\xef\xbf\xbd"},
    {"\xc0\xaf", "\\xc0\\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                      // `/` in a byte too many
    {"\xed\xa0\x80", "\\xed\\xa0\\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, // a surrogate
    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, // beyond U+10FFFF
  };
  for (auto& x : rows) {
    CAF_CHECK_EQUAL(human(x.text), std::string{x.shown});
    CAF_CHECK_EQUAL(json_text(x.text), x.parsed == nullptr ? x.text : std::string{x.parsed});
  }
  CAF_CHECK(human_line({at, level::info, "a\nb", "x"}, false).find("a\\nb") != std::string::npos);
  CAF_CHECK(json_line({at, level::info, "a\"b", "x"}).find("a\\\"b") != std::string::npos);
}

CAF_TEST(any bytes at all give one line and valid JSON) {
  std::mt19937 random{1};
  std::uniform_int_distribution<int> byte{0, 255}, length{0, 40};
  for (int i = 0; i < 5000; ++i) {
    std::string text(static_cast<std::size_t>(length(random)), '\0');
    for (auto& c : text) c = static_cast<char>(byte(random));
    auto shown = human(text);
    auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    CAF_CHECK(std::none_of(shown.begin(), shown.end(), is_control));
    json_text(text); // requires that it parses, UTF-8 and all
  }
}

CAF_TEST(a long text is cut between characters and says so) {
  using finstream::log::shortened;
  CAF_CHECK_EQUAL(shortened("12345", 5), "12345");
  CAF_CHECK_EQUAL(shortened("123456", 5), "12345 ... (1 bytes more)");
  CAF_CHECK_EQUAL(shortened("123é5", 4), "123 ... (3 bytes more)"); // é would be cut in half
  CAF_CHECK_EQUAL(shortened("é", 0), " ... (2 bytes more)");
  CAF_CHECK_EQUAL(shortened(std::string(10, '\x80'), 8),
                  std::string(4, '\x80') + " ... (6 bytes more)"); // no character at all
}
