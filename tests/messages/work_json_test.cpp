#define CAF_SUITE work_json

#include "tests/support/suite.hpp"

#include "messages/codec/work_json.hpp"

using namespace finstream;

CAF_TEST(what a worker says is read as it was written) {
  work_message all{
    .worker = "host/1", .partitions = 4, .dead = {"b", "c"}, .gives = {1}, .holds = {0, 2}, .leaves = true};
  CAF_CHECK_EQUAL(to_json(all),
                  R"({"worker":"host/1","partitions":4,"dead":["b","c"],"gives":[1],"holds":[0,2],"leaves":true})");
  for (auto& x : {all, work_message{.worker = "b", .partitions = 1, .dead = {}, .gives = {}, .holds = {}}}) {
    auto again = parse_work_message(to_json(x));
    CAF_REQUIRE(again.has_value());
    CAF_CHECK(*again == x);
  }
}

CAF_TEST(what is none is refused) {
  for (auto text :
       {"", "{", "[]", "7", R"({"worker":"a"})", R"({"worker":7,"partitions":1})", R"({"worker":"a","partitions":"x"})",
        R"({"worker":"a","partitions":1,"holds":["x"]})", R"({"worker":"a","partitions":1,"leaves":3})"}) {
    auto x = parse_work_message(text);
    CAF_CHECK(!x && x.error().code == errc::corrupt_record);
  }
}

CAF_TEST(any prefix and any changed byte is safe) {
  auto text = to_json({.worker = "host/1", .partitions = 4, .dead = {"b"}, .gives = {1}, .holds = {0, 2}});
  for (std::size_t i = 0; i < text.size(); ++i) {
    static_cast<void>(parse_work_message(text.substr(0, i)));
    for (int bit = 0; bit < 8; ++bit) {
      auto changed = text;
      changed[i] = static_cast<char>(changed[i] ^ 1 << bit);
      static_cast<void>(parse_work_message(changed));
    }
  }
  CAF_CHECK(parse_work_message(text).has_value());
}
