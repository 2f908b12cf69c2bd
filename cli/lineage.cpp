// finstream lineage: what a signal or a bar was made of, down to the events of the log, and what became of an event.
#include "cli/commands.hpp"

#include "actors/lineage_json.hpp"
#include "actors/log_entries.hpp"
#include "messages/codec/json.hpp"
#include "runtime/store/letter_store.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <fmt/core.h>
#include <memory>

namespace finstream {

namespace {

struct options {
  std::string config, what, event, format = "tree";
};

std::string number(const std::optional<double>& x) {
  if (!x) return "null";
  std::string out;
  append_json_double(out, *x);
  return out;
}

// A tree as lines: each knows how deep it is, and what is below it follows.
void branch(int depth, const std::string& text) {
  fmt::print("{}{}\n", std::string(static_cast<std::size_t>(depth) * 2, ' '), text);
}

std::string words(const logged_event& x) {
  auto event = spell_out(*x.batch, x.what());
  static constexpr const char* names[3][5] = {{"price", "size", nullptr, nullptr, nullptr},
                                              {"open", "high", "low", "close", "volume"},
                                              {"bid", "ask", "bid_size", "ask_size", nullptr}};
  auto out = fmt::format("{} {}/{}  {}  seq {} ", to_string(event.kind), x.partition, x.offset, to_string(event.src_ts),
                         event.seq);
  auto& mine = names[static_cast<int>(event.kind)];
  for (std::size_t i = 0; i < 5 && mine[i] != nullptr; ++i)
    out += fmt::format(" {} {}", mine[i], to_string(decimal{event.values[i]}));
  return out + fmt::format("  provider {}  feed {}", event.provider, x.batch->feed);
}

std::string words(const bar& x) {
  return fmt::format("bar {}  open {} high {} low {} close {} volume {}  {}  revision {}", to_string(name_of(x)),
                     to_string(x.open), to_string(x.high), to_string(x.low), to_string(x.close), to_string(x.volume),
                     counted(x.trades, "event"), x.revision);
}

std::string words(const feature_vector& x) {
  return fmt::format("features of {}/{}/{}/{}  revision {}", x.provider, x.symbol, span_to_string(x.interval),
                     to_string(x.start), x.revision);
}

std::string words(const signal& x) {
  return fmt::format("signal {}  {} of {}/{} at {}  value {} score {}", x.signal_id, x.name, x.provider, x.symbol,
                     to_string(x.ts), number(x.value), number(x.score));
}

void print_values(int depth, const feature_vector& x) {
  for (auto& v : x.values)
    branch(depth, fmt::format("{} = {}  over {} from {}{}{}", v.name, v.exact ? to_string(*v.exact) : number(v.value),
                              counted(v.n, "bar"), to_string(v.window_start), v.warm ? "" : "  not warm yet",
                              v.inputs_revision == 0 ? "" : fmt::format("  inputs_revision {}", v.inputs_revision)));
}

void print_notes(const std::vector<std::string>& notes) {
  for (auto& note : notes) branch(1, "note: " + note);
}

constexpr const char* no_lines = "are not in the log: their feeds do not have `raw: all`";

void print_event(int depth, const logged_event& x) {
  branch(depth, words(x));
  if (x.raw) branch(depth + 1, "raw " + printable(*x.raw));
}

void print_bar(int depth, const bar_lineage& x) {
  branch(depth, words(x.what) + (x.is_compared ? "  (its close is compared with)" : ""));
  for (auto& event : x.events) print_event(depth + 1, event);
  auto lost = std::count_if(x.events.begin(), x.events.end(), [](auto& event) { return !event.raw; });
  if (lost != 0)
    branch(depth + 1,
           fmt::format("note: the lines of {} {}", counted(static_cast<std::size_t>(lost), "event"), no_lines));
  if (!x.missing.empty()) branch(depth + 1, "note: " + x.missing);
}

void print(const signal_lineage& x) {
  branch(0, words(x.what));
  for (auto& input : x.what.inputs) branch(1, fmt::format("input {} = {}", input.name, number(input.value)));
  if (x.rule) {
    auto& rule = x.rule->rule;
    branch(1, fmt::format("rule {}  {:016x}  emit {}{}", rule.name, rule.hash(),
                          rule.emit == emit_when::edge ? "edge" : "level",
                          rule.cooldown == 0 ? "" : "  cooldown " + span_to_string(rule.cooldown)));
    branch(2, "condition " + rule.condition);
    for (auto& [name, value] : x.rule->names)
      branch(2, fmt::format("{} is {}", name, value == bar_close ? "the bar's close" : value));
    branch(2, "as in " + x.rule->found_in);
  }
  if (x.model) {
    auto& said = x.model->said;
    branch(1, fmt::format("model {}  {}  {:016x}  threshold {}  emit {}{}", said.model, said.kind, said.maker,
                          number(said.threshold), said.level ? "level" : "edge",
                          said.cooldown == 0 ? "" : "  cooldown " + span_to_string(said.cooldown)));
    branch(2, fmt::format("as in the answer at offset {}", x.model->offset));
  }
  if (x.features) {
    branch(1, words(*x.features));
    print_values(2, *x.features);
  }
  for (auto& one : x.bars) print_bar(1, one);
  print_notes(x.notes);
}

void print(const bar_lineage& x) { print_bar(0, x); }

void print(const event_lineage& x) {
  print_event(0, x.what);
  if (!x.what.raw) branch(1, std::string{"note: the bytes of its line "} + no_lines);
  if (!x.rejected.empty()) branch(1, "in no bar: " + x.rejected);
  for (auto& one : x.bars) branch(1, words(one));
  for (auto& one : x.vectors) branch(1, words(one));
  for (auto& one : x.signals) branch(1, words(one));
  print_notes(x.notes);
}

using log_place = std::pair<std::uint16_t, std::uint64_t>; // partition and offset

expected<log_place> read_place(const std::string& text) {
  std::uint16_t partition = 0;
  std::uint64_t offset = 0;
  auto *end = text.data() + text.size(), *slash = text.data() + std::min(text.find('/'), text.size());
  auto first = std::from_chars(text.data(), slash, partition);
  auto last =
    slash == end ? std::from_chars_result{end, std::errc::invalid_argument} : std::from_chars(slash + 1, end, offset);
  if (first.ec != std::errc{} || first.ptr != slash || last.ec != std::errc{} || last.ptr != end)
    return fail(errc::invalid_argument, "--event: \"" + text + "\" is not PARTITION/OFFSET, such as 0/4711");
  return log_place{partition, offset};
}

template <class Lineage> int show(const expected<Lineage>& found, const std::string& format, const bus& log) {
  if (!found) return report(found.error());
  if (format == "tree") return print(*found), 0;
  std::string out;
  append_lineage_json(out, *found, log.recovery().epoch);
  return fmt::print("{}\n", out), 0;
}

int show(const options& o) {
  if (o.what.empty() == o.event.empty())
    return report({errc::invalid_argument, "of what? A signal's id, a bar such as nyse/SPY/1s/2026-11-21T13:00:00Z, or "
                                           "--event PARTITION/OFFSET; `finstream signals` lists signals"}),
           2;
  auto is_bar = o.what.find('/') != std::string::npos;
  auto place = o.event.empty() ? expected<log_place>{} : read_place(o.event);
  if (!place) return report(place.error()), 2;
  auto name = is_bar ? parse_bar_name(o.what) : expected<bar_name>{};
  if (!name) return report(name.error()), 2;
  auto config = settings_from(o.config);
  if (!config) return report(config.error());
  auto log = open_for_reading(*config);
  if (!log) return report(log.error());
  auto partitions = static_cast<std::uint32_t>(config->partitions);
  if (auto saved = (*log)->get("node", "partitions"); saved && *saved)
    partitions = static_cast<std::uint32_t>(offset_from_text(**saved));
  if (!o.event.empty())
    return show(lineage_of_event(**log, partitions, {}, place->first, place->second), o.format, **log);
  if (is_bar) return show(lineage_of_bar(**log, partitions, {}, *name), o.format, **log);
  return show(lineage_of_signal(**log, partitions, {}, o.what), o.format, **log);
}

} // namespace

void add_lineage(CLI::App& app, chosen_command& chosen) {
  auto o = std::make_shared<options>();
  auto* verb = app.add_subcommand("lineage", "Say what a signal or a bar was made of, or what became of an event");
  add_config_option(*verb, o->config);
  verb->add_option("what", o->what, "A signal's id, or a bar as PROVIDER/SYMBOL/INTERVAL/START");
  verb->add_option("--event", o->event, "Instead: an event, by where it is in the log")->type_name("PARTITION/OFFSET");
  verb->add_option("-f,--format", o->format, "tree, or json (one object)")
    ->check(CLI::IsMember({"tree", "json"}))
    ->capture_default_str();
  verb->footer("Works beside a running node or without one. What was trimmed from the log is said to be.\n"
               "Examples:\n  finstream lineage 9f2c4d5e6f708192a3b4c5d6e7f80912\n"
               "  finstream lineage synthetic/SYM000/1s/2026-11-21T13:00:00Z\n  finstream lineage --event 0/4711");
  verb->callback([o, &chosen] { chosen = [o] { return show(*o); }; });
}

} // namespace finstream
