// finstream: the command line. One verb a file; this page lists them.
#include "cli/commands.hpp"

#include "messages/value/nearest.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fmt/core.h>

namespace finstream {

std::string counted(std::size_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

int report(const failure& what) {
  fmt::print(stderr, "finstream: {}: {}\n", to_string(what.code), what.message);
  return 1;
}

expected<settings> settings_from(const std::string& path, std::vector<std::string>* notes) {
  return path.empty() ? expected<settings>{settings{}} : load_settings(path, process_environment(), notes);
}

void add_config_option(CLI::App& verb, std::string& path) {
  verb.add_option("-c,--config", path, "The config file; without one every key has its default")
    ->envname("FINSTREAM_CONFIG")
    ->type_name("FILE");
}

std::string feeds_directory() {
  std::error_code error;
  auto program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  auto built = program.parent_path() / "feeds";
  return std::filesystem::exists(built / "finstream-feed-synthetic", error) ? built.string() : program.string();
}

std::string worker_script() {
  constexpr auto name = "finstream_sklearn_worker.py";
  std::error_code error;
  auto program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  auto built = program.parent_path() / "runtime" / "models" / "worker" / name;
  return std::filesystem::exists(built, error) ? built.string() : (program / name).string();
}

} // namespace finstream

namespace {

// What is wrong with the command line, and the command that was meant.
int refuse(const CLI::App& app, const std::string& why, const std::string& word) {
  std::vector<std::string_view> known;
  for (auto* verb : app.get_subcommands(nullptr)) known.push_back(verb->get_name());
  if (word.starts_with('-') || std::find(known.begin(), known.end(), word) != known.end()) {
    fmt::print(stderr, "finstream: {}; `finstream{} --help` says more\n", why, word.starts_with('-') ? "" : " " + word);
  } else {
    auto meant = finstream::nearest(word, known);
    fmt::print(stderr, "finstream: there is no command `{}`{}\n", word,
               meant.empty() ? "; `finstream --help` lists them" : fmt::format("; did you mean `{}`?", meant));
  }
  return 2;
}

} // namespace

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
  add_features(app, chosen);
  add_signals(app, chosen);
  add_jobs(app, chosen);
  add_buffer(app, chosen);
  add_lineage(app, chosen);
  add_replay(app, chosen);
  add_whatif(app, chosen);
  add_backfill(app, chosen);
  add_config(app, chosen);
  add_doctor(app, chosen);
  add_verify(app, chosen);
  add_reference(app, chosen);
  add_dlq(app, chosen);
  app.set_version_flag("--version", std::string{"finstream "} + FINSTREAM_VERSION);
  app.add_subcommand("version", "Print the version")->callback([&] {
    chosen = [] { return fmt::print("finstream {}\n", FINSTREAM_VERSION), 0; };
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e); // help was asked for
    if (argc == 1) return fmt::print(stderr, "{}", app.help()), 2;
    return refuse(app, e.what(), argv[1]);
  }
  return chosen ? chosen() : 2;
}
