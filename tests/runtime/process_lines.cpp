// The pure parts: cutting chunks at lines, and the bounded rate of standard error.
#define CAF_SUITE process_lines
#include "tests/support/suite.hpp"

#include "runtime/process/error_lines.hpp"
#include "runtime/process/line_cutter.hpp"

#include <random>

using namespace finstream;

namespace {

struct outcome {
  std::string lines;
  std::vector<long_line> given_up;
};

// Cuts `text`, arriving in pieces of the sizes that `next_size` gives, as a pipe would.
template <class F> outcome cut_in_pieces(std::string_view text, std::size_t max_line_bytes, F next_size) {
  line_cutter cutter{max_line_bytes};
  outcome all;
  auto note = [&](cut_lines cut) {
    all.lines += cut.lines;
    all.given_up.insert(all.given_up.end(), cut.given_up.begin(), cut.given_up.end());
  };
  while (!text.empty()) {
    auto piece = text.substr(0, next_size());
    text.remove_prefix(piece.size());
    auto chunk = cutter.take_carry();
    auto carried = chunk.size();
    chunk += piece;
    note(cutter.cut(std::move(chunk), carried));
    if (!all.lines.empty()) CAF_REQUIRE_EQUAL(all.lines.back(), '\n');
  }
  note(cutter.finish());
  return all;
}

} // namespace

CAF_TEST(however a text is cut into chunks its lines come out whole and in order) {
  std::mt19937_64 random{7};
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (int line = 0; line < 40; ++line) text += std::string(random() % 50, static_cast<char>('a' + line % 26)) + "\n";
    if (round % 2 == 0) text += "no newline at the end";
    auto got = cut_in_pieces(text, 64, [&] { return 1 + random() % 90; });
    CAF_CHECK_EQUAL(got.lines, text);
    CAF_CHECK_EQUAL(got.given_up.size(), 0u);
  }
}

CAF_TEST(a line longer than the limit is given up and those around it are kept) {
  auto text = "before\n" + std::string(5000, 'x') + std::string(5000, 'y') + "\nafter\n";
  for (std::size_t size : {1, 7, 100, 900}) {
    auto got = cut_in_pieces(text, 1000, [&] { return size; });
    CAF_CHECK_EQUAL(got.lines, "before\nafter\n");
    CAF_REQUIRE_EQUAL(got.given_up.size(), 1u);
    CAF_CHECK_EQUAL(got.given_up[0].total_bytes, 10'000u);
    CAF_CHECK_EQUAL(got.given_up[0].first_bytes, std::string(line_cutter::max_first_bytes, 'x'));
  }
}

CAF_TEST(a long line without an end is given up at the end of the output) {
  auto got = cut_in_pieces("a\n" + std::string(3000, 'x'), 1000, [] { return 512; });
  CAF_CHECK_EQUAL(got.lines, "a\n");
  CAF_REQUIRE_EQUAL(got.given_up.size(), 1u);
  CAF_CHECK_EQUAL(got.given_up[0].total_bytes, 3000u);
}

CAF_TEST(two long lines one after the other are two) {
  auto got = cut_in_pieces(std::string(3000, 'x') + "\n" + std::string(2000, 'y') + "\n", 1000, [] { return 100; });
  CAF_REQUIRE_EQUAL(got.given_up.size(), 2u);
  CAF_CHECK_EQUAL(got.given_up[0].total_bytes, 3000u);
  CAF_CHECK_EQUAL(got.given_up[1].total_bytes, 2000u);
  CAF_CHECK_EQUAL(got.given_up[1].first_bytes[0], 'y');
  CAF_CHECK_EQUAL(got.lines, "");
}

CAF_TEST(standard error comes as lines and the last one needs no newline) {
  std::vector<std::string> got;
  error_lines errors{[&](std::string line) { got.push_back(std::move(line)); }};
  errors.add("one\ntw", second);
  errors.add("o\n\nlast", second);
  errors.finish();
  CAF_CHECK_EQUAL(got, (std::vector<std::string>{"one", "two", "", "last"}));
}

CAF_TEST(a line of standard error is cut at 8 KiB) {
  std::vector<std::string> got;
  error_lines errors{[&](std::string line) { got.push_back(std::move(line)); }};
  for (int i = 0; i < 20; ++i) errors.add(std::string(1024, 'e'), second);
  errors.add("\nnext\n", second);
  CAF_REQUIRE_EQUAL(got.size(), 2u);
  CAF_CHECK_EQUAL(got[0], std::string(8192, 'e'));
  CAF_CHECK_EQUAL(got[1], "next");
}

CAF_TEST(a flood on standard error is dropped beyond the rate and the number dropped is told) {
  std::vector<std::string> got;
  error_lines errors{[&](std::string line) { got.push_back(std::move(line)); }};
  for (std::uint64_t i = 0; i < error_lines::max_lines_per_second + 1234; ++i) errors.add("flood\n", 5 * second);
  CAF_CHECK_EQUAL(got.size(), error_lines::max_lines_per_second);
  errors.add("a second later\n", 6 * second);
  CAF_REQUIRE_EQUAL(got.size(), error_lines::max_lines_per_second + 2);
  CAF_CHECK(got[got.size() - 2].find("1234 more lines") != std::string::npos);
  CAF_CHECK_EQUAL(got.back(), "a second later");
}
