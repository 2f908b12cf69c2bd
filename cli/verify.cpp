// finstream verify: looks at all of a data directory that no node uses, says what is damaged, and with --repair makes
// good what the log itself can make good. Repairs never write to damaged files: a new directory takes the place of the
// old one, which is kept.
#include "cli/commands.hpp"
#include "cli/rebuild.hpp"
#include "cli/verify_report.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <fmt/core.h>
#include <memory>

namespace finstream {

namespace {

namespace fs = std::filesystem;

constexpr int most_repairs = 6; // one after the other, each with a look before it

struct options {
  std::string config, data;
  bool repair = false, json = false;
};

// The log, looked at, and held for as long as this lives.
struct examination {
  std::unique_ptr<log_check> log;
  std::unique_ptr<log_judge> judge;
  verdict found;
};

bool events_are_whole(const log_check& log) {
  return std::none_of(log.damage().begin(), log.damage().end(),
                      [](auto& x) { return x.of == topic::events && x.is != log_damage::kind::tail; });
}

// The stages once more, over the log as a node would open it.
void run_again(examination& x) {
  if (!events_are_whole(*x.log)) return void(x.found.not_replayed = "the events are damaged");
  if (!x.log->can_be_opened()) return void(x.found.not_replayed = "the log cannot be opened as it is");
  settings of;
  of.data_directory = x.found.directory;
  auto log = open_for_reading(of);
  if (!log) return void(x.found.not_replayed = log.error().message);
  auto replayed = compare_all(**log, x.found.partitions);
  auto tell = [&](std::string where, std::string why) {
    log_damage out;
    out.is = log_damage::kind::outputs;
    out.where = std::move(where);
    out.why = std::move(why);
    x.log->add(std::move(out));
  };
  if (!replayed) {
    x.found.not_replayed = replayed.error().message;
    if (x.log->damage().empty()) tell("the stages", replayed.error().message);
    return;
  }
  for (auto& line : replayed->told) tell("derived", line);
  if (replayed->differences > replayed->told.size())
    tell("derived", fmt::format("{} differences more", replayed->differences - replayed->told.size()));
  x.found.replayed = std::move(*replayed);
}

expected<examination> examine(const std::string& directory) {
  auto log = log_check::begin(directory);
  if (!log) return tl::unexpected{log.error()};
  examination out{std::move(*log), nullptr, {}};
  out.judge = std::make_unique<log_judge>(*out.log);
  out.found.directory = directory;
  if (out.log->check_files()) {
    out.log->check_records([&](auto where, auto partition, auto& x) { return out.judge->judge(where, partition, x); });
    out.log->check_rows([&](auto table, auto key, auto value) { return out.judge->judge(table, key, value); });
    out.log->check_positions();
    out.found.partitions = out.judge->partitions();
    out.found.is_on_broker = out.judge->is_on_broker();
    out.judge->conclude(*out.log);
    run_again(out);
  } else {
    out.found.not_replayed = "nothing but the files could be looked at";
  }
  out.found.counts = out.log->counts();
  out.found.damage = out.log->damage();
  out.found.untold = out.log->untold();
  return out;
}

// ---- repair

// A name beside the directory that is not taken yet.
std::string beside(const std::string& directory, const char* what) {
  auto plain = fs::absolute(directory).lexically_normal().string();
  while (plain.size() > 1 && plain.back() == '/') plain.pop_back();
  std::error_code error;
  for (int i = 1;; ++i)
    if (auto name = fmt::format("{}.{}-{}", plain, what, i); !fs::exists(name, error)) return name;
}

bool is_of_the_log(const fs::directory_entry& x) {
  std::error_code error;
  auto name = x.path().filename().string();
  auto extension = x.path().extension();
  for (auto* start : {"CURRENT", "IDENTITY", "LOCK", "MANIFEST-", "OPTIONS-", "witness"})
    if (name.starts_with(start)) return true;
  return extension == ".sst" || extension == ".log" || name == "lost";
}

// `fresh` takes the directory's place; what lay beside the log moves over.
expected<std::string> replace(const std::string& directory, const std::string& fresh) {
  if (auto done = exchange_directories(fs::absolute(directory).lexically_normal().string(), fresh); !done)
    return tl::unexpected{done.error()};
  auto kept = beside(directory, "damaged");
  std::error_code error;
  std::vector<fs::path> others;
  for (fs::directory_iterator i{fresh, error}, end; !error && i != end; i.increment(error))
    if (!is_of_the_log(*i)) others.push_back(i->path());
  for (auto& path : others)
    if (!error) fs::rename(path, fs::path{directory} / path.filename(), error);
  if (!error) fs::rename(fresh, kept, error);
  if (error)
    return fail(errc::io_failure,
                fmt::format("{} is repaired, but {} cannot be put aside: {}", directory, fresh, error.message()));
  return kept;
}

// What no repair can bring back, in words; empty where the log holds all its events, or no row is concerned.
std::string lost_rows(const examination& x) {
  auto rows = std::any_of(x.found.damage.begin(), x.found.damage.end(), [](auto& d) { return d.is_of_tables; });
  std::string begins;
  for (int p = 0; rows && p < x.found.partitions; ++p)
    if (auto head = x.log->range(topic::events, static_cast<std::uint16_t>(p)).head; head != 0)
      begins += fmt::format("{} {}/{} at {}", begins.empty() ? "" : ",", to_string(topic::events), p, head);
  if (begins.empty()) return "";
  return fmt::format(
    "\n    bars, features and signals of events that were trimmed cannot be made again, and are lost where they "
    "could not be read. The log begins:{}",
    begins);
}

expected<void> check_room(const std::string& directory, std::uint64_t bytes) {
  std::error_code error;
  auto space = fs::space(fs::absolute(directory).parent_path(), error);
  if (error || space.available > bytes + (bytes >> 3)) return {};
  return fail(errc::disk_full,
              fmt::format("the repair makes a copy of {}: {} MiB are needed beside it and {} MiB are free", directory,
                          (bytes + (bytes >> 3)) >> 20, space.available >> 20));
}

expected<std::string> make_new_list(examination& x) {
  auto& directory = x.found.directory;
  auto fresh = beside(directory, "repairing");
  std::string lost;
  auto undone = [&](failure why) {
    std::error_code ignored;
    fs::remove_all(fresh, ignored);
    return tl::unexpected{std::move(why)};
  };
  if (auto made = copy_with_new_list(directory, fresh); !made) return undone(made.error());
  {
    auto look = examine(fresh);
    if (!look) return undone(look.error());
    if (auto plan = plan_of_copy(*look->log, *look->judge); !plan) return undone(plan.error());
    for (auto& d : look->found.damage)
      if (remedy_for(d) == remedy::none || (d.is == log_damage::kind::tail && d.of && !is_derived(*d.of)))
        return undone(
          {errc::corrupt_record,
           fmt::format("a new list of files would lose what was acknowledged ({}: {}); nothing was changed: "
                       "restore a backup",
                       d.where, d.why)});
  }
  auto kept = replace(directory, fresh);
  if (!kept) return kept;
  return fmt::format("a new list of files was made; the directory as it was is {}{}", *kept, lost);
}

expected<std::string> make_anew(examination& x) {
  auto& directory = x.found.directory;
  if (auto room = check_room(directory, x.found.counts.file_bytes); !room) return tl::unexpected{room.error()};
  auto plan = plan_of_copy(*x.log, *x.judge);
  if (!plan) return tl::unexpected{plan.error()};
  auto fresh = beside(directory, "repairing");
  auto lost = lost_rows(x);
  auto done = x.log->copy(fresh, *plan);
  if (done) done = rebuild(fresh, x.found.partitions);
  if (!done) {
    std::error_code ignored;
    fs::remove_all(fresh, ignored);
    return tl::unexpected{done.error()};
  }
  auto kept = replace(directory, fresh);
  if (!kept) return kept;
  return fmt::format(
    "bars, features, signals and checkpoints were made anew from the events; the directory as it was is "
    "{}: delete it when nothing is missed",
    *kept);
}

expected<std::string> open_once(const std::string& directory) {
  embedded_bus_options options;
  options.directory = directory;
  auto log = open_embedded_bus(options);
  if (!log) return tl::unexpected{log.error()};
  std::string out = "the log was opened as a node opens it";
  for (auto& note : (*log)->recovery().notes) out += "\n    " + note;
  return out;
}

std::string waiting_entries(const log_check& log, int partitions) {
  std::uint64_t entries = 0;
  for (int p = 0; p < partitions; ++p)
    for (auto where : {topic::events_buffer, topic::outputs_buffer}) {
      auto range = log.range(where, static_cast<std::uint16_t>(p));
      entries += range.next - range.head;
    }
  return entries == 1 ? "1 entry" : fmt::format("{} entries", entries);
}

expected<std::string> repair_once(examination& x) {
  auto directory = x.found.directory;
  if (x.found.needs(remedy::none))
    return fail(errc::corrupt_record, "nothing was changed: what cannot be mended comes first");
  if (x.found.needs(remedy::current))
    return write_current(directory).map(
      [](const std::string& name) { return "CURRENT was written anew: it names " + name; });
  // What is made anew here would be in no stream.
  if (x.found.is_for_the_broker())
    return fail(
      errc::incompatible,
      fmt::format("nothing was changed: the log of {} is on a broker. Move the directory away, and the node makes "
                  "it anew from the streams; what waits in it for the broker ({}) is in the old one only",
                  directory, waiting_entries(*x.log, x.found.partitions)));
  if (x.found.needs(remedy::new_list)) return make_new_list(x);
  if (x.found.needs(remedy::rebuild)) return make_anew(x);
  x.log.reset(); // its lock
  return open_once(directory);
}

int repair(const options& o, examination first) {
  auto x = std::move(first);
  for (int i = 0; i < most_repairs && !x.found.is_sound(); ++i) {
    auto done = repair_once(x);
    if (!done) return report(done.error());
    if (!o.json) fmt::print("repair: {}\n", *done);
    std::fflush(stdout);
    auto directory = x.found.directory;
    x = examination{};
    auto again = examine(directory);
    if (!again) return report(again.error()), 2;
    x = std::move(*again);
  }
  (o.json ? print_verdict_json : print_verdict)(x.found);
  return x.found.is_sound() ? 0 : 1;
}

int verify(const options& o) {
  auto directory = o.data;
  if (directory.empty()) {
    auto config = settings_from(o.config);
    if (!config) return report(config.error()), 2;
    directory = config->data_directory;
  }
  auto found = examine(directory);
  if (!found) return report(found.error()), 2;
  if (o.repair && !found->found.is_sound()) {
    if (!o.json) print_verdict(found->found);
    std::fflush(stdout);
    return repair(o, std::move(*found));
  }
  (o.json ? print_verdict_json : print_verdict)(found->found);
  return found->found.is_sound() ? 0 : 1;
}

} // namespace

void add_verify(CLI::App& app, chosen_command& chosen) {
  auto o = std::make_shared<options>();
  auto* verb = app.add_subcommand("verify", "Look for damage in a data directory that no node uses, and repair it");
  add_config_option(*verb, o->config);
  verb->add_option("--data", o->data, "The data directory, if it is not that of the config")->type_name("DIR");
  verb->add_flag(
    "--repair", o->repair,
    "Mend what can be mended: make anew what follows from the events, cut a torn tail. The directory as it "
    "was is kept beside it");
  verb->add_flag("--json", o->json, "Say it as one JSON object");
  verb->footer(
    "Checks every file, record, row, position and checkpoint, then runs the stages again over all events and\n"
    "compares what they make with what is stored. Without --repair nothing is written. docs/recovery.md says\n"
    "what each finding means.\n"
    "Exit code 0: sound; 1: damage; 2: it cannot be looked at.\n"
    "Examples:\n  finstream verify --config config/demo.yaml\n"
    "  finstream verify --data /var/lib/finstream --repair");
  verb->callback([o, &chosen] { chosen = [o] { return verify(*o); }; });
}

} // namespace finstream
