#define CAF_SUITE models_card

#include "tests/support/suite.hpp"

#include "tests/runtime/models_language.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>

using namespace finstream;
using namespace finstream::test;

namespace {

const std::string whole = R"({"kind": "xgboost", "model_hash": "00000000000000ff", "features": ["a", "b"],
  "output": "probability", "classes": [-1, 1], "signal": {"name": "up", "threshold": 0.6}})";

std::string replaced(const std::string& what, const std::string& with) {
  auto text = whole;
  auto at = text.find(what);
  return at == std::string::npos ? "the test is wrong" : text.replace(at, what.size(), with);
}

model_card card_of(const std::string& text) {
  auto card = parse_model_card(text, "models/trend.card.json");
  if (!card) CAF_FAIL(card.error().message);
  return *card;
}

prediction decided(const model_card& card, std::vector<double> output) {
  auto made = decide(card, output);
  if (!made) CAF_FAIL(made.error().message);
  return *made;
}

} // namespace

CAF_TEST(a card says all that there is to know) {
  auto card = card_of(whole);
  CAF_CHECK_EQUAL(card.name, "trend");
  CAF_CHECK(card.kind == model_kind::xgboost);
  CAF_CHECK_EQUAL(card.model_hash, 255u);
  CAF_CHECK_EQUAL(card.card_hash, hash_text(whole));
  CAF_CHECK_EQUAL(card.features, (std::vector<std::string>{"a", "b"}));
  CAF_CHECK_EQUAL(card.classes, (std::vector<double>{-1, 1}));
  CAF_CHECK_EQUAL(card.signal_name, "up");
  CAF_CHECK_EQUAL(card.threshold, 0.6);
  CAF_CHECK(!card.passes_nulls);
  CAF_CHECK_EQUAL(card_path("models/trend.v2.ubj"), "models/trend.v2.card.json");
}

CAF_TEST(what makes other signals makes another maker) {
  auto maker = card_of(whole).maker();
  CAF_CHECK_EQUAL(card_of(whole).maker(), maker);
  CAF_CHECK_NOT_EQUAL(card_of(replaced("0.6", "0.7")).maker(), maker);
  CAF_CHECK_NOT_EQUAL(card_of(replaced("00ff", "00fe")).maker(), maker);
}

CAF_TEST(a card that is wrong is refused with what is wrong) {
  const std::pair<std::string, std::string> cases[] = {
    {"[]", "is not one JSON object"},
    {"{", "is not one JSON object"},
    {replaced("\"kind\"", "\"kinds\""), "there is no key \"kinds\", did you mean \"kind\"?"},
    {replaced("threshold", "treshold"), "there is no key \"signal.treshold\", did you mean \"signal.threshold\"?"},
    {replaced("xgboost", "torch"), "must be xgboost or sklearn, not torch"},
    {replaced("00000000000000ff", "ff"), "must be 16 hex digits"},
    {replaced("00000000000000ff", "000000000000000g"), "must be 16 hex digits"},
    {replaced("[\"a\", \"b\"]", "[]"), "must be a list of 1 to 1024 names"},
    {replaced("[\"a\", \"b\"]", "[\"a\", 1]"), "each of \"features\" must be a name"},
    {replaced("\"b\"", "\"a\""), "feature \"a\" is there twice"},
    {replaced("probability", "logit"), "must be probability or number, not logit"},
    {replaced("probability", "number"), "a number has none"},
    {replaced("[-1, 1]", "[1]"), "for the model's 2 to 64 classes"},
    {replaced("[-1, 1]", "[1, \"up\"]"), "each of \"classes\" must be a number"},
    {replaced("0.6", "1.6"), "of a probability is from 0 to 1"},
    {replaced("0.6", "-1"), "of a probability is from 0 to 1"},
    {replaced(", \"threshold\": 0.6", ""), "\"signal.threshold\" must be a number"},
    {replaced("\"signal\"", "\"notes\""), "\"signal\" must be there"},
    {replaced("\"output\"", "\"nulls\": \"zero\", \"output\""), "must be skip or pass, not zero"},
  };
  for (auto& [text, words] : cases) {
    auto card = parse_model_card(text, "x.card.json");
    CAF_REQUIRE(!card);
    CAF_CHECK(card.error().code == errc::config_invalid);
    if (card.error().message.find(words) == std::string::npos) CAF_ERROR(card.error().message);
  }
}

CAF_TEST(the most probable class decides and its probability is the score) {
  auto card = card_of(whole);
  auto up = decided(card, {0.7}); // of the second class
  CAF_CHECK(up.value == 1 && up.score == 0.7 && up.makes_signal(card));
  auto down = decided(card, {0.25});
  CAF_CHECK(down.value == -1 && down.score == 0.75 && down.makes_signal(card));
  CAF_CHECK(!decided(card, {0.55}).makes_signal(card)); // below the threshold
  CAF_CHECK_EQUAL(decided(card, {0.5}).value, -1);      // the first of equals
  auto three = card_of(replaced("[-1, 1]", "[-1, 0, 2.5]"));
  CAF_CHECK_EQUAL(decided(three, {0.1, 0.2, 0.7}).value, 2.5);
  CAF_CHECK(!prediction{}.defined() && !prediction{}.makes_signal(card));
}

CAF_TEST(a number decides by its sign and its size) {
  auto card = card_of(R"({"kind": "sklearn", "model_hash": "00000000000000ff", "features": ["a"], "output": "number",
    "signal": {"threshold": 0.01}})");
  CAF_CHECK_EQUAL(card.signal_name, "trend");
  CAF_CHECK(decided(card, {-0.02}).value == -1 && decided(card, {-0.02}).score == 0.02);
  CAF_CHECK(decided(card, {0}).value == 0 && !decided(card, {0.0}).makes_signal(card));
  for (auto& output : {std::vector<double>{}, {1, 2}, {std::nan("")}, {std::numeric_limits<double>::infinity()}})
    CAF_CHECK(!decide(card, output));
}

CAF_TEST(an output that is no probability is an error) {
  auto card = card_of(whole);
  for (auto& output : {std::vector<double>{}, {1.5}, {-0.5}, {std::nan("")}, {0.2, 0.3, 0.5}})
    CAF_CHECK(!decide(card, output));
}

CAF_TEST(a model without its card or a card without its model is not found) {
  temp_dir directory;
  auto path = directory.path() + "/m.ubj";
  refuses(path, errc::not_found, "there is no model card " + directory.path() + "/m.card.json");
  std::filesystem::copy(trained("xgboost.card.json"), directory.path() + "/m.card.json");
  refuses(path, errc::not_found, "there is no model " + path);
  std::filesystem::create_directory(path);
  refuses(path, errc::io_failure, "cannot be read");
}

CAF_TEST(a file that is not the one its card was made for is not opened) {
  refuses(trained("damaged.ubj"), errc::config_invalid, "is not the file that its card describes");
  refuses(trained("damaged_pickle.pkl"), errc::config_invalid, "is not the file that its card describes");
}
