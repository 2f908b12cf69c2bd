#include "actors/healer.hpp"

#include "messages/codec/msgpack.hpp"
#include "messages/planted.hpp"
#include "runtime/log/log.hpp"
#include "runtime/store/bar_store.hpp"

#include <algorithm>

namespace finstream {

namespace {
constexpr std::size_t windows_of_piece = 2000;          // what is healed at once: about a mebibyte of results
constexpr std::size_t most_gathered_events = 2'000'000; // in memory for that, at 72 bytes each
constexpr std::size_t most_taken_over = 20'000;         // at once: about a mebibyte of names
} // namespace

expected<void> healer::recover() {
  auto owed = load_owed(log_, partition_);
  if (!owed) return tl::unexpected{owed.error()};
  owed_ = std::move(*owed);
  auto range = log_.range(topic::events, partition_);
  if (!range) return tl::unexpected{range.error()};
  taken_next_ = healed_next_ = range->next; // what was written may not have been looked at
  return {};
}

// ---- events that are posted

expected<intake> healer::look_at(const event_batch& posted, const bar_rules& rules) {
  intake out;
  auto followed = spans_.follow();
  if (!followed) return tl::unexpected{followed.error()};
  if (!*followed) return out.is_behind = true, out;
  auto range = log_.range(topic::events, partition_);
  if (!range) return tl::unexpected{range.error()};
  stretches times;
  for (auto& row : posted.rows) times.add(row.src_ts, row.src_ts + 1);
  gathered_events known;
  auto gathered = spans_.visit(times, [&](const log_entry& entry) {
    for (std::size_t i = 0; i < entry.events->rows.size(); ++i)
      if (times.holds(entry.events->rows[i].src_ts)) known.add(*entry.events, entry.events->rows[i], entry.offset + i);
  });
  if (!gathered) return tl::unexpected{gathered.error()};
  known.put_in_order();
  auto fresh = std::make_shared<event_batch>(posted);
  fresh->rows.clear();
  std::set<std::pair<std::uint32_t, std::pair<timestamp, std::int64_t>>> in_this_post;
  for (auto& row : posted.rows) {
    auto& key = (*posted.keys)[row.key];
    auto there = known.find(key, row.src_ts, row.seq);
    auto is_new = !there && in_this_post.insert({row.key, {row.src_ts, row.seq}}).second;
    if (!is_new) ++out.duplicates;
    if (!is_new && !(there && spans_.came_late(*there))) continue;
    std::set<window_name> mine;
    touch(mine, rules, key, row);
    auto cut = false;
    for (auto& window : mine) {
      if (range->head == 0) break;
      auto published = published_bar(window);
      if (!published) return tl::unexpected{published.error()};
      cut = cut || (*published && (*published)->first_offset < range->head);
    }
    if (cut) {
      out.trimmed_from = out.trimmed == 0 ? row.src_ts : std::min(out.trimmed_from, row.src_ts);
      out.trimmed_to = out.trimmed == 0 ? row.src_ts : std::max(out.trimmed_to, row.src_ts);
      ++out.trimmed;
      continue;
    }
    out.touched.merge(mine);
    if (is_new) fresh->rows.push_back(row);
  }
  if (!fresh->rows.empty()) out.fresh = std::move(fresh);
  return out;
}

lane_part healer::part_of(const intake& x, std::vector<dead_letter> letters) const {
  lane_part out;
  out.events = x.fresh;
  out.dead_letters = std::move(letters);
  for (auto& window : x.touched)
    if (!owed_.contains(window)) out.owed.push_back(owed_write(partition_, window));
  return out;
}

void healer::on_taken(const intake& x, std::uint64_t next) {
  for (auto& window : x.touched) owed_[window].looked_at.reset();
  if (x.touched.empty()) return;
  taken_next_ = next;
  nothing_due_at_.reset();
  is_done_ = false;
}

// ---- healing

// True if there is one. A checkpoint that cannot be used is one that the window will replace.
expected<bool> healer::read_checkpoint() {
  auto saved = log_.get(stage_table, snapshot_key(partition_));
  if (!saved) return tl::unexpected{saved.error()};
  if (!*saved) return false;
  auto [offset, states] = unpack_snapshot(**saved);
  if (offset == checkpoint_at_ && stage_) return true;
  auto stage = bar_stage::load(states.window);
  if (!stage) return false;
  features_.reset(), signals_.reset();
  if (!states.features.empty()) {
    auto loaded = feature_stage::load(states.features);
    if (!loaded) return false;
    features_ = loaded->rules();
  }
  if (!states.inference.empty()) {
    auto loaded = rule_stage::load(states.inference);
    if (!loaded) return false;
    signals_ = loaded->book();
  }
  stage_ = std::move(*stage);
  checkpoint_at_ = offset;
  return true;
}

// What is posted gives the stages a beginning of their own for a source that was never live: until they have seen it,
// they may know nothing of it, or hold it for at rest. Where they still do not then, no source has this name any more.
healer::hold healer::hold_of(const window_name& x) const {
  auto now = stage_->settled(x.provider);
  auto is_seen = checkpoint_at_ >= taken_next_;
  if (now.until != earliest && x.end() <= now.until) return hold::settled;
  if (stage_->withheld(x)) return hold::taken;
  if (is_seen && !stage_->knows(x.provider)) return hold::settled;
  if (!is_seen || !now.at_rest) return hold::live;
  return planted(fault::rest_is_taken_for_the_end) ? hold::settled : hold::rests;
}

// A window that was taken over and has live events is left until its source has closed it: half of it is no bar.
bool healer::is_due(const window_name& x, const owed_window& state) const {
  auto held = hold_of(x);
  if (held == hold::settled) return is_made(x) || checkpoint_at_ >= taken_next_; // the rules may be new
  if (held != hold::taken || state.looked_at == stage_->withheld(x)->count) return false;
  auto now = stage_->settled(x.provider);
  return now.at_rest || x.end() <= now.closed_until;
}

bool healer::is_made(const window_name& x) const {
  auto& intervals = stage_->rules().intervals;
  return stage_->knows(x.provider) && std::find(intervals.begin(), intervals.end(), x.interval) != intervals.end();
}

// A window of an interval, or of a source set, that is no more is only let go.
void healer::piece::add(const window_name& x, bool is_made) {
  windows.insert(x);
  if (!is_made) return;
  times.add(x.start, x.end());
  series.emplace(x.provider, x.symbol);
  if (x.symbol.ends_with(".BID") || x.symbol.ends_with(".ASK"))
    series.emplace(x.provider, x.symbol.substr(0, x.symbol.size() - 4));
}

healer::piece healer::choose(std::size_t most_windows) const {
  piece out;
  for (auto& [window, state] : owed_) {
    if (!is_due(window, state)) continue;
    if (out.windows.size() == most_windows) break;
    out.add(window, is_made(window));
  }
  return out;
}

// But for those that may have more events than can be in memory: the lane could not make their bars.
expected<healing> healer::take_over() {
  healing out;
  auto followed = spans_.follow();
  if (!followed) return tl::unexpected{followed.error()};
  if (!*followed) return out;
  std::vector<window_name> resting;
  for (auto& [window, state] : owed_)
    if (hold_of(window) == hold::rests && is_made(window)) resting.push_back(window);
  auto& windows = out.part.taken_over.windows;
  windows = spans_.with_at_most(most_gathered_events, resting);
  windows.resize(std::min(windows.size(), most_taken_over));
  is_done_ = windows.empty();
  if (is_done_) nothing_due_at_ = checkpoint_at_;
  return out;
}

// False if that is more than may be in memory. An event that came too late to count live counts now; so it does in all
// of its windows, as every event.
expected<bool> healer::gather(piece& what, gathered_events& events, const intake* posted) const {
  auto& rules = stage_->rules();
  auto use = [&](const event_batch& batch, std::uint64_t offset) {
    std::vector<bool> is_wanted;
    for (auto& key : *batch.keys) is_wanted.push_back(what.series.contains({set_of(rules, key.provider), key.symbol}));
    for (auto& row : batch.rows) {
      auto at = offset++;
      if (!is_wanted[row.key] || !what.times.holds(row.src_ts) || events.size() > most_gathered_events) continue;
      events.add(batch, row, at);
      if (!spans_.came_late(at)) continue;
      std::set<window_name> late;
      touch(late, rules, (*batch.keys)[row.key], row);
      for (auto& window : late)
        if (what.times.covers(window.start, window.end()))
          (posted != nullptr || hold_of(window) >= hold::taken ? what.windows : what.put_off).insert(window);
    }
  };
  auto visited = spans_.visit(what.times, [&](const log_entry& entry) { use(*entry.events, entry.offset); });
  if (!visited) return tl::unexpected{visited.error()};
  if (posted != nullptr && posted->fresh) use(*posted->fresh, spans_.next());
  events.put_in_order();
  return events.size() <= most_gathered_events;
}

expected<healing> healer::heal() {
  is_done_ = owed_.empty();
  if (is_done_) return healing{};
  auto there = read_checkpoint();
  if (!there) return tl::unexpected{there.error()};
  auto dealt_with = log_.get(stage_table, dealt_with_key(partition_));
  if (!dealt_with) return tl::unexpected{dealt_with.error()};
  // What was healed last is in the stores only when the stages have passed it on.
  if (!*there || !*dealt_with || offset_from_text(**dealt_with) < healed_next_) return healing{};
  if (nothing_due_at_ == checkpoint_at_) {
    is_done_ = checkpoint_at_ >= std::max(taken_next_, taken_over_next_);
    return healing{};
  }
  for (auto most = windows_of_piece;; most /= 2) {
    auto what = choose(most);
    if (what.windows.empty()) {
      if (checkpoint_at_ >= std::max(taken_next_, taken_over_next_)) return take_over();
      nothing_due_at_ = checkpoint_at_;
      return healing{};
    }
    auto window = *what.windows.begin();
    auto followed = spans_.follow();
    if (!followed) return tl::unexpected{followed.error()};
    if (!*followed) return healing{};
    gathered_events events;
    auto fits = gather(what, events, nullptr);
    if (!fits) return tl::unexpected{fits.error()};
    if (*fits) return make(what, events);
    if (most > 1) continue;
    log::warning("/lanes/backfill", "{}/{}/{}/{} has more than {} events: it is left as it is", window.provider,
                 window.symbol, span_to_string(window.interval), to_string(window.start), most_gathered_events);
    healing out;
    out.part.owed.push_back(owed_delete(partition_, window));
    out.finished.push_back(window);
    return out;
  }
}

expected<healing> healer::make(const piece& what, const gathered_events& events) const {
  healing out;
  std::map<window_name, bar> made;
  for (auto& x : events.bars(stage_->rules())) made.emplace(window_of(x), std::move(x));
  auto range = log_.range(topic::events, partition_);
  if (!range) return tl::unexpected{range.error()};
  std::vector<bar> of_features;
  for (auto& window : what.windows) {
    if (auto at = made.find(window); at != made.end()) {
      auto published = published_bar(window);
      if (!published) return tl::unexpected{published.error()};
      auto is_cut = *published && ((*published)->first_offset < range->head || lacks_events(at->second, **published));
      auto healed = is_cut ? std::nullopt : healed_bar(at->second, *published, stage_->withheld(window));
      // While it was taken over its vectors were made of what was there, and live bars may have come before it since.
      if (!healed && *published && ((*published)->flags & backfilled) != 0)
        of_features.push_back(std::move(**published));
      if (healed) {
        ++(*published ? out.counts.bars_revised : out.counts.bars_new);
        of_features.push_back(*healed);
        out.part.healed.emplace_back(std::move(*healed));
      }
    }
    if (hold_of(window) == hold::taken) {
      out.kept.push_back({window, {stage_->withheld(window)->count}});
    } else if (owed_.contains(window)) {
      out.part.owed.push_back(owed_delete(partition_, window));
      out.finished.push_back(window);
    }
  }
  for (auto& window : what.put_off) {
    if (!owed_.contains(window)) out.part.owed.push_back(owed_write(partition_, window));
    out.kept.push_back({window, {}});
  }
  if (auto done = heal_features(of_features, out); !done) return tl::unexpected{done.error()};
  return out;
}

void healer::on_healed(const healing& x, std::uint64_t next) {
  if (!x.finished.empty() || !x.kept.empty()) nothing_due_at_.reset();
  for (auto& window : x.finished) owed_.erase(window);
  for (auto& [window, state] : x.kept) owed_[window] = state;
  if (!x.part.healed.empty()) healed_next_ = next;
  if (!x.part.taken_over.windows.empty()) taken_over_next_ = next;
}

expected<healed_counts> healer::would_heal(const intake& x) {
  auto there = read_checkpoint();
  if (!there) return tl::unexpected{there.error()};
  if (!*there) return fail(errc::overloaded, "the node has no checkpoint yet: try again in a few seconds");
  piece what;
  for (auto& window : x.touched) what.add(window, true);
  gathered_events events;
  auto fits = gather(what, events, &x);
  if (!fits) return tl::unexpected{fits.error()};
  if (!*fits) return fail(errc::overloaded, "these windows have too many events to be looked at in one step");
  return make(what, events).map([](const healing& made) { return made.counts; });
}

expected<std::optional<bar>> healer::published_bar(const window_name& x) const {
  bar named;
  named.provider = x.provider, named.symbol = x.symbol, named.interval = x.interval, named.start = x.start;
  auto row = log_.get(bars_table, bar_key(named));
  if (!row) return tl::unexpected{row.error()};
  if (!*row) return std::nullopt;
  auto read = bar_from_msgpack(**row);
  if (!read) return tl::unexpected{read.error()};
  return std::optional{std::move(*read)};
}

} // namespace finstream
