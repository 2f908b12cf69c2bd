#include "cli/verify_report.hpp"

#include "cli/commands.hpp"
#include "cli/verify_judges.hpp"
#include "messages/codec/json.hpp"
#include "runtime/store/letter_store.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <limits>

namespace finstream {

namespace {

using kind = log_damage::kind;

// What it means, and what to do; beside what a remedy does.
struct explanation {
  const char* meaning;
  const char* action;
};

explanation explain_positions(const log_damage& x) {
  if (x.of && is_derived(*x.of))
    return {"it is a function of the events, which hold all that was acknowledged",
            "--repair makes it anew from the events"};
  if (x.of == topic::dead_letters)
    return {"dead letters are lost: what could not be used, with the bytes", "restore a backup, if they are needed"};
  if (x.of == topic::raw)
    return {"lines of feeds are lost; the events that were made of them are not",
            "restore a backup, if they are needed"};
  return {
    "events are lost, and nothing in this directory can make them again; a node does not read past this place",
    "restore a backup; or begin a new data directory and give it the events again with `finstream backfill`, from "
    "their source or from another node's log"};
}

explanation explain_file(const log_damage& x) {
  switch (x.is) {
  case kind::current:
    return {"no program finds the list of files", "--repair writes it anew, if it is clear what it said"};
  case kind::file_list:
    return {"it says which files the log is made of, and without it no program opens the log",
            "--repair makes a new one from the files there are, if nothing is lost by it; else restore a backup"};
  case kind::options:
    return {"nothing: no program of ours reads it", "--repair has it written anew, as each start does"};
  case kind::witness:
    return {"it cannot say whether a crash has lost something since the last start; the log itself is not concerned",
            "--repair has it written anew, as each start does"};
  case kind::write_ahead_log:
    return {"what was written last is damaged in the middle; what is lost by it is listed by position",
            "--repair, where only derived topics and tables have lost something; else restore a backup"};
  default: break;
  }
  if (x.of && is_derived(*x.of)) return explain_positions(x);
  if (x.is_of_tables)
    return {"rows are lost: bars, features and signals can be made again, unless their events were trimmed. Feeds may "
            "go on from an older place, which the "
            "recognition of duplicates makes up for, and the list of jobs may be shorter",
            "--repair makes the derived rows anew and keeps the others as far as they can be read"};
  if (x.of) return explain_positions(x);
  return {"the positions of the log and of its consumer groups are lost", "restore a backup"};
}

explanation explain(const log_damage& x) {
  switch (x.is) {
  case kind::marker:
    return {"where the log begins, or where its consumer groups stand, is not known", "restore a backup"};
  case kind::record:
  case kind::hole:
  case kind::time: return explain_positions(x);
  case kind::tail:
    return {
      "what was written last before a crash is gone; the log is whole up to here",
      "--repair cuts it, as the next start of the node does. Feeds that can resume send again what is missing; else "
      "`finstream backfill` that span"};
  case kind::group:
    return {"it would pass over what is appended next", "--repair sets it back to the end, as each start does"};
  case kind::outputs:
    return {"what is stored is not what the events give: it was written by something else, or a bug made it",
            "--repair makes all that is derived anew from the events; if it comes back, report it"};
  case kind::row:
    return remedy_for(x) == remedy::none
             ? explanation{"a node needs this row and cannot make it again", "restore a backup"}
             : explanation{"rows are lost: those of bars, features, signals and checkpoints can be made again, unless "
                           "their events were trimmed; of feeds, "
                           "jobs and letters what can be read is kept",
                           "--repair makes the derived rows anew"};
  default: return explain_file(x);
  }
}

const char* name_of(kind x) {
  switch (x) {
  case kind::current: return "current";
  case kind::file_list: return "file_list";
  case kind::options: return "options";
  case kind::sorted_file: return "sorted_file";
  case kind::write_ahead_log: return "write_ahead_log";
  case kind::witness: return "witness";
  case kind::marker: return "marker";
  case kind::record: return "record";
  case kind::hole: return "hole";
  case kind::time: return "time";
  case kind::tail: return "tail";
  case kind::group: return "group";
  case kind::row: return "row";
  case kind::outputs: return "outputs";
  }
  return "unknown";
}

std::string times_of(const log_damage& x) {
  if (x.after == earliest && x.before == earliest) return "";
  if (x.before == earliest) return fmt::format("; the last record before it is of {}", to_string(x.after));
  if (x.after == earliest) return fmt::format("; the next record is of {}", to_string(x.before));
  return fmt::format("; log time {} to {}", to_string(x.after), to_string(x.before));
}

// Damaged files put anything into what is said of them; what the stages gave is text.
std::string safe(const log_damage& x, const std::string& text) {
  return x.is == kind::outputs ? text : printable(text);
}

std::string size_of(std::uint64_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / 1048576); }

} // namespace

remedy remedy_for(const log_damage& x) {
  auto by_rebuild = [](bool possible) { return possible ? remedy::rebuild : remedy::none; };
  switch (x.is) {
  case kind::current: return remedy::current;
  case kind::file_list: return remedy::new_list;
  case kind::options:
  case kind::witness:
  case kind::tail:
  case kind::group: return remedy::opening;
  case kind::sorted_file: return by_rebuild(x.is_of_tables || (x.of && is_derived(*x.of)));
  case kind::write_ahead_log:
  case kind::outputs: return remedy::rebuild;
  case kind::record:
  case kind::hole:
  case kind::time: return by_rebuild(x.of && is_derived(*x.of));
  case kind::marker: return remedy::none;
  case kind::row: {
    auto table = x.where.substr(x.where.find(' ') + 1);
    if (table == "(all)") return remedy::new_list; // without the file that keeps all rows from being read
    return by_rebuild(table != "node" && table != "set_aside" && table != "backfill");
  }
  }
  return remedy::none;
}

bool verdict::needs(remedy x) const {
  return std::any_of(damage.begin(), damage.end(), [&](auto& d) { return remedy_for(d) == x; });
}

void print_verdict(const verdict& x) {
  auto& n = x.counts;
  fmt::print("data directory {}\n", x.directory);
  fmt::print("  {} of {}; {} of {} in {} topics and partitions, {} events; {}; {}\n", counted(n.files, "file"),
             size_of(n.file_bytes), counted(n.records, "record"), size_of(n.record_bytes), n.lanes, n.events,
             counted(n.rows, "row"), counted(n.groups, "consumer group"));
  if (x.replayed)
    fmt::print("  the stages were run again over {} events: {} bars, {} feature vectors, {} signals, {} differences\n",
               x.replayed->events, x.replayed->bars, x.replayed->vectors, x.replayed->signals, x.replayed->differences);
  else
    fmt::print("  the stages were not run again: {}\n", x.not_replayed);
  if (x.is_sound()) return fmt::print("sound\n");
  const char* told = nullptr;
  for (auto& d : x.damage) {
    auto words = explain(d);
    // Said once for what follows of the same sort.
    if (told != nullptr && told != words.action) fmt::print("    what to do: {}\n", told);
    fmt::print("  {}: {}{}\n", safe(d, d.where), safe(d, d.why), times_of(d));
    if (told != words.action) fmt::print("    it means: {}\n", words.meaning);
    told = words.action;
  }
  if (told != nullptr) fmt::print("    what to do: {}\n", told);
  if (x.untold != 0) fmt::print("  and {} more\n", x.untold);
  auto outlook = x.needs(remedy::none)   ? "not all of it can be mended here"
                 : x.is_for_the_broker() ? "the log is on a broker: move the directory away, and the node makes it anew"
                                         : "`finstream verify --repair` mends it";
  fmt::print("{}; {}\n", counted(x.damage.size() + x.untold, "finding"), outlook);
}

void print_verdict_json(const verdict& x) {
  auto& n = x.counts;
  std::string out = R"({"directory":)";
  append_json_string(out, x.directory);
  out +=
    fmt::format(R"(,"sound":{},"files":{},"file_bytes":{},"lanes":{},"records":{},"events":{},"rows":{},"groups":{})",
                x.is_sound(), n.files, n.file_bytes, n.lanes, n.records, n.events, n.rows, n.groups);
  out += x.replayed ? fmt::format(R"(,"replay":{{"bars":{},"features":{},"signals":{},"differences":{}}})",
                                  x.replayed->bars, x.replayed->vectors, x.replayed->signals, x.replayed->differences)
                    : std::string{R"(,"replay":null)"};
  out += R"(,"damage":[)";
  for (auto& d : x.damage) {
    if (out.back() != '[') out += ',';
    auto words = explain(d);
    out += fmt::format(R"({{"kind":"{}","repairable":{})", name_of(d.is),
                       remedy_for(d) != remedy::none && !x.is_for_the_broker());
    for (auto [name, text] :
         {std::pair{"where", safe(d, d.where)}, std::pair{"why", safe(d, d.why)},
          std::pair{"means", std::string{words.meaning}}, std::pair{"do", std::string{words.action}}}) {
      out += fmt::format(R"(,"{}":)", name);
      append_json_string(out, text);
    }
    out += '}';
  }
  fmt::print("{}],\"untold\":{}}}\n", out, x.untold);
}

} // namespace finstream
