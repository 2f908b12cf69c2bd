// finstream run: a node, until SIGTERM or SIGINT.
#include "cli/commands.hpp"
#include "cli/node.hpp"
#include "cli/status_line.hpp"

#include "runtime/log/log.hpp"

#include <CLI/CLI.hpp>

#include <charconv>
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

struct run_options {
  std::string config, roles, data, listen;
};

// "127.0.0.1:8080" or "8080".
expected<void> listen_at(const std::string& where, gateway_settings& out) {
  auto colon = where.rfind(':');
  if (colon != std::string::npos) out.address = where.substr(0, colon);
  auto text = where.substr(colon == std::string::npos ? 0 : colon + 1);
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out.port);
  if (code != std::errc{} || end != text.data() + text.size() || out.port < 0 || out.port > 65'535)
    return fail(errc::invalid_argument, "--listen " + where + ": say [ADDRESS:]PORT, such as 127.0.0.1:8080");
  out.enabled = true;
  return {};
}

// What the command line says over the file.
expected<std::optional<role_set>> apply(const run_options& o, settings& config) {
  std::optional<role_set> roles;
  if (!o.roles.empty()) {
    auto named = role_set::parse(o.roles);
    if (!named) return tl::unexpected{named.error()};
    roles = *named;
    if (!roles->has(role::gateway)) config.gateway.enabled = false;
  }
  if (!o.data.empty()) config.data_directory = o.data;
  if (!o.listen.empty())
    if (auto heard = listen_at(o.listen, config.gateway); !heard) return tl::unexpected{heard.error()};
  return roles;
}

int run(const run_options& o) {
  std::vector<std::string> notes;
  auto config = settings_from(o.config, &notes);
  if (!config) return report(config.error());
  auto roles = apply(o, *config);
  if (!roles) return report(roles.error());
  log::start({config->log.level, config->log.json});
  // Blocked before the first thread starts, so that every thread leaves them to this one.
  sigset_t signals;
  sigemptyset(&signals);
  for (auto s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, s);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  auto started = node::start(*config, feeds_directory(), *roles);
  if (!started) {
    log::stop();
    return report(started.error());
  }
  auto& live = **started;
  log::info("node", "{} {} runs: {}, {}, data in {}, durability {}", config->node_name, FINSTREAM_VERSION,
            counted(static_cast<std::size_t>(config->partitions), "partition"), counted(config->feeds.size(), "feed"),
            config->data_directory, to_string(config->bus.level));
  if (*roles) log::info("node", "of the roles this process has {}", (*roles)->text());
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
  auto o = std::make_shared<run_options>();
  auto* verb = app.add_subcommand("run", "Run a node until it is told to stop (SIGTERM, Ctrl-C)");
  add_config_option(*verb, o->config);
  verb
    ->add_option("--role", o->roles,
                 "Share the log with other processes, and do this part of the work: ingest, window, features, infer, "
                 "store, gateway; window, features and infer are one step")
    ->type_name("ROLE,...");
  verb->add_option("--data", o->data, "The data directory, in place of the config's")->type_name("DIRECTORY");
  verb->add_option("--listen", o->listen, "Where to serve HTTP and WebSocket, in place of the config's")
    ->type_name("[ADDRESS:]PORT");
  verb->footer("SIGHUP reads the file of rules again.\nExamples:\n  finstream run --config config/demo.yaml\n"
               "  finstream run -c shared.yaml --role ingest --data ingest\n"
               "  finstream run -c shared.yaml --role window --data window1 --listen 8081");
  verb->callback([o, &chosen] { chosen = [o] { return run(*o); }; });
}

} // namespace finstream
