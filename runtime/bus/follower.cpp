#include "runtime/bus/follower.hpp"

#include "runtime/log/log.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace finstream {

namespace {
constexpr nanoseconds trim_interval = 5 * second;
constexpr nanoseconds shortest_pause = millisecond;
// Of one who has found nothing for a while, for each partition: asking costs the broker something, too.
constexpr nanoseconds longest_pause = 5 * millisecond;
constexpr nanoseconds pause_after_failure = 200 * millisecond;
constexpr std::size_t most_messages = 20'000; // of one journal, before others have their turn
} // namespace

follower::follower(bus& local, std::uint64_t log_id, const broker_link_options& options, std::unique_ptr<broker> from,
                   const std::vector<journal_id>& journals)
  : local_{local}, options_{options}, from_{std::move(from)} {
  for (auto id : journals) {
    auto stream = stream_of(options_, id);
    lanes_[id].reset(new lane{{},
                              false,
                              {local, id, stream, log_id, *options_.time},
                              {local, id, stream, log_id, options_.how, options_.flow},
                              nullptr});
  }
}

follower::~follower() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard guard{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void follower::start() {
  if (!lanes_.empty()) thread_ = std::thread{[this] { run(); }};
}

void follower::run() {
  while (true) {
    auto pause = step();
    std::unique_lock guard{mutex_};
    if (changed_.wait_for(guard, std::chrono::nanoseconds{pause}, [this] { return stopping_; })) return;
  }
}

nanoseconds follower::step() {
  auto has_grown = false, was_asked = false, was_refused = false;
  for (auto& [id, in] : lanes_) {
    if (in->claimed) continue; // its writer is here
    std::unique_lock guard{in->mutex};
    if (in->to) continue;
    auto applied = in->copy.catch_up(*from_, most_messages);
    if (!applied && applied.error().code == errc::config_invalid) in->copy.forget();
    guard.unlock();
    if (!applied && is_temporary(applied.error().code)) {
      forget(); // it may come back without what it had
      return pause_ = pause_after_failure;
    }
    was_asked = true;
    if (!applied) {
      was_refused = was_refused || applied.error().code == errc::config_invalid;
      note_trouble(applied.error());
      continue;
    }
    if (*applied == 0) continue;
    has_grown = true;
    options_.on_grown(id);
  }
  if (was_asked && !was_refused) note_access();
  if (options_.time->monotonic() - trimmed_at_ >= trim_interval) trim();
  if (was_refused) return pause_ = pause_after_failure;
  auto longest = longest_pause * std::max(1, options_.partitions);
  return pause_ = has_grown ? shortest_pause : std::clamp(pause_ * 2, shortest_pause, longest);
}

// One that does not let this process in may do so again; what is wrong with a stream stays so.
void follower::note_trouble(const failure& why) {
  auto may_mend = why.code == errc::config_invalid;
  std::lock_guard guard{mutex_};
  if (trouble_ && may_mend && trouble_->code != why.code) return; // there is worse
  if (!trouble_ || trouble_->code != why.code)
    log::error("bus", "{}; {}", why.message, may_mend ? "it is tried again" : "nothing more is taken from there");
  trouble_ = why;
}

void follower::note_access() {
  std::lock_guard guard{mutex_};
  if (!trouble_ || trouble_->code != errc::config_invalid) return;
  log::info("bus", "the broker lets this process in again");
  trouble_.reset();
}

void follower::forget() {
  for (auto& [id, in] : lanes_) {
    if (in->claimed) continue;
    std::lock_guard guard{in->mutex};
    in->copy.forget();
  }
}

void follower::trim() {
  trimmed_at_ = options_.time->monotonic();
  timestamp until{options_.time->now().ns - options_.buffer_keep_ms * millisecond};
  for (auto& [id, in] : lanes_) {
    std::lock_guard guard{in->mutex};
    auto range = local_.range(buffer_of(id.side), id.partition);
    auto trimmed = range ? trim_buffer(local_, id, range->next, until) : tl::unexpected{range.error()};
    if (trimmed && in->to && options_.keep_entries != 0 && range->next > options_.keep_entries)
      trimmed = in->to->trim(stream_of(options_, id), {range->next - options_.keep_entries + 1, 0});
    if (!trimmed) log::warning("bus", "{} cannot be trimmed: {}", stream_of(options_, id), trimmed.error().message);
  }
}

// ---- what this process writes

expected<void> follower::claim(journal_id id) {
  auto& in = *lanes_.at(id);
  in.claimed = true; // the follower does not keep us waiting
  std::unique_lock guard{in.mutex};
  if (in.to) return {};
  auto to = options_.open_broker();
  if (!to) return in.claimed = false, tl::unexpected{to.error()};
  in.to = std::move(*to);
  in.forget();
  auto applied = regain(in, id);
  if (!applied) in.to.reset(), in.claimed = false;
  guard.unlock();
  if (applied && *applied > 0) options_.on_grown(id);
  return applied.map([](std::uint64_t) {});
}

void follower::release(journal_id id) {
  auto& in = *lanes_.at(id);
  std::lock_guard guard{in.mutex};
  in.to.reset();
  in.forget();
  in.claimed = false;
}

// The stream and the local log are brought to where neither has more than the other, with all the events that the
// outputs were made of. Answers what was applied here.
expected<std::uint64_t> follower::regain(lane& in, journal_id id) {
  auto applied = in.copy.catch_up(*in.to);
  if (!applied) return applied;
  if (in.copy.has_begun()) {
    if (auto ended = in.copy.give_up_there(*in.to); !ended) return tl::unexpected{ended.error()};
    auto given_up = in.copy.catch_up(*in.to);
    if (!given_up) return given_up;
    *applied += *given_up;
  }
  if (auto events = lanes_.find({journal_side::events, id.partition}); events != lanes_.end()) {
    std::lock_guard guard{events->second->mutex};
    events->second->copy.forget();
    auto caught = events->second->copy.catch_up(*in.to);
    events->second->copy.forget(); // it was read by another connection
    if (!caught) return caught;
    if (*caught > 0) options_.on_grown(events->first); // the follower will find nothing new
  }
  if (auto met = in.writer.meet(*in.to); !met) return tl::unexpected{met.error()};
  auto range = local_.range(buffer_of(id.side), id.partition);
  if (!range) return tl::unexpected{range.error()};
  while (in.writer.shipped() < range->next) { // what the broker has forgotten
    if (auto shipped = in.writer.ship(*in.to, range->next); !shipped) {
      in.forget();
      return tl::unexpected{shipped.error()};
    }
  }
  return applied;
}

expected<receipt> follower::write(journal_id id, transaction tx, std::vector<std::string> blocks) {
  auto& in = *lanes_.at(id);
  std::lock_guard guard{in.mutex};
  auto conflict = [&](const char* why) {
    return fail(errc::conflict, fmt::format("stream {} of the broker: {}", stream_of(options_, id), why));
  };
  if (!in.to) return conflict("it is another process that works on this partition");
  if (!in.writer.has_met()) {
    auto applied = regain(in, id);
    if (!applied) return tl::unexpected{applied.error()};
    if (*applied > 0) return conflict("it has entries that were not here; they are now, and are to be looked at first");
  }
  auto began = options_.time->monotonic();
  auto sent = in.writer.publish(*in.to, blocks);
  if (!sent) {
    in.forget();
    return tl::unexpected{sent.error()};
  }
  sent->took = options_.time->monotonic() - began;
  options_.on_published(*sent);
  auto appends = tx.appends.size(), entries = blocks.size();
  auto log_ts = in.copy.next_ts();
  for (auto& x : blocks) tx.appends.push_back(buffer_record(id, log_ts, std::move(x)));
  auto done = local_.write(std::move(tx));
  if (!done) {
    in.forget(); // the stream is ahead of this log, or not
    return done;
  }
  in.copy.pass(entries);
  done->offsets.resize(appends);
  done->level = durability::broker;
  return done;
}

expected<void> follower::state() const {
  std::lock_guard guard{mutex_};
  if (trouble_) return tl::unexpected{*trouble_};
  return {};
}

} // namespace finstream
