#include "feeds/output/contract.hpp"

#include "feeds/output/time_text.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace finstream::feed {

std::optional<std::uint64_t> resume_token(std::string_view what) {
  auto token = std::getenv("FINSTREAM_RESUME_TOKEN");
  if (token == nullptr || *token == '\0') return std::nullopt;
  std::string_view text{token};
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) return number;
  std::fprintf(stderr, "warning: FINSTREAM_RESUME_TOKEN is not the number of an earlier %s; starting from the first\n",
               std::string{what}.c_str());
  return std::nullopt;
}

std::string feed_name(std::string_view otherwise) {
  auto name = std::getenv("FINSTREAM_FEED");
  return name == nullptr || *name == '\0' ? std::string{otherwise} : name;
}

std::string hello_line(std::string_view feed, bool resumed) {
  return R"({"type":"hello","feed":")" + std::string{feed} + R"(","resumed":)" + (resumed ? "true}" : "false}");
}

std::string heartbeat_line(timestamp src_ts) {
  char text[time_text::max_bytes];
  return R"({"type":"heartbeat","src_ts":")" + std::string{text, time_text{}.write(text, src_ts, 9)} + "\"}";
}

} // namespace finstream::feed
