// Backwards: from a signal or a bar to the events it was made of. Forwards is lineage_forward.cpp.
#include "actors/lineage.hpp"

#include "actors/lineage_reach.hpp"
#include "actors/log_entries.hpp"
#include "messages/value/excerpt.hpp"
#include "runtime/store/bar_store.hpp"
#include "runtime/store/feature_store.hpp"
#include "runtime/store/signal_store.hpp"

#include <algorithm>

namespace finstream {

namespace {

// What one question carries along.
struct question {
  const bus& log;
  const lineage_limits& limits;
  lineage_log events;
  std::size_t room; // events that may still be shown

  question(const bus& of, std::uint32_t partitions, const lineage_limits& most)
    : log{of}, limits{most}, events{of, partitions, most.read_bytes}, room{most.events} {}
};

// Adds the events of a bar that are in this partition; false if not all of the range could be looked at.
expected<bool> collect_events(question& q, const logged_rules* rules, bar_lineage& out) {
  expected<void> outcome;
  auto full = false;
  auto& x = out.what;
  auto walked = q.events.walk(out.partition, x.first_offset, x.last_offset, [&](const record& entry) {
    if (entry.kind != record_kind::events && entry.kind != record_kind::backfill) return true;
    auto read = to_log_entry(entry);
    if (!read) return outcome = tl::unexpected{read.error()}, false;
    auto& batch = (*read)->events;
    for (std::size_t row = 0; row < batch->rows.size(); ++row) {
      logged_event event{out.partition, entry.offset + row, entry.log_ts, batch, row};
      if (event.offset < x.first_offset || event.offset > x.last_offset || !is_event_of(event, x, rules)) continue;
      if (q.room == 0) return full = true, false;
      --q.room;
      out.events.push_back(std::move(event));
    }
    return true;
  });
  if (!walked) return walked;
  if (!outcome) return tl::unexpected{outcome.error()};
  return *walked && !full;
}

// The events of a bar, where they are still in the log.
expected<void> explain_bar(question& q, const logged_rules* rules, bar_lineage& out) {
  auto& x = out.what;
  for (auto partition : q.events.partitions_of(x.symbol)) {
    out.partition = partition;
    auto range = q.events.range(partition);
    if (!range) return tl::unexpected{range.error()};
    auto complete = collect_events(q, rules, out);
    if (!complete) return tl::unexpected{complete.error()};
    if (auto added = q.events.add_lines(partition, out.events); !added) return added;
    if (x.first_offset < range->head)
      out.missing = "events before offset " + std::to_string(range->head) + " are trimmed from the log";
    else if (!*complete)
      out.missing = q.room == 0
                      ? "an answer shows " + std::to_string(q.limits.events) + " events at most"
                      : "an answer reads " + std::to_string(q.limits.read_bytes >> 20) + " MiB of the log at most";
    if (!out.events.empty() || !out.missing.empty()) break;
  }
  if (out.missing.empty() && out.events.size() != x.trades)
    out.missing = "the bar counts " + std::to_string(x.trades) + " events, the log has " +
                  std::to_string(out.events.size()) +
                  " that are its own: some of them were rejected, or the log is not this bar's";
  return {};
}

// The last start record before the signal's newest event is the one in force, unless the log was told other rules
// before the bar closed: then one of the next has the rule. A hash is of all of a rule, so whoever has it has its text,
// the newest checkpoint too.
expected<std::optional<logged_rules>> find_rules(question& q, const signal& x, std::uint16_t partition) {
  auto before = q.events.rules_at(partition, x.last_offset);
  if (!before || x.adapter != rules_adapter) return before;
  if (*before && (*before)->rule_of(x.maker) != nullptr) return before;
  auto ahead = q.events.rules_ahead(partition, x.last_offset, x.maker);
  if (!ahead || *ahead) return ahead;
  auto newest = q.events.newest_rules(partition);
  if (newest && *newest && (*newest)->rule_of(x.maker) != nullptr) return newest;
  return before;
}

void explain_rule(signal_lineage& out, const std::optional<logged_rules>& rules) {
  auto& x = out.what;
  if (rules) out.rule = rule_behind(x, *rules);
  if (!out.rule)
    out.notes.push_back(rules ? "the rule of this hash is not in " + rules->found_in
                              : "the rule's text is not found: the start record that has it is trimmed, or too far "
                                "back in the log");
}

expected<void> explain_model(question& q, signal_lineage& out) {
  auto found = q.events.answer_behind(out.partition, out.what);
  if (!found) return tl::unexpected{found.error()};
  out.model = std::move(*found);
  if (!out.model)
    out.notes.push_back("it was made by the model " + excerpt(out.what.adapter) +
                        ", whose answer is not found: it is trimmed, or too far ahead in the log");
  return {};
}

expected<void> explain_features(question& q, signal_lineage& out) {
  auto& x = out.what;
  feature_query series;
  series.symbol = x.symbol, series.provider = x.provider, series.interval = x.interval;
  auto found = find_features(q.log, series, x.bar_start);
  if (!found) return tl::unexpected{found.error()};
  out.features = std::move(*found);
  if (!out.features)
    out.notes.push_back("the feature vector is not in the store");
  else if (out.features->revision > 0)
    out.notes.push_back("the feature vector was revised after the signal was made: what the signal saw are its inputs");
  return {};
}

// The close that the oldest of the used features is compared with, where that is of a bar before the inputs.
expected<void> find_compared_bar(question& q, signal_lineage& out, const logged_rules* rules) {
  auto& x = out.what;
  if (!out.features) return {};
  auto compares = std::any_of(out.features->values.begin(), out.features->values.end(), [&](auto& value) {
    return is_used(x, out.rule, value) && compares_with_bar_before(value, rules) &&
           (out.bars.empty() || value.window_start <= out.bars.front().what.start);
  });
  if (!compares) return {};
  bar_query query;
  query.symbol = x.symbol, query.provider = x.provider, query.interval = x.interval;
  query.to = x.inputs_start;
  // Bars are seldom missing, so the one before is looked for in longer and longer stretches.
  std::optional<bar> found;
  for (nanoseconds back = x.interval; !found; back *= 64) {
    auto is_last = back > second * 86'400 * 30;
    query.from = is_last ? earliest : query.to - back;
    auto scanned = scan_bars(q.log, query, [&](const bar& b) { return found = b, true; });
    if (!scanned) return scanned;
    if (is_last) break;
  }
  if (!found) return {};
  bar_lineage one;
  one.what = std::move(*found);
  one.is_compared = true;
  out.bars.insert(out.bars.begin(), std::move(one));
  return {};
}

// A series has one bar an interval, so the newest are those of the last intervals.
expected<void> find_bars(question& q, signal_lineage& out) {
  auto& x = out.what;
  bar_query query;
  query.symbol = x.symbol, query.provider = x.provider, query.interval = x.interval;
  query.from = x.inputs_start, query.to = x.ts;
  auto most = static_cast<nanoseconds>(q.limits.bars);
  if (x.interval > 0 && (query.to.ns - query.from.ns) / x.interval > most) {
    query.from = query.to - most * x.interval;
    out.truncated = true;
    out.notes.push_back("of the inputs, which begin at " + to_string(x.inputs_start) + ", only bars from " +
                        to_string(query.from) + " on are shown");
  }
  return scan_bars(q.log, query, [&](const bar& b) {
    out.bars.emplace_back().what = b;
    return true;
  });
}

} // namespace

expected<signal_lineage> lineage_of_signal(const bus& log, std::uint32_t partitions, const lineage_limits& limits,
                                           const std::string& signal_id) {
  question q{log, partitions, limits};
  auto found = find_signal(log, signal_id);
  if (!found) return tl::unexpected{found.error()};
  if (!*found)
    return fail(errc::not_found, "there is no signal \"" + excerpt(signal_id) +
                                   "\"; `finstream signals` and /v1/signals?symbol=SPY list those there are");
  signal_lineage out;
  out.what = std::move(**found);
  out.partition = q.events.partitions_of(out.what.symbol).front();
  auto rules = find_rules(q, out.what, out.partition);
  if (!rules) return tl::unexpected{rules.error()};
  auto* known = *rules ? &**rules : nullptr;
  if (out.what.adapter == rules_adapter)
    explain_rule(out, *rules);
  else if (auto done = explain_model(q, out); !done)
    return tl::unexpected{done.error()};
  if (auto done = explain_features(q, out); !done) return tl::unexpected{done.error()};
  if (auto done = find_bars(q, out); !done) return tl::unexpected{done.error()};
  if (!out.truncated)
    if (auto done = find_compared_bar(q, out, known); !done) return tl::unexpected{done.error()};
  // The newest first: where the limits are reached, what is left out is the oldest.
  for (auto x = out.bars.rbegin(); x != out.bars.rend(); ++x) {
    if (auto done = explain_bar(q, known, *x); !done) return tl::unexpected{done.error()};
    out.truncated |= !x->missing.empty() && (q.room == 0 || q.events.is_exhausted());
  }
  if (!out.bars.empty()) out.partition = out.bars.back().partition;
  auto revised = std::count_if(out.bars.begin(), out.bars.end(), [](auto& x) { return x.what.revision > 0; });
  if (revised != 0)
    out.notes.push_back(std::to_string(revised) + " of the bars are revised: the store has each as it is now");
  return out;
}

expected<bar_lineage> lineage_of_bar(const bus& log, std::uint32_t partitions, const lineage_limits& limits,
                                     const bar_name& name) {
  question q{log, partitions, limits};
  bar_query query;
  query.symbol = name.symbol, query.provider = name.provider, query.interval = name.interval;
  query.from = name.start, query.to = name.start + 1;
  std::optional<bar> found;
  if (auto scanned = scan_bars(log, query, [&](const bar& x) { return found = x, false; }); !scanned)
    return tl::unexpected{scanned.error()};
  if (!found)
    return fail(errc::not_found, "there is no bar " + excerpt(to_string(name)) +
                                   "; `finstream bars` lists those of a symbol, `finstream bars --list` the series");
  bar_lineage out;
  out.what = std::move(*found);
  auto rules = q.events.rules_at(q.events.partitions_of(name.symbol).front(), out.what.last_offset);
  if (!rules) return tl::unexpected{rules.error()};
  if (auto done = explain_bar(q, *rules ? &**rules : nullptr, out); !done) return tl::unexpected{done.error()};
  return out;
}

// ---- names of bars

bar_name name_of(const bar& x) { return {x.provider, x.symbol, x.interval, x.start}; }

std::string to_string(const bar_name& x) {
  return x.provider + "/" + x.symbol + "/" + span_to_string(x.interval) + "/" + to_string(x.start);
}

expected<bar_name> parse_bar_name(const std::string& text) {
  auto wrong = [&](const std::string& why) {
    return fail(errc::invalid_argument, "\"" + excerpt(text) + "\" names no bar: " + why +
                                          "; it is PROVIDER/SYMBOL/INTERVAL/START, such as "
                                          "nyse/SPY/1s/2026-11-21T13:00:00Z");
  };
  auto provider_end = text.find('/'), start = text.rfind('/');
  auto interval = start == std::string::npos || start == 0 ? std::string::npos : text.rfind('/', start - 1);
  if (interval == std::string::npos || provider_end >= interval) return wrong("it has fewer than four parts");
  auto span = parse_span(text.substr(interval + 1, start - interval - 1));
  if (!span) return wrong(span.error().message);
  auto time = parse_timestamp_or_day(text.substr(start + 1));
  if (!time) return wrong(time.error().message);
  return bar_name{text.substr(0, provider_end), text.substr(provider_end + 1, interval - provider_end - 1), *span,
                  *time};
}

} // namespace finstream
