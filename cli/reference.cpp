// finstream reference: the lists that the documentation is printed from, so that it cannot say what the program does
// not.
#include "cli/commands.hpp"

#include "actors/node_metrics.hpp"
#include "messages/command/wire_protocol.hpp"
#include "messages/errors.hpp"
#include "messages/schema/schema.hpp"

#include <CLI/CLI.hpp>

#include <fmt/core.h>
#include <sstream>

namespace finstream {

namespace {

std::string errors_page() {
  std::string out =
    "# Errors\n\nPrinted by `finstream reference errors`. A temporary error may pass by itself: try again later.\n\n"
    "| code | name | temporary | what it means, and who must act |\n| --- | --- | --- | --- |\n";
  std::istringstream lines{error_list()};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string code, name, temporary, sentence;
    words >> code >> name >> temporary;
    std::getline(words >> std::ws, sentence);
    out += fmt::format("| {} | `{}` | {} | {} |\n", code, name, temporary == "temporary" ? "yes" : "no", sentence);
  }
  return out;
}

std::string metrics_page() {
  metrics::registry registry;
  node_metrics all{registry};
  all.declare({"<feed>"}, {"<provider>"}, 1, hash_hex(hash_text(schema_list())));
  all.declare_model("<model>");
  all.bars_flushed("<window_ms>", "<symbol>"), all.rows_flushed("<window_ms>");
  return "# Metrics\n\nPrinted by `finstream reference metrics`; a node shows them at `/metrics`.\n\n" +
         registry.reference();
}

std::string protocol_page() {
  std::string out = "# WebSocket messages\n\nPrinted by `finstream reference protocol`. [protocol.md](protocol.md) "
                    "explains them with examples.\n\n"
                    "| from | message | fields | meaning |\n| --- | --- | --- | --- |\n";
  for (auto& m : wire_protocol()) out += fmt::format("| {} | `{}` | {} | {} |\n", m.from, m.name, m.fields, m.meaning);
  return out;
}

std::string schemas_page() {
  return "# Schemas\n\nPrinted by `finstream reference schemas`: name, hash and fields of each event.\n\n```text\n" +
         schema_list() + "```\n";
}

} // namespace

void add_reference(CLI::App& app, chosen_command& chosen) {
  auto* verb = app.add_subcommand("reference", "Print a list that the documentation is made from");
  verb->require_subcommand(1);
  auto add = [&](const char* name, const char* help, std::string (*page)()) {
    verb->add_subcommand(name, help)->callback([page, &chosen] {
      chosen = [page] { return fmt::print("{}", page()), 0; };
    });
  };
  add("errors", "Every error: code, name, and who must act", errors_page);
  add("metrics", "Every metric: name, type, labels, meaning", metrics_page);
  add("protocol", "Every WebSocket message", protocol_page);
  add("schemas", "Every event's fields and their hash", schemas_page);
}

} // namespace finstream
