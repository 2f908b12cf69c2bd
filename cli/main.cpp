// finstream: the command line. One verb a file; this page lists them.
#include "cli/commands.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <fmt/core.h>

namespace finstream {

int report(const failure& what) {
  fmt::print(stderr, "finstream: {}: {}\n", to_string(what.code), what.message);
  return 1;
}

expected<settings> settings_from(const std::string& path) {
  return path.empty() ? expected<settings>{settings{}} : load_settings(path);
}

void add_config_option(CLI::App& verb, std::string& path) {
  verb.add_option("-c,--config", path, "The config file; without one every key has its default")
    ->envname("FINSTREAM_CONFIG")
    ->type_name("FILE");
}

expected<std::unique_ptr<bus>> open_for_reading(const settings& config) {
  embedded_bus_options options;
  options.directory = config.data_directory;
  options.read_only = true;
  return open_embedded_bus(options);
}

} // namespace finstream

int main(int argc, char** argv) {
  using namespace finstream;
  CLI::App app{"FinStream: feeds in, exact OHLCV bars out, to stores and WebSocket clients"};
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "The help of every command");
  app.footer(
    "First steps:\n  finstream run --config config/demo.yaml\n  finstream bars --config config/demo.yaml --symbol "
    "SYM000 --interval 1s\n"
    "  finstream tail 'bars.1s.*'\n\nExit codes: 0 done, 1 it failed or found something, 2 the command line is wrong.");
  chosen_command chosen;
  add_run(app, chosen);
  add_tail(app, chosen);
  add_bars(app, chosen);
  add_replay(app, chosen);
  add_config(app, chosen);
  add_doctor(app, chosen);
  add_reference(app, chosen);
  app.add_subcommand("version", "Print the version")->callback([&] {
    chosen = [] { return fmt::print("finstream {}\n", FINSTREAM_VERSION), 0; };
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return chosen ? chosen() : 2;
}
