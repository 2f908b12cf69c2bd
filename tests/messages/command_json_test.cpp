#define CAF_SUITE command_json

#include "tests/support/suite.hpp"

#include "messages/codec/command_json.hpp"

#include <random>

using namespace finstream;

namespace {

bool refused(std::string_view text) {
  auto x = parse_command(text);
  return !x && x.error().code == errc::bad_command && !x.error().message.empty();
}

} // namespace

CAF_TEST(a command has an action and an id and channels) {
  auto x = parse_command(R"({"action":"subscribe","id":7,"channels":["ticks.*","bars.1s.SPY"]})");
  CAF_REQUIRE(x.has_value());
  CAF_CHECK_EQUAL(x->action, "subscribe");
  CAF_CHECK(x->has_id);
  CAF_CHECK_EQUAL(x->id, 7);
  CAF_CHECK(x->channels == (std::vector<std::string>{"ticks.*", "bars.1s.SPY"}));
}

CAF_TEST(an action is enough) {
  auto x = parse_command(R"( {"action":"ping"} )");
  CAF_REQUIRE(x.has_value());
  CAF_CHECK_EQUAL(x->action, "ping");
  CAF_CHECK(!x->has_id);
  CAF_CHECK(x->channels.empty());
}

CAF_TEST(fields that are not known are left alone) {
  CAF_CHECK(parse_command(R"({"action":"ping","extra":{"deep":[1,2,{"x":null}]}})").has_value());
}

CAF_TEST(an id is echoed as it came or refused) {
  for (std::int64_t id : {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::max(),
                          std::numeric_limits<std::int64_t>::min()}) {
    auto x = parse_command(R"({"action":"ping","id":)" + std::to_string(id) + "}");
    CAF_REQUIRE(x.has_value());
    CAF_CHECK_EQUAL(x->id, id);
  }
  CAF_CHECK(refused(R"({"action":"ping","id":18446744073709551615})"));
  CAF_CHECK(refused(R"({"action":"ping","id":9223372036854775808})"));
  CAF_CHECK(refused(R"({"action":"ping","id":1.5})"));
  CAF_CHECK(refused(R"({"action":"ping","id":"1"})"));
  CAF_CHECK(refused(R"({"action":"ping","id":1e999})"));
}

CAF_TEST(what is not a command is refused with a sentence) {
  for (auto text : {"", " ", "null", "[]", "1", "\"ping\"", "{}", R"({"action":1})", R"({"action":null})",
                    R"({"action":"ping"}x)", R"({"action":"ping",})", R"({"action":"subscribe","channels":"ticks.*"})",
                    R"({"action":"subscribe","channels":[1]})", R"({"action":"subscribe","channels":null})",
                    "{\"action\":\"\xff\"}", "{\"action\":\"ping\""})
    if (!refused(text)) CAF_ERROR("taken for a command: " << text);
}

CAF_TEST(a text of nothing but brackets is refused at once) {
  CAF_CHECK(refused(std::string(65'536, '[')));
  CAF_CHECK(refused(R"({"action":"ping","x":)" + std::string(30'000, '[') + std::string(30'000, ']') + "}"));
  std::string objects;
  for (int i = 0; i < 10'000; ++i) objects += R"({"a":)";
  CAF_CHECK(refused(objects));
}

CAF_TEST(more channels than the limit are refused) {
  std::string text = R"({"action":"subscribe","channels":["a")";
  for (int i = 1; i < 10'000; ++i) text += R"(,"a")";
  CAF_CHECK(parse_command(text + "]}").has_value());
  CAF_CHECK(refused(text + R"(,"a"]})"));
}

CAF_TEST(changed bytes do no harm) {
  std::mt19937_64 random{1};
  const std::string_view originals[] = {R"({"action":"subscribe","id":1,"channels":["ticks.*","bars.1s.SPY"]})",
                                        R"({"action":"ping","id":-9223372036854775808})",
                                        R"({"action":"hello","x":[{"y":[1.5e3,true,null]}]})"};
  const std::string_view pieces[] = {"\"",      "{",     "}", "[",    "]",    ":",      ",", "\\u",
                                     "\\ud800", "1e999", "-", "null", "\xff", "action", "id"};
  for (int i = 0; i < 100'000; ++i) {
    std::string text{originals[random() % std::size(originals)]};
    for (auto changes = 1 + random() % 3; changes != 0; --changes) {
      auto where = random() % (text.size() + 1);
      switch (random() % 3) {
      case 0: text.insert(where, pieces[random() % std::size(pieces)]); break;
      case 1: text.erase(where, 1 + random() % 5); break;
      case 2:
        if (where < text.size()) text[where] = static_cast<char>(random());
        break;
      }
    }
    auto x = parse_command(text);
    if (!x && x.error().code != errc::bad_command)
      CAF_ERROR("refused as " << to_string(x.error().code) << ": " << text);
  }
}
