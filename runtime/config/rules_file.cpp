#include "runtime/config/rules_file.hpp"

#include "runtime/config/yaml_reader.hpp"

#include <fmt/format.h>
#include <map>

namespace finstream {

namespace {

void check_rules(const rules_file& file, yaml_reader& reader) {
  std::map<std::string, int> lines; // of each name
  for (std::size_t i = 0; i < file.rules.size(); ++i) {
    auto& rule = file.rules[i];
    auto here = fmt::format("rules[{}]", i);
    auto needs = [&](const char* key) {
      reader.complain_unless_consequence(here + "." + key, fmt::format("{} needs a `{}`", quoted(here), key));
    };
    if (rule.name.empty()) needs("name");
    if (rule.condition.empty()) needs("condition");
    auto [first, fresh] = lines.try_emplace(rule.name, reader.place_of(here + ".name").line);
    if (!fresh && !rule.name.empty())
      reader.complain(here + ".name",
                      fmt::format("rule {} is there twice, first in line {}; each needs a name of its own",
                                  quoted(rule.name), first->second));
    for (std::size_t k = 0; k < rule.symbols.size(); ++k)
      if (rule.symbols[k].empty())
        reader.complain(fmt::format("{}.symbols[{}]", here, k), "a symbol must not be empty");
  }
}

} // namespace

failure rules_file::at_condition(std::size_t rule, const failure& why) const {
  auto& where = conditions[rule];
  return {errc::config_invalid,
          fmt::format("{}:{}:{}: rule {}: {}", name, where.line, where.column, quoted(rules[rule].name), why.message)};
}

expected<rules_file> parse_rules(const std::string& yaml, const std::string& name, const environment& env) {
  try {
    rules_file out{.name = name, .rules = {}, .conditions = {}};
    yaml_reader reader{name, env};
    reader.parse(yaml);
    out.rules.reserve(max_rules); // the reader is handed pointers to them
    reader.read_list("rules", max_rules, [&] { return options_of(out.rules.emplace_back()); });
    check_rules(out, reader);
    if (reader.has_errors()) return reader.errors();
    for (std::size_t i = 0; i < out.rules.size(); ++i) {
      auto where = reader.place_of(fmt::format("rules[{}].condition", i));
      out.conditions.push_back({where.line, where.column});
    }
    return out;
  } catch (const std::exception& reason) {
    return fail(errc::config_invalid, fmt::format("{}: cannot be read: {}", name, reason.what()));
  }
}

expected<rules_file> load_rules(const std::string& path, const environment& env) {
  auto yaml = read_config_file(path, "file of rules");
  if (!yaml) return tl::unexpected{yaml.error()};
  return parse_rules(*yaml, path, env);
}

} // namespace finstream
