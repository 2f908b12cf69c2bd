// finstream doctor: looks at the machine, the config and all that it names, and says what is wrong with each and what
// to do.
#include "cli/commands.hpp"
#include "cli/node_log.hpp"
#include "cli/node_models.hpp"
#include "cli/stage_rules.hpp"

#include "runtime/server/server.hpp"
#include "runtime/store/store.hpp"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <fmt/core.h>
#include <memory>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace finstream {

namespace {

constexpr std::uintmax_t least_free_bytes = 1ull << 30;
constexpr rlim_t least_open_files = 4096;

class findings {
public:
  void good(const std::string& what) { fmt::print("  ok       {}\n", what); }
  void note(const std::string& what) { fmt::print("  note     {}\n", what); }
  void bad(const std::string& what) {
    ++bad_;
    fmt::print("  PROBLEM  {}\n", what);
  }
  int count() const { return bad_; }

private:
  int bad_ = 0;
};

void examine_machine(findings& out) {
  fmt::print("machine\n");
  auto cores = std::thread::hardware_concurrency();
  out.good(fmt::format(
    "{} cores, {} MiB of memory", cores,
    static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) >> 20));
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < least_open_files)
    out.note(fmt::format(
      "{} files may be open at once: each client is one; raise it with `ulimit -n {}` or LimitNOFILE=", files.rlim_cur,
      least_open_files * 4));
  else
    out.good(fmt::format("{} files may be open at once", files.rlim_cur));
}

// Whether a node has the data directory open.
bool examine_data(findings& out, const settings& config) {
  fmt::print("data directory {}\n", config.data_directory);
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path directory{config.data_directory};
  auto existing = fs::absolute(directory, error);
  while (!fs::exists(existing, error) && existing.has_relative_path()) existing = existing.parent_path();
  if (access(existing.c_str(), W_OK) != 0)
    out.bad(
      fmt::format("{} cannot be written by this user: give it to the user that runs the node", existing.string()));
  auto space = fs::space(existing, error);
  if (error)
    out.bad(fmt::format("free space of {} is not known: {}", existing.string(), error.message()));
  else if (space.available < least_free_bytes)
    out.bad(fmt::format("{} MiB are free; free some", space.available >> 20));
  else
    out.good(fmt::format("{} GiB are free", space.available >> 30));
  auto holder = holder_of_log(config.data_directory);
  if (holder) out.note(*holder + " has it open: a node runs");
  auto log = open_for_reading(config);
  if (!log && log.error().code == errc::not_found) {
    out.note("there is no log in it yet; the node creates one");
  } else if (!log) {
    out.bad(log.error().message);
  }
  if (!log) return holder.has_value();
  for (auto& text : (*log)->recovery().notes) out.note(text);
  auto partitions = (*log)->get("node", "partitions");
  if (partitions && *partitions && **partitions != std::to_string(config.partitions))
    out.bad(fmt::format("it was created with partitions: {}, the config says {}", **partitions, config.partitions));
  for (int p = 0; p < config.partitions; ++p)
    if (auto range = (*log)->range(topic::events, static_cast<std::uint16_t>(p)))
      out.good(fmt::format("partition {}: events from offset {} to {}", p, range->head, range->next));
  return holder.has_value();
}

void examine_feeds(findings& out, const settings& config, const std::string& beside) {
  fmt::print("feeds\n");
  if (config.feeds.empty()) out.note("none is configured");
  for (auto& feed : config.feeds) {
    auto& program = feed.command.front();
    auto found = program.find('/') != std::string::npos ? access(program.c_str(), X_OK) == 0
                                                        : access((beside + "/" + program).c_str(), X_OK) == 0;
    std::string_view path = std::getenv("PATH") != nullptr ? std::getenv("PATH") : "";
    while (!found && program.find('/') == std::string::npos && !path.empty()) {
      auto colon = path.find(':');
      found = access((std::string{path.substr(0, colon)} + "/" + program).c_str(), X_OK) == 0;
      path = colon == std::string_view::npos ? std::string_view{} : path.substr(colon + 1);
    }
    if (found)
      out.good(fmt::format("{}: {}", feed.name, program));
    else
      out.bad(access(program.c_str(), F_OK) == 0
                ? fmt::format("{}: {} cannot be executed; chmod +x it", feed.name, program)
                : fmt::format("{}: there is no program {}; install it or correct feeds.command", feed.name, program));
  }
}

void examine_inference(findings& out, const settings& config) {
  fmt::print("rules and models\n");
  auto& x = config.inference;
  if (!x.rules.enabled) out.note("no rules are on");
  auto rules = make_stage_rules(config);
  if (!rules)
    out.bad(rules.error().message);
  else if (x.rules.enabled)
    out.good(fmt::format("{} can be read, and every name in it is known", x.rules.file));
  if (!x.sklearn.enabled && !x.xgboost.enabled) return;
  auto models = open_models(config, 0);
  if (!models) return out.bad(models.error().message);
  for (auto& model : *models) out.good(fmt::format("model {} answers", model->what->name()));
  if (!rules) return;
  if (auto known = check_features(*models, *rules); !known) out.bad(known.error().message);
}

void examine_stores(findings& out, const settings& config) {
  auto& x = config.stores.postgres;
  if (!x.enabled) return;
  fmt::print("stores\n");
  auto version = postgres_version({x.connection, x.connect_timeout_s, x.statement_timeout_ms});
  if (version)
    out.good("PostgreSQL " + *version + " answers");
  else
    out.bad(version.error().message);
}

// What the stream has is asked first: a node that writes to it is never behind.
void examine_stream(findings& out, const settings& config, broker& to, journal_id id, const std::string& stream,
                    bool node_runs, bool is_shared) {
  auto ends = to.ends(stream);
  if (!ends && ends.error().code == errc::not_found)
    return out.note(fmt::format("stream {} is not there yet; the node creates it", stream));
  if (!ends) return out.bad(fmt::format("stream {}: {}", stream, ends.error().message));
  std::uint64_t has = !ends->last ? 0 : ends->last->transaction - (ends->last_is_whole ? 0 : 1);
  auto log = open_for_reading(config);
  auto log_id = log ? (*log)->get(node_table, log_id_key) : expected<std::optional<std::string>>{std::nullopt};
  auto kept = log ? (*log)->range(buffer_of(id.side), id.partition) : expected<log_range>{log_range{}};
  if (!log_id || !kept || !*log_id)
    return out.good(fmt::format("stream {} has {} entries; there is no log here to compare it with", stream, has));
  if (ends->last && std::to_string(ends->log_id) != **log_id)
    return out.bad(fmt::format("stream {} holds another log: give this one streams of its own, or an empty data "
                               "directory if it should go on with that one",
                               stream));
  if (has <= kept->next) return out.good(fmt::format("stream {} has {} entries of {}", stream, has, kept->next));
  auto ahead = fmt::format("stream {} has {} entries and this data directory {}: another node writes to it, or has",
                           stream, has, kept->next);
  if (node_runs && is_shared)
    out.note(ahead + "; processes with roles share this log, and follow it");
  else if (node_runs)
    out.bad(ahead + "; let one write, and start this one again to have it catch up");
  else
    out.note(ahead + "; the node catches up when it is started");
}

void examine_bus(findings& out, const settings& config, bool node_runs) {
  if (config.bus.type == bus_driver::embedded) return;
  fmt::print("bus\n");
  auto to = open_broker(config.bus);
  auto well = to ? (*to)->health() : expected<void>{tl::unexpected{to.error()}};
  if (!well) return out.bad(well.error().message);
  out.good(fmt::format("{} answers", to_string(config.bus.type)));
  auto link = link_of(config);
  auto shared = (*to)->ends(config.bus.broker.work_stream);
  auto is_shared = shared && shared->last;
  for (auto id : journals_of(link)) examine_stream(out, config, **to, id, stream_of(link, id), node_runs, is_shared);
}

void examine_gateway(findings& out, const settings& config, bool node_runs) {
  fmt::print("gateway\n");
  if (!config.gateway.enabled) return out.note("it is off");
  auto free = try_to_listen(config.gateway.address, static_cast<std::uint16_t>(config.gateway.port));
  if (free)
    out.good(fmt::format("{}:{} is free", config.gateway.address, config.gateway.port));
  else if (node_runs)
    out.note(free.error().message + " (as it should be, if it is the node that runs)");
  else
    out.bad(free.error().message);
  if (config.gateway.crash_hook)
    out.note("gateway.crash_hook is on: anyone who reaches the port can crash actors; it is for tests");
}

int examine(const std::string& path) {
  findings out;
  examine_machine(out);
  fmt::print("config {}\n", path.empty() ? "(defaults)" : path);
  auto config = settings_from(path);
  if (!config) {
    out.bad(config.error().message);
  } else {
    out.good("valid");
    auto node_runs = examine_data(out, *config);
    examine_feeds(out, *config, feeds_directory());
    examine_inference(out, *config);
    examine_stores(out, *config);
    examine_bus(out, *config, node_runs);
    examine_gateway(out, *config, node_runs);
  }
  fmt::print("{}\n", out.count() == 0 ? "nothing is wrong" : counted(static_cast<std::size_t>(out.count()), "problem"));
  return out.count() == 0 ? 0 : 1;
}

} // namespace

void add_doctor(CLI::App& app, chosen_command& chosen) {
  auto path = std::make_shared<std::string>();
  auto* verb = app.add_subcommand("doctor", "Say what is wrong with this machine, the config, and what it names: data, "
                                            "feeds, rules, models, stores, the broker, ports");
  add_config_option(*verb, *path);
  verb->callback([path, &chosen] { chosen = [path] { return examine(*path); }; });
}

} // namespace finstream
