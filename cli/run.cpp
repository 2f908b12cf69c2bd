// finstream run: a node, until SIGTERM or SIGINT.
#include "cli/commands.hpp"
#include "cli/node.hpp"
#include "cli/status_line.hpp"

#include "runtime/log/log.hpp"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdlib>
#include <fmt/core.h>
#include <memory>

namespace finstream {

namespace {

constexpr nanoseconds stop_deadline = 5 * second;
constexpr nanoseconds refresh_every = second / 2;

void read_rules_again(node& live) {
  if (auto read = live.read_rules_again(); !read)
    log::error("config", "the rules stay as they were: {}", read.error().message);
  else
    log::info("config", "the rules are read again, and hold from here on");
}

int run(const std::string& path) {
  std::vector<std::string> notes;
  auto config = settings_from(path, &notes);
  if (!config) return report(config.error());
  log::start({config->log.level, config->log.json});
  // Blocked before the first thread starts, so that every thread leaves them to this one.
  sigset_t signals;
  sigemptyset(&signals);
  for (auto s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, s);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  auto started = node::start(*config, feeds_directory());
  if (!started) {
    log::stop();
    return report(started.error());
  }
  auto& live = **started;
  log::info("node", "{} {} runs: {}, {}, data in {}, durability {}", config->node_name, FINSTREAM_VERSION,
            counted(static_cast<std::size_t>(config->partitions), "partition"), counted(config->feeds.size(), "feed"),
            config->data_directory, to_string(config->bus.level));
  for (auto& note : notes) log::warning("config", "{}", note);
  for (auto& note : live.recovery().notes) log::warning("node", "{}", note);

  auto code = 0;
  {
    status_line line;
    for (;;) {
      timespec wait{0, static_cast<long>(refresh_every)};
      auto signal = sigtimedwait(&signals, nullptr, &wait);
      if (signal == SIGTERM || signal == SIGINT) break;
      if (signal == SIGHUP) read_rules_again(live);
      auto now = live.status();
      if (now.failed) {
        log::error("node", "the supervision tree has given up: the log above says why");
        code = 1;
        break;
      }
      line.refresh(now, system_clock().monotonic());
    }
  }
  log::info("node", "draining: feeds are stopped, clients told, checkpoints written");
  if (code == 0 && !live.stop(stop_deadline)) {
    log::error("node", "not everything was done within {} s; the log holds what was acknowledged",
               stop_deadline / second);
    code = 1;
  }
  auto last = live.status();
  log::info("node", "stopped: {} events, {} bars, {} duplicates, {} dead letters", last.events, last.bars,
            last.duplicates, last.dead_letters);
  if (code != 0) {
    // What was acknowledged is in the log, as after kill -9, and feeds end with this process. Nothing is worth waiting
    // for.
    log::stop();
    std::_Exit(code);
  }
  started->reset();
  log::stop();
  return code;
}

} // namespace

void add_run(CLI::App& app, chosen_command& chosen) {
  auto path = std::make_shared<std::string>();
  auto* verb = app.add_subcommand("run", "Run a node until it is told to stop (SIGTERM, Ctrl-C)");
  add_config_option(*verb, *path);
  verb->footer("SIGHUP reads the file of rules again.\nExample:\n  finstream run --config config/demo.yaml");
  verb->callback([path, &chosen] { chosen = [path] { return run(*path); }; });
}

} // namespace finstream
