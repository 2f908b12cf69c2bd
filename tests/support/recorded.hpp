// Recorded data of other makers: gzipped CSV files beside the checkout, which are no part of the project.
// FINSTREAM_DATA names another place.
#pragma once

#include "messages/errors.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <zlib.h>

namespace finstream::test {

// Nothing, and it says so, where there is none: ctest then counts the suite as skipped.
inline std::optional<std::filesystem::path> recorded_data() {
  auto named = std::getenv("FINSTREAM_DATA");
  std::filesystem::path place = named ? named : FINSTREAM_SOURCE_DIR "/../shared/data";
  if (std::filesystem::exists(place / "README.md")) return place;
  std::cout << "skipped: no recorded data at " << place.lexically_normal() << std::endl;
  return std::nullopt;
}

// The files whose name ends so, in order.
inline std::vector<std::filesystem::path> recorded_files(const std::filesystem::path& place,
                                                         const std::string& ending) {
  std::vector<std::filesystem::path> out;
  for (auto& file : std::filesystem::directory_iterator{place})
    if (file.path().filename().string().ends_with(ending)) out.push_back(file.path());
  std::sort(out.begin(), out.end());
  return out;
}

// A table without quotes.
struct recorded_table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;

  std::size_t column(const std::string& name) const {
    auto at = std::find(columns.begin(), columns.end(), name);
    ensure(at != columns.end(), "a test names a column");
    return static_cast<std::size_t>(at - columns.begin());
  }
};

inline recorded_table read_recorded(const std::filesystem::path& path) {
  auto file = gzopen(path.c_str(), "rb");
  ensure(file != nullptr, "a recorded file can be opened");
  recorded_table out;
  char line[4096];
  while (gzgets(file, line, sizeof(line)) != nullptr) {
    std::vector<std::string> cells;
    std::string_view rest{line};
    while (!rest.empty() && (rest.back() == '\n' || rest.back() == '\r')) rest.remove_suffix(1);
    for (;;) {
      auto comma = rest.find(',');
      cells.emplace_back(rest.substr(0, comma));
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
    if (out.columns.empty()) {
      out.columns = std::move(cells);
    } else {
      ensure(cells.size() == out.columns.size(), "a recorded row has as many cells as there are columns");
      out.rows.push_back(std::move(cells));
    }
  }
  gzclose_r(file);
  return out;
}

} // namespace finstream::test
