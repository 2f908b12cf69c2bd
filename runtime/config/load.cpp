#include "runtime/config/load.hpp"

#include "runtime/config/check.hpp"
#include "runtime/config/founding.hpp"
#include "runtime/config/yaml_reader.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace finstream {

namespace {

// A relative path is meant from the config file's folder; where there is no such file, from the working directory.
std::string beside(const std::string& config_path, const std::string& file) {
  if (file.empty() || std::filesystem::path{file}.is_absolute()) return file;
  auto near = std::filesystem::path{config_path}.parent_path() / file;
  std::error_code unreadable;
  return std::filesystem::exists(near, unreadable) ? near.string() : file;
}

// The one setting that a test, or a person who compares, changes from outside.
void override_driver(yaml_reader& reader, settings& to, const environment& env) {
  auto driver = env("FINSTREAM_BUS");
  if (!driver || driver->empty()) return;
  for (auto& x : options_of(to))
    if (x.path == "bus.type")
      if (auto set = assign(x, *driver); !set)
        reader.complain("bus.type", "variable FINSTREAM_BUS of the environment " + set.error().message);
}

} // namespace

expected<settings> parse_settings(const std::string& yaml, const std::string& name, const environment& env,
                                  std::vector<std::string>* notes) {
  try {
    settings out;
    yaml_reader reader{name, env};
    auto complain = [&](auto& path, auto& sentence) { reader.complain_unless_consequence(path, sentence); };
    reader.parse(yaml);
    if (has_founding_names(reader)) {
      read_founding_names(reader, out, complain, notes);
    } else {
      reader.read_map(options_of(out));
    }
    override_driver(reader, out, env);
    check_settings(out, complain);
    if (reader.has_errors()) return reader.errors();
    std::sort(out.windows.intervals.begin(), out.windows.intervals.end());
    return out;
  } catch (const std::exception& reason) {
    return fail(errc::config_invalid, fmt::format("{}: cannot be read: {}", name, reason.what()));
  }
}

expected<settings> load_settings(const std::string& path, const environment& env, std::vector<std::string>* notes) {
  auto yaml = read_config_file(path, "config file");
  if (!yaml) return tl::unexpected{yaml.error()};
  auto out = parse_settings(*yaml, path, env, notes);
  if (out)
    for (auto* file :
         {&out->inference.rules.file, &out->inference.sklearn.model_path, &out->inference.xgboost.model_path})
      *file = beside(path, *file);
  return out;
}

} // namespace finstream
