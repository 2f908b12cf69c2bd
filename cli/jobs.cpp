// finstream jobs: what ran when and how it ended, beside a running node or without one.
#include "cli/rows.hpp"
#include "cli/side_topic.hpp"

#include "messages/codec/json.hpp"
#include "runtime/store/job_store.hpp"

#include <CLI/CLI.hpp>

#include <deque>
#include <memory>

namespace finstream {

namespace {

struct options {
  std::string config, kind, status, from_topic, format = "table";
  std::size_t limit = 100;
};

std::string ended_text(const job_run& x) { return x.ended ? to_string(*x.ended) : ""; }

void print_row(std::string_view started, std::string_view ended, std::string_view kind, std::string_view status,
               const std::string& rows, std::string_view place, std::string_view detail) {
  print_line(
    fmt::format("{:<30} {:<30} {:<12} {:<8} {:>12}  {:<24} {}", started, ended, kind, status, rows, place, detail));
}

void print(const job_run& x, const std::string& format) {
  if (format == "table") {
    print_row(to_string(x.started), ended_text(x), to_string(x.kind), to_string(x.status), std::to_string(x.rows),
              place_of(x), x.detail);
  } else if (format == "csv") {
    print_line(fmt::format("{},{},{},{},{},{},{:016x},{}", to_string(x.started), ended_text(x), to_string(x.kind),
                           to_string(x.status), x.rows, csv_text(place_of(x)), x.config_hash, csv_text(x.detail)));
  } else {
    std::string line;
    append_job_run_json(line, x);
    print_line(line);
  }
}

int show(const options& o) {
  auto config = settings_from(o.config);
  if (!config) return report(config.error());
  auto log = open_rows(*config, o.from_topic);
  if (!log) return report(log.error());
  std::deque<job_run> newest;
  auto read = scan_jobs(**log, [&](const job_run& x) {
    if (!o.kind.empty() && to_string(x.kind) != o.kind) return true;
    if (!o.status.empty() && to_string(x.status) != o.status) return true;
    newest.push_back(x);
    if (o.limit != 0 && newest.size() > o.limit) newest.pop_front();
    return true;
  });
  if (!read) return report(read.error());
  if (o.format == "table") print_row("started", "ended", "kind", "status", "rows", "of", "detail");
  if (o.format == "csv") print_line("started,ended,kind,status,rows,of,config_hash,detail");
  for (auto& x : newest) print(x, o.format);
  return 0;
}

} // namespace

void add_jobs(CLI::App& app, chosen_command& chosen) {
  auto o = std::make_shared<options>();
  auto* verb =
    app.add_subcommand("jobs", "Print what ran when and how it ended: feeds, partitions, replays, backfills");
  add_config_option(*verb, o->config);
  verb->add_option("--kind", o->kind, "Runs of this kind only")
    ->check(CLI::IsMember({"produce", "micro_batch", "replay", "backfill"}));
  verb->add_option("--status", o->status, "Runs that run, are done, or failed only")
    ->check(CLI::IsMember({"running", "done", "failed"}));
  verb->add_option("--from-topic", o->from_topic, "The replays that were written into this topic")->type_name("TOPIC");
  verb->add_option("--limit", o->limit, "The newest so many; 0 = all")->capture_default_str();
  verb->add_option("-f,--format", o->format, "table, csv or json (an object a line)")
    ->check(CLI::IsMember({"table", "csv", "json"}))
    ->capture_default_str();
  verb->footer(
    "`produce` is a run of a feed's process, its rows are events; `micro_batch` one of a partition's stages, its "
    "rows are bars; `backfill` one of the lane, its rows are events.\nRows of what runs are brought up to date every "
    "ten seconds.\n"
    "Example:\n  finstream jobs --config config/demo.yaml --status failed");
  verb->callback([o, &chosen] { chosen = [o] { return show(*o); }; });
}

} // namespace finstream
