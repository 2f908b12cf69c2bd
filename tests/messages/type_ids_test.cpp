#define CAF_SUITE type_ids

#include "tests/support/golden.hpp"

#include "messages/ids.hpp"

#include <caf/atom.hpp>
#include <regex>
#include <utility>

using namespace finstream::test;

namespace {

constexpr auto first_id = caf::id_block::finstream_messages::begin, end_id = caf::id_block::finstream_messages::end;

template <std::size_t... I> std::string list_types(std::index_sequence<I...>) {
  std::string out;
  ((out += "type " + std::to_string(first_id + I) + " " + caf::type_name_by_id<first_id + I>::value + "\n"), ...);
  return out;
}

// A verb's number is made of its text. CAF keeps no list of atoms, so the header is read.
std::string list_verbs() {
  std::string out;
  std::regex verb{R"re(CAF_ADD_ATOM\(finstream_verbs, finstream::verb, (\w+), "([^"]*)"\))re"};
  auto header = source_file("messages/ids.hpp");
  for (std::sregex_iterator it{header.begin(), header.end(), verb}, end; it != end; ++it)
    out += "verb " + std::to_string(static_cast<std::uint64_t>(caf::atom_from_string((*it)[2].str()))) + " " +
           (*it)[1].str() + "\n";
  return out;
}

} // namespace

CAF_TEST(the numbers of messages and verbs only ever grow) {
  check_golden("tests/golden/type_ids.txt", list_types(std::make_index_sequence<end_id - first_id>{}) + list_verbs());
}

CAF_TEST(the list of verbs has every verb) {
  auto header = source_file("messages/ids.hpp");
  auto listed = lines_of(list_verbs()).size();
  std::size_t declared = 0;
  for (auto at = header.find("CAF_ADD_ATOM("); at != std::string::npos; at = header.find("CAF_ADD_ATOM(", at + 1))
    ++declared;
  CAF_CHECK_EQUAL(listed, declared);
  auto status = "verb " + std::to_string(finstream::verb::status::uint_value()) + " status\n";
  CAF_CHECK(list_verbs().find(status) != std::string::npos);
}

CAF_TEST(our types come after those of the actor library) { CAF_CHECK_EQUAL(+first_id, +caf::first_custom_type_id); }
