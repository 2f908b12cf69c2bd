// The small language that tests of a broker are written in.
#pragma once

#include "runtime/broker/broker.hpp"
#include "tests/runtime/bus_language.hpp"

namespace finstream::test {

inline constexpr auto no_limit = std::size_t{1} << 40;

inline broker_message part(std::uint64_t transaction, std::uint32_t number, bool is_last, std::string body = "-") {
  return {{transaction, number}, is_last, 77, "tick", std::move(body)};
}
// Of one part each, numbered first .. last; the body is the number.
inline std::vector<broker_message> transactions(std::uint64_t first, std::uint64_t last) {
  std::vector<broker_message> out;
  for (auto i = first; i <= last; ++i) out.push_back(part(i, 0, true, std::to_string(i)));
  return out;
}
inline std::vector<message_number> numbers(std::uint64_t first, std::uint64_t last) {
  std::vector<message_number> out;
  for (auto i = first; i <= last; ++i) out.push_back({i, 0});
  return out;
}

// "7 8.0 8.1 9": a last part that is the first too has no point.
inline std::string text(const broker_message& x) {
  auto number = std::to_string(x.number.transaction);
  return x.is_last_part && x.number.part == 0 ? number : number + "." + std::to_string(x.number.part);
}
inline std::string text(const std::vector<broker_message>& messages) {
  std::string out;
  for (const auto& x : messages) out += (out.empty() ? "" : " ") + text(x);
  return out;
}
// "7 8x2": the second was handed out twice.
inline std::string text(const std::vector<taken_message>& messages) {
  std::string out;
  for (const auto& x : messages)
    out += (out.empty() ? "" : " ") + text(x.what) + (x.deliveries == 1 ? "" : "x" + std::to_string(x.deliveries));
  return out;
}
inline std::string text(std::optional<message_number> x) {
  return x ? std::to_string(x->transaction) + "." + std::to_string(x->part) : "nothing";
}

} // namespace finstream::test
