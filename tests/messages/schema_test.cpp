#define CAF_SUITE schema

#include "tests/support/golden.hpp"

#include "messages/schema/schema.hpp"

#include <algorithm>
#include <map>

using namespace finstream;
using namespace finstream::test;

namespace {

struct schema_line {
  std::string name, hash, text;
};

schema_line take_apart(const std::string& line) {
  auto first = line.find(' '), second = line.find(' ', first + 1);
  return {line.substr(0, first), line.substr(first + 1, second - first - 1), line.substr(second + 1)};
}

} // namespace

// A message may get fields at its end: the file then keeps the old line, and gets the new one.
CAF_TEST(a message keeps the fields it once had and in their order) {
  auto kept = lines_of(source_file("tests/golden/schema_hashes.txt")), now = lines_of(schema_list());
  CAF_CHECK(!kept.empty());
  std::map<std::string, std::string> text_of;
  for (auto& line : now) text_of[take_apart(line).name] = take_apart(line).text;
  for (auto& line : kept) {
    auto old = take_apart(line);
    CAF_REQUIRE(old.text.ends_with('}'));
    if (!text_of[old.name].starts_with(old.text.substr(0, old.text.size() - 1)))
      CAF_ERROR("tests/golden/schema_hashes.txt: is gone or has changed: " << line);
  }
  for (auto& line : now)
    if (std::find(kept.begin(), kept.end(), line) == kept.end())
      CAF_ERROR("tests/golden/schema_hashes.txt: is new, add this line: " << line);
}

CAF_TEST(a schema is named by the hash of its text) {
  for (auto& line : lines_of(source_file("tests/golden/schema_hashes.txt"))) {
    auto kept = take_apart(line);
    char hash[17];
    std::snprintf(hash, sizeof(hash), "%016llx", static_cast<unsigned long long>(hash_text(kept.text)));
    CAF_CHECK_EQUAL(kept.hash, hash);
    if (kept.name == "bar" && schema_list().find(line) != std::string::npos)
      CAF_CHECK_EQUAL(std::stoull(kept.hash, nullptr, 16), bar_schema_hash());
  }
}

CAF_TEST(the hash is that of XXH3 on every machine) {
  // From the reference implementation: `printf "" | xxhsum -H3` and `printf abc | xxhsum -H3`.
  CAF_CHECK_EQUAL(hash_text(""), 0x2d06800538d394c2u);
  CAF_CHECK_EQUAL(hash_text("abc"), 0x78af5f94892f3950u);
}
