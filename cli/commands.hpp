// The verbs. Each adds itself to the command line and leaves what is to be run in `chosen`: a function that gives the
// exit code (0 done, 1 it failed or found something, 2 the command line is wrong).
#pragma once

#include "runtime/config/load.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace finstream {

// That a --limit may ask for.
inline constexpr std::uint64_t most_rows = 1'000'000'000;

using chosen_command = std::function<int()>;

void add_run(CLI::App& app, chosen_command& chosen);
void add_tail(CLI::App& app, chosen_command& chosen);
void add_bars(CLI::App& app, chosen_command& chosen);
void add_features(CLI::App& app, chosen_command& chosen);
void add_buffer(CLI::App& app, chosen_command& chosen);
void add_jobs(CLI::App& app, chosen_command& chosen);
void add_signals(CLI::App& app, chosen_command& chosen);
void add_lineage(CLI::App& app, chosen_command& chosen);
void add_whatif(CLI::App& app, chosen_command& chosen);
void add_replay(CLI::App& app, chosen_command& chosen);
void add_backfill(CLI::App& app, chosen_command& chosen);
void add_config(CLI::App& app, chosen_command& chosen);
void add_dlq(CLI::App& app, chosen_command& chosen);
void add_doctor(CLI::App& app, chosen_command& chosen);
void add_verify(CLI::App& app, chosen_command& chosen);
void add_reference(CLI::App& app, chosen_command& chosen);

// "1 feed", "2 feeds".
std::string counted(std::size_t count, const std::string& noun);

// Says a failure on standard error; the exit code is 1.
int report(const failure& what);

// The config named, or the defaults where none is. What of it has no effect is said in `notes`.
expected<settings> settings_from(const std::string& path, std::vector<std::string>* notes = nullptr);
// Adds `--config FILE` (or FINSTREAM_CONFIG).
void add_config_option(CLI::App& verb, std::string& path);

// Where the feeds are that come with this program: beside it in an installation, in a folder of their own in a build.
std::string feeds_directory();
// And the program that answers for models of sklearn, the same way.
std::string worker_script();

// The bus of a data directory for reading, also beside a running node.
expected<std::unique_ptr<bus>> open_for_reading(const settings& config);

} // namespace finstream
