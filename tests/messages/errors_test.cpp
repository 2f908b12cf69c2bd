#define CAF_SUITE errors

#include "tests/support/golden.hpp"

#include "messages/errors.hpp"

#include <set>
#include <utility>

using namespace finstream;
using namespace finstream::test;

CAF_TEST(the list of errors only ever grows) { check_golden("tests/golden/errors.txt", error_list()); }

CAF_TEST(a golden file notices what is gone and what is new) {
  CAF_CHECK(golden_complaints({"1 a", "2 b"}, {"1 a", "2 b"}).empty());
  auto complaints = golden_complaints({"1 a", "2 b"}, {"1 a", "3 c"});
  CAF_REQUIRE_EQUAL(complaints.size(), 2u);
  CAF_CHECK_EQUAL(complaints[0], "is gone or has changed: 2 b");
  CAF_CHECK_EQUAL(complaints[1], "is new, add this line: 3 c");
}

CAF_TEST(every code has a number of its own and a name and a sentence) {
  std::set<std::string> names;
  int number = -1;
  for (auto& line : lines_of(error_list())) {
    auto before = std::exchange(number, std::stoi(line));
    CAF_CHECK_LESS(before, number); // some are not given out
    auto code = static_cast<errc>(number);
    CAF_CHECK(names.insert(std::string{to_string(code)}).second);
    CAF_CHECK(to_string(code) != "unknown");
    CAF_CHECK(explain(code).ends_with('.'));
  }
  CAF_CHECK_EQUAL(to_string(static_cast<errc>(number + 1)), "unknown");
}

CAF_TEST(only what can pass by itself is called temporary) {
  for (auto code : {errc::timed_out, errc::overloaded, errc::stopped, errc::disk_full}) CAF_CHECK(is_temporary(code));
  for (auto code : {errc::none, errc::bad_field, errc::late, errc::corrupt_record, errc::bad_command})
    CAF_CHECK(!is_temporary(code));
}
