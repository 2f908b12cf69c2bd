// finstream config: check, print, reference.
#include "cli/commands.hpp"
#include "cli/node_models.hpp"
#include "cli/stage_rules.hpp"

#include <CLI/CLI.hpp>

#include <fmt/core.h>
#include <memory>

namespace finstream {

void add_config(CLI::App& app, chosen_command& chosen) {
  auto* verb =
    app.add_subcommand("config", "Check a config file, print its effective values, or print the reference of all keys");
  verb->require_subcommand(1);
  auto path = std::make_shared<std::string>();

  auto* check = verb->add_subcommand(
    "check", "Say whether the file is valid, and each thing that is wrong with its line and column");
  add_config_option(*check, *path);
  check->add_option("file", *path, "The same, without the option's name")->type_name("FILE");
  check->callback([path, &chosen] {
    chosen = [path] {
      if (path->empty()) return fmt::print(stderr, "finstream: which file? `finstream config check FILE`\n"), 2;
      std::vector<std::string> notes;
      auto config = load_settings(*path, process_environment(), &notes);
      if (!config) return report(config.error());
      auto rules = make_stage_rules(*config);
      if (!rules) return report(rules.error());
      auto models = open_models(*config, 1);
      if (!models) return report(models.error());
      if (auto fit = check_features(*models, *rules); !fit) return report(fit.error());
      for (auto& note : notes) fmt::print("note: {}\n", note);
      return fmt::print("{} is valid: {}, {}, data in {}\n", *path, counted(config->feeds.size(), "feed"),
                        counted(static_cast<std::size_t>(config->partitions), "partition"), config->data_directory),
             0;
    };
  });

  auto* print = verb->add_subcommand("print", "Print every key with its effective value, as YAML");
  add_config_option(*print, *path);
  print->callback([path, &chosen] {
    chosen = [path] {
      auto config = settings_from(*path);
      if (!config) return report(config.error());
      return fmt::print("{}", settings_to_yaml(*config)), 0;
    };
  });

  auto* reference =
    verb->add_subcommand("reference", "Print every key with its type, default, range and meaning, as Markdown");
  reference->callback([&chosen] { chosen = [] { return fmt::print("{}", settings_reference()), 0; }; });
}

} // namespace finstream
