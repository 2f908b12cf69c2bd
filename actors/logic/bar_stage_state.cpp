// The bars stage's names (who is in which set, which series there are) and its checkpoint.
#include "actors/logic/bar_stage.hpp"

#include <algorithm>
#include <functional>

namespace finstream {

namespace {
constexpr std::uint64_t state_version = 2;
constexpr std::uint64_t state_version_taken = 3; // the same, and windows that were taken over: written where some were
constexpr std::uint64_t rules_version = 2;
constexpr nanoseconds longest_span = 366 * 86'400 * second; // of an interval, a lateness, a time-out
} // namespace

std::string bar_rules::save() const {
  std::string bytes;
  byte_writer out{bytes};
  out.number(rules_version);
  out.number(intervals.size());
  for (auto x : intervals) out.signed_number(x);
  for (auto x : {clock.allow_late, clock.flush_timeout, clock.resume_grace}) out.signed_number(x);
  out.number(sets.size());
  for (auto& set : sets) {
    out.text(set.name);
    out.number(set.providers.size());
    for (auto& provider : set.providers) out.text(provider);
  }
  out.number(max_open_windows);
  out.number(schema);
  out.number(config_hash);
  out.signed_number(revise_for);
  return bytes;
}

expected<bar_rules> bar_rules::load(std::string_view bytes) {
  bar_rules x;
  byte_reader in{bytes};
  if (in.number() != rules_version)
    return fail(errc::incompatible, "the rules in the log were written by another version");
  x.intervals.resize(in.count(1));
  for (auto& interval : x.intervals) interval = in.signed_number();
  for (auto* span : {&x.clock.allow_late, &x.clock.flush_timeout, &x.clock.resume_grace}) *span = in.signed_number();
  x.sets.resize(in.count(2));
  for (auto& set : x.sets) {
    set.name = in.text();
    set.providers.resize(in.count(1));
    for (auto& provider : set.providers) provider = in.text();
  }
  x.max_open_windows = in.number();
  x.schema = in.number();
  x.config_hash = in.number();
  x.revise_for = in.signed_number();
  auto ascend = std::adjacent_find(x.intervals.begin(), x.intervals.end(), std::greater_equal<>{}) == x.intervals.end();
  auto possible = [](nanoseconds span) { return span >= 0 && span <= longest_span; };
  auto sane = !x.intervals.empty() && x.intervals.front() > 0 && ascend && possible(x.intervals.back()) &&
              possible(x.clock.allow_late) && possible(x.clock.flush_timeout) && possible(x.clock.resume_grace) &&
              possible(x.revise_for) &&
              std::none_of(x.sets.begin(), x.sets.end(), [](auto& set) { return set.providers.empty(); });
  if (!in.done() || !sane) return fail(errc::corrupt_record, "the rules in the log cannot be read");
  return x;
}

bar_stage::target bar_stage::make_target(const series_key& key) {
  target out;
  out.set = find_set(key.provider);
  out.rank = rank_in(sets_[out.set], key.provider);
  return out;
}

std::uint32_t bar_stage::find_set(const std::string& provider) {
  if (auto at = set_of_provider_.find(provider); at != set_of_provider_.end()) return at->second;
  source_set found{provider, {provider}};
  for (auto& set : rules_.sets)
    if (std::find(set.providers.begin(), set.providers.end(), provider) != set.providers.end()) found = set;
  auto index = static_cast<std::uint32_t>(sets_.size());
  auto& state = sets_.emplace_back(set_state{found.name,
                                             found.providers,
                                             source_clock{rules_.clock, found.providers.size()},
                                             earliest,
                                             earliest,
                                             timestamp{std::numeric_limits<std::int64_t>::max()},
                                             {},
                                             {},
                                             earliest,
                                             {},
                                             {},
                                             {},
                                             earliest});
  state.said_until.assign(rules_.intervals.size(), earliest);
  state.longer_open.resize(rules_.intervals.size());
  for (auto& member : found.providers) set_of_provider_[member] = index;
  auto after = [&](const std::string& name, auto other) { return name < sets_[other].name; };
  sets_by_name_.insert(std::upper_bound(sets_by_name_.begin(), sets_by_name_.end(), found.name, after), index);
  return index;
}

std::uint32_t bar_stage::feed_number(const std::string& feed) {
  return feed_numbers_.try_emplace(feed, static_cast<std::uint32_t>(feed_numbers_.size() + 1)).first->second;
}

void bar_stage::note_provider(target& where, const event_batch& batch, const event_row& row) {
  where.feed = current_feed_;
  providers_of_feed_[batch.feed].insert((*batch.keys)[row.key].provider);
}

std::uint32_t bar_stage::rank_in(const set_state& set, const std::string& provider) const {
  return static_cast<std::uint32_t>(std::find(set.providers.begin(), set.providers.end(), provider) -
                                    set.providers.begin());
}

std::int32_t bar_stage::make_series(std::uint32_t set, std::string symbol) {
  series_key key{sets_[set].name, std::move(symbol)};
  if (auto at = series_of_.find(key); at != series_of_.end()) return at->second;
  auto index = static_cast<std::int32_t>(series_.size());
  series_of_[key] = index;
  series_.push_back({std::move(key), set, {}, std::vector<window_list>(rules_.intervals.size())});
  return index;
}

std::string bar_stage::save() const {
  std::string bytes;
  byte_writer out{bytes};
  auto has_taken = std::any_of(sets_.begin(), sets_.end(), [](auto& set) { return !set.taken.empty(); });
  out.number(has_taken ? state_version_taken : state_version);
  out.text(rules_.save());
  out.number(events_);
  out.number(sets_.size());
  for (auto& set : sets_) {
    out.text(set.providers.front()); // finds the set again
    set.clock.save(out);
    for (auto t : {set.accept_from, set.next_boundary, set.first_seen, set.unknown_since, set.revisable_from})
      out.signed_number(t.ns);
    for (auto t : set.said_until) out.signed_number(t.ns);
    out.number(set.holes.size());
    for (auto& h : set.holes) out.signed_number(h.from.ns), out.signed_number(h.to.ns);
    if (!has_taken) continue;
    out.number(set.taken.size());
    for (auto& [window, withheld] : set.taken) {
      out.signed_number(window.start.ns), out.signed_number(window.interval), out.text(window.symbol);
      out.number(withheld.count), out.number(withheld.flags), out.signed_number(withheld.coverage.units);
    }
  }
  out.number(providers_of_feed_.size());
  for (auto& [feed, providers] : providers_of_feed_) {
    out.text(feed);
    out.number(providers.size());
    for (auto& provider : providers) out.text(provider);
  }
  out.number(series_.size());
  for (auto& s : series_) {
    out.number(s.set);
    out.text(s.key.symbol);
    auto save_windows = [&](const window_list& windows) {
      out.number(windows.open.size());
      for (auto& w : windows.open) w.save(out);
      out.number(windows.closed.size());
      for (auto& w : windows.closed) w.content.save(out), out.number(w.revision);
    };
    save_windows(s.grid);
    for (auto& windows : s.longer) save_windows(windows);
  }
  return bytes;
}

expected<bar_stage> bar_stage::load(std::string_view bytes) {
  byte_reader in{bytes};
  auto bad = [](const char* why) { return fail(errc::corrupt_record, std::string{"the checkpoint "} + why); };
  auto version = in.number();
  if (version != state_version && version != state_version_taken)
    return fail(errc::incompatible, "the checkpoint was written by another version");
  auto rules = bar_rules::load(in.text());
  if (!rules) return tl::unexpected{rules.error()};
  bar_stage out{std::move(*rules)};
  out.events_ = in.number();
  for (auto n = in.count(8); n != 0; --n) {
    auto& set = out.sets_[out.find_set(std::string{in.text()})];
    set.clock.load(in);
    if (set.clock.providers() != set.providers.size()) return bad("has another number of sources in a set");
    for (auto* t : {&set.accept_from, &set.next_boundary, &set.first_seen, &set.unknown_since, &set.revisable_from})
      t->ns = in.signed_number();
    for (auto& t : set.said_until) t.ns = in.signed_number();
    set.holes.resize(in.count(2));
    for (auto& h : set.holes) h.from.ns = in.signed_number(), h.to.ns = in.signed_number();
    if (version == state_version) continue;
    for (auto k = in.count(6); k != 0 && in.good(); --k) {
      window_name window{{}, 0, set.name, {}};
      window.start.ns = in.signed_number(), window.interval = in.signed_number(), window.symbol = in.text();
      auto& withheld = set.taken[std::move(window)];
      withheld.count = in.number(), withheld.flags = static_cast<std::uint32_t>(in.number());
      withheld.coverage.units = in.signed_number();
    }
  }
  for (auto n = in.count(2); n != 0 && in.good(); --n) {
    auto& providers = out.providers_of_feed_[std::string{in.text()}];
    for (auto k = in.count(1); k != 0; --k) providers.emplace(in.text());
  }
  for (auto n = in.count(3); n != 0 && in.good(); --n) {
    auto set = in.number();
    if (set >= out.sets_.size()) return bad("names a source that is not there");
    auto index = static_cast<std::uint32_t>(out.make_series(static_cast<std::uint32_t>(set), std::string{in.text()}));
    if (index + 1 != out.series_.size()) return bad("has a series twice");
    auto& s = out.series_[index];
    auto& state = out.sets_[static_cast<std::size_t>(set)];
    auto good = out.load_windows(in, s.grid, index, out.grid_, state.grid_open) &&
                out.load_closed(in, s.grid, index, out.grid_interval_);
    for (std::size_t i = 0; i < s.longer.size(); ++i)
      good = good && out.load_windows(in, s.longer[i], index, out.rules_.intervals[i], state.longer_open[i]) &&
             out.load_closed(in, s.longer[i], index, static_cast<std::int32_t>(i));
    if (!good) return bad("has a window that does not begin where one can");
  }
  if (!in.done()) return bad("is cut, or bytes follow it");
  return out;
}

bool bar_stage::load_windows(byte_reader& in, window_list& windows, std::uint32_t index, nanoseconds span,
                             open_ends& open) {
  windows.open.resize(in.count(48));
  auto previous = std::numeric_limits<std::int64_t>::min();
  for (auto& w : windows.open) {
    w.load(in);
    if (w.start <= previous || w.start % span != 0 || w.start > std::numeric_limits<std::int64_t>::max() - span)
      return false;
    previous = w.start;
    open[w.start + span].push_back(index);
    ++open_windows_;
  }
  return true;
}

bool bar_stage::load_closed(byte_reader& in, window_list& windows, std::uint32_t index, std::int32_t interval) {
  windows.closed.resize(in.count(49));
  if (interval < 0) return windows.closed.empty(); // of a grid that nobody sees, nothing is kept
  window_place where{index, static_cast<std::uint32_t>(interval)};
  auto span = rules_.intervals[where.interval];
  auto previous = std::numeric_limits<std::int64_t>::min();
  for (auto& w : windows.closed) {
    w.content.load(in);
    w.revision = static_cast<std::uint32_t>(in.number());
    auto start = w.content.start;
    if (start <= previous || start % span != 0 || start > std::numeric_limits<std::int64_t>::max() - span) return false;
    previous = start;
    sets_[series_[index].set].closed_ends[start + span].push_back(where);
  }
  return true;
}

} // namespace finstream
