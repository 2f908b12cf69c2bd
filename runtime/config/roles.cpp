#include "runtime/config/roles.hpp"

#include "messages/value/nearest.hpp"

#include <array>
#include <fmt/format.h>
#include <vector>

namespace finstream {

namespace {
constexpr std::array<std::string_view, role_count> names = {"ingest", "window", "features",
                                                            "infer",  "store",  "gateway"};
} // namespace

std::string_view to_string(role x) { return names[static_cast<std::size_t>(x)]; }

expected<role_set> role_set::parse(std::string_view list) {
  unsigned bits = 0;
  for (std::size_t at = 0; at <= list.size();) {
    auto end = std::min(list.find(',', at), list.size());
    auto name = list.substr(at, end - at);
    std::size_t i = 0;
    while (i < names.size() && names[i] != name) ++i;
    if (i == names.size()) {
      auto meant = nearest(name, std::vector<std::string_view>(names.begin(), names.end()));
      return fail(errc::invalid_argument,
                  fmt::format("there is no role '{}'{}: name one or more of {}", name,
                              meant.empty() ? "" : fmt::format(", did you mean {}?", meant), all().text()));
    }
    bits |= 1u << i;
    at = end + 1;
  }
  return role_set{bits};
}

std::string role_set::text() const {
  std::string out;
  for (int i = 0; i < role_count; ++i)
    if (has(static_cast<role>(i))) out += (out.empty() ? "" : ",") + std::string{names[static_cast<std::size_t>(i)]};
  return out;
}

} // namespace finstream
