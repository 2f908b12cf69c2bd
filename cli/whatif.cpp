// finstream whatif: other rules over the log as it is. The log is gone over in a side lane, through the stages that a
// node would use, with the rules of another file in the place of those it was told; what comes is compared with the
// signals that were published. Nothing is written.
#include "cli/commands.hpp"
#include "cli/stage_rules.hpp"

#include "actors/log_bases.hpp"
#include "actors/stages.hpp"
#include "messages/codec/json.hpp"
#include "messages/codec/msgpack.hpp"
#include "runtime/clock/clock.hpp"

#include <CLI/CLI.hpp>

#include <fmt/core.h>
#include <map>
#include <memory>
#include <tuple>

namespace finstream {

namespace {

constexpr std::size_t read_bytes = 4u << 20;

// A rule says one thing of a series at a time; which rule it was counts by its name, since its hash is what changes.
using signal_name = std::tuple<timestamp, std::string, std::string, std::string>; // ts, provider, symbol, name
using signals_by_name = std::map<signal_name, signal>;

void add(signals_by_name& to, const std::vector<derived>& items) {
  for (auto& item : items)
    if (auto* x = std::get_if<signal>(&item); x != nullptr && x->adapter == "rules")
      to.insert_or_assign({x->ts, x->provider, x->symbol, x->name}, *x);
}

bool say_the_same(const signal& a, const signal& b) { return a.value == b.value && a.score == b.score; }

struct change {
  const char* what; // "appears", "vanishes", "differs"
  const signal* before;
  const signal* after;
};

struct comparison {
  std::vector<change> changes; // in the order of time
  std::uint64_t same = 0;
};

comparison compare(const signals_by_name& before, const signals_by_name& after) {
  comparison out;
  auto a = before.begin();
  auto b = after.begin();
  while (a != before.end() || b != after.end()) {
    if (b == after.end() || (a != before.end() && a->first < b->first)) {
      out.changes.push_back({"vanishes", &a->second, nullptr});
      ++a;
    } else if (a == before.end() || b->first < a->first) {
      out.changes.push_back({"appears", nullptr, &b->second});
      ++b;
    } else {
      if (say_the_same(a->second, b->second))
        ++out.same;
      else
        out.changes.push_back({"differs", &a->second, &b->second});
      ++a, ++b;
    }
  }
  return out;
}

// Both by log time from `from` on: what was published, and what the other rules give.
struct lanes {
  signals_by_name published, other;
};

expected<void> read_published(const bus& log, std::uint16_t partition, timestamp from, lanes& out) {
  auto range = log.range(topic::signals, partition);
  if (!range) return tl::unexpected{range.error()};
  auto begin = log.offset_at(topic::signals, partition, from);
  if (!begin) return tl::unexpected{begin.error()};
  for (auto offset = std::max(*begin, range->head); offset < range->next;) {
    auto records = log.read(topic::signals, partition, offset, read_bytes);
    if (!records) return tl::unexpected{records.error()};
    for (auto& r : *records) {
      auto items = derived_from_msgpack(r.payload);
      if (!items) return tl::unexpected{items.error()};
      add(out.published, *items);
      offset = r.next();
    }
  }
  return {};
}

// From the log's beginning on, so that windows and edges are what they would have been.
expected<void> run_other(const bus& log, std::uint16_t partition, timestamp from, const stage_rules& rules,
                         lanes& out) {
  auto range = log.range(topic::events, partition);
  if (!range) return tl::unexpected{range.error()};
  partition_stages stages;
  auto aside = set_aside_records::load(log, partition);
  if (!aside) return tl::unexpected{aside.error()};
  stages.leave_out(std::move(*aside));
  if (range->head != 0) {
    auto base = load_base(log, partition, range->head);
    if (!base) return tl::unexpected{base.error()};
    if (auto loaded = stages.load(base->second); !loaded) return loaded;
    if (auto changed = stages.obey(rules); !changed) return changed;
  }
  std::uint64_t dealt_with = range->next; // a node that was stopped may have more in its log than it has made of it
  if (auto saved = log.get(stage_table, dealt_with_key(partition)); saved && *saved)
    dealt_with = offset_from_text(**saved);
  for (auto offset = range->head; offset < dealt_with;) {
    auto records = log.read(topic::events, partition, offset, read_bytes);
    if (!records) return tl::unexpected{records.error()};
    if (records->empty()) break;
    for (auto& r : *records) {
      offset = r.next();
      if (r.offset >= dealt_with) break;
      if (stages.leaves_out(r.offset)) continue;
      auto entry = to_log_entry(std::move(r));
      if (!entry) return tl::unexpected{entry.error()};
      auto own = **entry;
      own.rules.features = rules.features, own.rules.signals = rules.signals;
      auto step = stages.apply(own);
      if (!step) return tl::unexpected{step.error()};
      if (step->log_ts >= from) add(out.other, step->signals);
    }
  }
  return {};
}

std::string line_of(const change& x) {
  auto& some = x.after != nullptr ? *x.after : *x.before;
  auto number = [](const signal* s) {
    std::string out = "-";
    if (s != nullptr) out.clear(), append_json_double(out, s->value), out += "/", append_json_double(out, s->score);
    return out;
  };
  return fmt::format("{:<9} {:<24} {:<12} {:<12} {:<20} {:>8} -> {}", x.what, to_string(some.ts), some.symbol,
                     some.provider, some.name, number(x.before), number(x.after));
}

std::string json_of(const change& x) {
  std::string out = R"({"change":")" + std::string{x.what} + R"(","before":)";
  x.before != nullptr ? append_signal_json(out, *x.before, "") : void(out += "null");
  out += R"(,"after":)";
  x.after != nullptr ? append_signal_json(out, *x.after, "") : void(out += "null");
  return out + "}";
}

struct options {
  std::string config, rules, last, format = "table";
};

int whatif(const options& o) {
  auto config = settings_from(o.config);
  if (!config) return report(config.error());
  config->inference.rules.enabled = true;
  config->inference.rules.file = o.rules;
  auto rules = make_stage_rules(*config);
  if (!rules) return report(rules.error());
  auto log = open_for_reading(*config);
  if (!log) return report(log.error());
  auto from = earliest;
  if (!o.last.empty()) {
    auto span = parse_span(o.last);
    if (!span) return report({span.error().code, "--last: " + span.error().message});
    from = system_clock().now() - *span;
  }
  lanes all;
  for (int p = 0; p < config->partitions; ++p) {
    auto partition = static_cast<std::uint16_t>(p);
    if (auto read = read_published(**log, partition, from, all); !read) return report(read.error());
    if (auto run = run_other(**log, partition, from, *rules, all); !run) return report(run.error());
  }
  auto found = compare(all.published, all.other);
  std::map<std::string_view, std::uint64_t> counts;
  for (auto& x : found.changes) {
    fmt::print("{}\n", o.format == "json" ? json_of(x) : line_of(x));
    ++counts[x.what];
  }
  if (o.format != "json")
    fmt::print("{} signals were published, {} would be: {} appear, {} vanish, {} differ, {} stay\n",
               all.published.size(), all.other.size(), counts["appears"], counts["vanishes"], counts["differs"],
               found.same);
  return 0;
}

} // namespace

void add_whatif(CLI::App& app, chosen_command& chosen) {
  auto o = std::make_shared<options>();
  auto* verb = app.add_subcommand("whatif", "Which signals other rules would have given, over the log as it is");
  add_config_option(*verb, o->config);
  verb->add_option("--rules", o->rules, "The file of rules to try")->required()->type_name("FILE");
  verb->add_option("--last", o->last, "Only of this time until now, such as 6h; without it, all that the log holds");
  verb->add_option("--format", o->format, "table, or json: an object a line")
    ->check(CLI::IsMember({"table", "json"}))
    ->capture_default_str();
  verb->footer("The windows of features are those of the config. Nothing is written.\nExample:\n"
               "  finstream whatif --config config/demo.yaml --rules new.yaml --last 6h");
  verb->callback([o, &chosen] { chosen = [o] { return whatif(*o); }; });
}

} // namespace finstream
