// finstream buffer: what waits on this disk for the broker, beside a running node or without one; and the founding
// form of it, out and in.
#include "cli/node_log.hpp"
#include "cli/rows.hpp"
#include "cli/side_topic.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <fstream>
#include <iostream>
#include <memory>

namespace finstream {

namespace {

constexpr std::size_t read_bytes = 4u << 20;

struct options {
  std::string config, file;
  bool all = false;
};

struct journal_buffer {
  journal_id id;
  std::string stream;
  log_range kept;                   // of entries: from the first that is still here to the last
  std::optional<std::uint64_t> has; // so many entries are with the broker; nothing: it was not to be asked
};

// Of every journal. Says so on standard error where the broker cannot be asked.
expected<std::vector<journal_buffer>> look(const settings& config, const bus& log) {
  auto link = link_of(config);
  auto to = open_broker(config.bus);
  if (!to) return tl::unexpected{to.error()};
  std::vector<journal_buffer> out;
  bool is_told = false;
  for (auto id : journals_of(link)) {
    auto kept = log.range(buffer_of(id.side), id.partition);
    if (!kept) return tl::unexpected{kept.error()};
    auto& x = out.emplace_back(journal_buffer{id, stream_of(link, id), *kept, std::nullopt});
    if (is_told) continue;
    if (auto ends = (*to)->ends(x.stream)) {
      x.has = !ends->last ? 0 : ends->last->transaction - (ends->last_is_whole ? 0 : 1);
    } else {
      is_told = true;
      fmt::print(stderr, "the broker cannot say what it has, so this is all that is here: {}\n", ends.error().message);
    }
  }
  return out;
}

expected<void> for_each_entry(const bus& log, const journal_buffer& x, bool all,
                              const std::function<void(const record&)>& use) {
  auto at = all || !x.has ? x.kept.head : std::max(x.kept.head, *x.has);
  while (at < x.kept.next) {
    auto records = log.read(buffer_of(x.id.side), x.id.partition, at, read_bytes);
    if (!records) return tl::unexpected{records.error()};
    for (auto& r : *records) use(r);
    at = records->back().next();
  }
  return {};
}

// The config's log with its buffer, for looking at.
expected<std::pair<settings, std::unique_ptr<bus>>> open(const options& o) {
  auto config = settings_from(o.config);
  if (!config) return tl::unexpected{config.error()};
  if (config->bus.type == bus_driver::embedded)
    return fail(errc::invalid_argument, "bus.type is embedded: without a broker there is no buffer before it");
  auto log = open_rows(*config, "");
  if (!log) return tl::unexpected{log.error()};
  return std::pair{std::move(*config), std::move(*log)};
}

int stats(const options& o) {
  auto opened = open(o);
  if (!opened) return report(opened.error());
  auto journals = look(opened->first, *opened->second);
  if (!journals) return report(journals.error());
  print_line(fmt::format("{:<32} {:>12} {:>12} {:>14}  {}", "stream", "entries", "events", "bytes", "oldest"));
  for (auto& x : *journals) {
    std::uint64_t entries = 0, events = 0, bytes = 0;
    std::string oldest;
    auto read = for_each_entry(*opened->second, x, false, [&](const record& r) {
      if (entries++ == 0) oldest = to_string(r.log_ts);
      events += events_of_block(r.payload).value_or(0);
      bytes += r.payload.size();
    });
    if (!read) return report(read.error());
    print_line(fmt::format("{:<32} {:>12} {:>12} {:>14}  {}", x.stream, entries, events, bytes, oldest));
  }
  return 0;
}

// As the founding buffer had it: the payload is a text that holds JSON.
std::string founding_line(const shown_event& x, timestamp buffered_at) {
  auto event = nlohmann::ordered_json::parse(x.json);
  nlohmann::ordered_json message;
  message["event_type"] = x.type;
  message["payload"] = x.json;
  message["trace_id"] = event.value("event_id", "");
  message["timestamp"] = event.value("src_ts", event.value("end", event.value("ts", "")));
  message["source"] = event.value("provider", "");
  nlohmann::ordered_json out;
  out["event_type"] = x.type;
  out["message"] = std::move(message);
  out["buffered_at"] = to_string(buffered_at);
  return out.dump();
}

int export_lines(const options& o) {
  auto opened = open(o);
  if (!opened) return report(opened.error());
  auto journals = look(opened->first, *opened->second);
  if (!journals) return report(journals.error());
  for (auto& x : *journals) {
    auto read = for_each_entry(*opened->second, x, o.all, [&](const record& r) {
      for (auto& event : show_events(r.payload)) print_line(founding_line(event, r.log_ts));
    });
    if (!read) return report(read.error());
  }
  return 0;
}

// What a feed would print for one founding line, or what is wrong with it.
expected<std::string> feed_line(const std::string& text) {
  auto wrong = [](const char* why) { return fail(errc::malformed_line, why); };
  auto line = nlohmann::json::parse(text, nullptr, false);
  if (!line.is_object() || !line.contains("message") || !line["message"].is_object())
    return wrong("no object with `message`");
  auto& payload = line["message"]["payload"];
  if (!payload.is_string()) return wrong("`message.payload` is no text");
  auto event = nlohmann::json::parse(payload.get<std::string>(), nullptr, false);
  if (!event.is_object() || !event.contains("symbol") || !event.contains("src_ts") || event.contains("channel"))
    return wrong("`message.payload` is no v1 event: bars, features and signals are made anew");
  return payload.get<std::string>();
}

int import_lines(const options& o) {
  std::ifstream file{o.file};
  if (!file) return report({errc::io_failure, o.file + " cannot be read"});
  std::size_t number = 0, passed_over = 0;
  for (std::string text; std::getline(file, text);) {
    ++number;
    if (text.empty()) continue;
    auto line = feed_line(text);
    if (line)
      print_line(*line);
    else if (++passed_over <= 10)
      fmt::print(stderr, "warning: {}:{} is passed over: {}\n", o.file, number, line.error().message);
  }
  if (passed_over > 10) fmt::print(stderr, "warning: and {} more lines\n", passed_over - 10);
  print_line(R"({"type":"eof"})");
  return 0;
}

} // namespace

void add_buffer(CLI::App& app, chosen_command& chosen) {
  auto o = std::make_shared<options>();
  auto* verb = app.add_subcommand("buffer", "What waits on this disk for the broker that keeps the log");
  verb->require_subcommand(1);
  auto* figures = verb->add_subcommand("stats", "Print for each stream how much waits, and since when");
  add_config_option(*figures, o->config);
  figures->callback([o, &chosen] { chosen = [o] { return stats(*o); }; });
  auto* out = verb->add_subcommand("export", "Print the events that wait, an object a line, in the founding form");
  add_config_option(*out, o->config);
  out->add_flag("--all", o->all, "Those too that the broker has and that are kept for a while (bus.buffer.keep_ms)");
  out->callback([o, &chosen] { chosen = [o] { return export_lines(*o); }; });
  auto* in =
    verb->add_subcommand("import", "Print the events of such a file as a feed does: name it in `feeds`, or give "
                                   "it to `finstream backfill --command`");
  in->add_option("file", o->file, "Lines in the founding form")->required()->type_name("FILE");
  in->callback([o, &chosen] { chosen = [o] { return import_lines(*o); }; });
}

} // namespace finstream
