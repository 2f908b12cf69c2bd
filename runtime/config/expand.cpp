#include "runtime/config/expand.hpp"

#include "runtime/config/options.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>

namespace finstream {

namespace {

// `inside` is what stands between `${` and `}`.
expected<std::string> variable(const std::string& inside, const environment& env) {
  auto colon = inside.find(":-");
  auto name = inside.substr(0, colon);
  if (!is_variable_name(name))
    return fail(errc::config_invalid,
                fmt::format("{} is not the name of a variable; a plain dollar sign is written `$$`",
                            quoted("${" + inside + "}")));
  auto value = env(name);
  auto has_default = colon != std::string::npos;
  if (value && (!value->empty() || !has_default)) return *value;
  if (has_default) return inside.substr(colon + 2);
  return fail(
    errc::config_invalid,
    fmt::format("the environment variable {} is not set; set it, or write `${{{}:-default}}`", quoted(name), name));
}

} // namespace

expected<std::string> expand(const std::string& text, const environment& env) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] != '$' || (next != '$' && next != '{')) {
      out += text[i];
    } else if (next == '$') {
      out += text[++i];
    } else {
      auto end = text.find('}', i);
      if (end == std::string::npos)
        return fail(errc::config_invalid, fmt::format("{} has no closing brace; a plain dollar sign is written `$$`",
                                                      quoted(std::string_view{text}.substr(i))));
      auto value = variable(text.substr(i + 2, end - i - 2), env);
      if (!value) return value;
      out += *value;
      i = end;
    }
  }
  return out;
}

bool is_variable_name(const std::string& text) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  auto fits = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !text.empty() && letter(text[0]) && std::all_of(text.begin(), text.end(), fits);
}

environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    auto* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>{value};
  };
}

} // namespace finstream
