// Golden files: what is on disk or on the wire may only grow. A line that is gone or changed is an error; a new one has
// to be added to the file by hand, and the test prints it.
#pragma once

#include "tests/support/suite.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace finstream::test {

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

// A file of the source tree, whole; empty if it is not there.
inline std::string source_file(const std::string& path) {
  std::ifstream in{FINSTREAM_SOURCE_DIR "/" + path, std::ios::binary};
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline std::string hex_of(const std::string& bytes) {
  constexpr const char* digits = "0123456789abcdef";
  std::string out;
  for (unsigned char c : bytes) out += digits[c >> 4], out += digits[c & 15];
  return out;
}

// The bytes of the n-th block that begins with ```hex on a page, without spaces and without what follows a #.
inline std::string documented_hex(const std::string& path, int n) {
  std::string out;
  bool inside = false;
  for (auto& line : lines_of(source_file(path))) {
    if (line == "```hex")
      inside = n-- == 0;
    else if (line == "```")
      inside = false;
    else if (inside)
      for (char c : line.substr(0, line.find('#')))
        if (c != ' ') out += c;
  }
  return out;
}

// What is wrong with `now` against the lines of a golden file: nothing, if it is what was kept.
inline std::vector<std::string> golden_complaints(const std::vector<std::string>& kept,
                                                  const std::vector<std::string>& now) {
  std::vector<std::string> out;
  for (auto& line : kept)
    if (std::find(now.begin(), now.end(), line) == now.end()) out.push_back("is gone or has changed: " + line);
  for (auto& line : now)
    if (std::find(kept.begin(), kept.end(), line) == kept.end()) out.push_back("is new, add this line: " + line);
  return out;
}

inline void check_golden(const std::string& path, const std::string& list) {
  auto kept = lines_of(source_file(path));
  CAF_CHECK(!kept.empty());
  for (auto& complaint : golden_complaints(kept, lines_of(list))) CAF_ERROR(path << ": " << complaint);
}

} // namespace finstream::test
