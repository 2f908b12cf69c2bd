#include "runtime/bus/shipper.hpp"

#include "messages/planted.hpp"
#include "runtime/bus/journal_copy.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace finstream {

namespace {

constexpr std::size_t counting_bytes = 1u << 20; // of the buffer, that are read at once
constexpr nanoseconds trim_interval = 5 * second;

} // namespace

shipper::shipper(bus& local, std::uint64_t log_id, const broker_link_options& options, std::unique_ptr<broker> to,
                 std::vector<journal_id> journals)
  : local_{local}, options_{options}, to_{std::move(to)} {
  chance_.seed(static_cast<std::minstd_rand::result_type>(options.seed + 1));
  for (auto id : journals) {
    auto stream = stream_of(options_, id);
    auto& in = lanes_.emplace(id, lane{{local, id, stream, log_id, options.how, options.flow}, stream, 0, 0, {}, {}})
                 .first->second;
    if (auto range = local_.range(buffer_of(id.side), id.partition)) in.written = range->next, in.shipped = range->head;
    in.unsent = count(id, in.shipped, in.written);
  }
}

shipper::~shipper() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard guard{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void shipper::start() {
  thread_ = std::thread{[this] { run(); }};
}

void shipper::run() {
  while (true) {
    auto due = step();
    std::unique_lock guard{mutex_};
    auto has_work = [this] { return stopping_ || has_news_; };
    // What is new does not shorten a pause: the broker is down, or the log is in trouble.
    if (!due)
      changed_.wait_for(guard, std::chrono::nanoseconds{trim_interval}, has_work);
    else if (*due > 0)
      changed_.wait_for(guard, std::chrono::nanoseconds{*due}, [this] { return stopping_; });
    if (stopping_) return;
    has_news_ = false;
  }
}

std::optional<nanoseconds> shipper::step() {
  if (!state()) return std::nullopt;
  if (auto connected = connect(); !connected) return fail_over(connected.error());
  auto waiting = buffer_now();
  // What is derived refers to events: its end is looked at first, so that all it refers to goes before it.
  std::map<journal_id, std::uint64_t> until;
  for (auto i = lanes_.rbegin(); i != lanes_.rend(); ++i) {
    auto range = local_.range(buffer_of(i->first.side), i->first.partition);
    if (!range) return fail_over(range.error());
    until[i->first] = range->next;
  }
  if (auto safe = make_durable(until); !safe) return fail_over(safe.error());
  bool is_more = false;
  if (planted(fault::outputs_go_first))
    for (auto i = lanes_.rbegin(); i != lanes_.rend(); ++i)
      if (auto more = ship(i->second, until[i->first]); !more) return fail_over(more.error());
  for (auto& [id, in] : lanes_) {
    auto had = in.writer.shipped();
    auto more = ship(in, durable_[id]);
    if (more) more = in.writer.shipped() < until[id];
    if (!more && more.error().code == errc::conflict && !std::exchange(asks_again_, true)) {
      forget(); // the stream does not end where it did: it may have forgotten something, and so may the others
      return 0;
    }
    if (!more) return fail_over(more.error());
    if (in.writer.shipped() > had) came_up(waiting); // one that answers may still refuse what it is sent
    asks_again_ = false;
    is_more = is_more || *more;
    if (*more && id.side == journal_side::events) return 0;
  }
  came_up(waiting);
  if (is_more) return 0;
  if (auto now = options_.time->monotonic(); now - trimmed_at_ >= trim_interval) {
    if (auto known = look_again(); !known) return fail_over(known.error());
    if (!std::ranges::all_of(lanes_, [](auto& x) { return x.second.writer.has_met(); })) return 0;
    trimmed_at_ = now;
    trim_buffers();
    trim_streams();
  }
  return std::nullopt;
}

// What the broker has is on this disk, too, whatever happens to the machine: else it could start without, while the
// broker is away, and go on as another log; and a feed's resume point, which is in the journal of one partition, could
// be with the broker before events of another that it passes over, and these be gone. One sync serves all journals, and
// what is written meanwhile waits for the next.
expected<void> shipper::make_durable(const std::map<journal_id, std::uint64_t>& until) {
  auto waits = [&](auto& x) { return x.second.writer.shipped() < until.at(x.first); };
  auto is_next = [&](auto& x) { return waits(x) && x.second.writer.shipped() >= durable_[x.first]; };
  if (options_.syncs_first && !planted(fault::broker_goes_first)) {
    if (std::ranges::none_of(lanes_, is_next)) return {};
    if (auto synced = local_.sync(); !synced) return synced;
  }
  durable_ = until;
  return {};
}

// ---- the broker's side

expected<void> shipper::connect() {
  if (lanes_.empty()) return to_->health(); // nothing to bring: whether it could be
  for (auto& [id, in] : lanes_) {
    if (in.writer.has_met()) continue;
    if (auto met = meet(id, in); !met) return met;
  }
  return {};
}

// Where a stream ends is to be asked anew.
void shipper::forget() {
  for (auto& [id, in] : lanes_) in.writer.forget();
}

// While nothing is written, nothing else tells that the broker has forgotten something. Before what it had is let go
// here, it is asked.
expected<void> shipper::look_again() {
  for (auto& [id, in] : lanes_) {
    auto ends = in.writer.ends_there(*to_);
    if (!ends) return tl::unexpected{ends.error()};
    if (!*ends) forget();
  }
  return {};
}

// Where to go on. Sets `trouble_` where there is no way.
expected<void> shipper::meet(journal_id id, lane& in) {
  auto met = in.writer.meet(*to_);
  if (!met && (met.error().code == errc::conflict || met.error().code == errc::trimmed)) {
    log::error("bus", "{}; nothing more is published, and nothing more is taken", met.error().message);
    std::lock_guard guard{mutex_};
    trouble_ = met.error();
  }
  if (!met) return met;
  auto had = in.shipped, has = in.writer.shipped();
  auto changed = count(id, std::min(had, has), std::max(had, has)); // not under the lock: it may be much
  if (has < had)
    log::warning("bus", "the broker had acknowledged {} entries of {} and has {}: it is sent the rest again", had,
                 in.stream, has);
  std::lock_guard guard{mutex_};
  in.shipped = has;
  if (has < had) {
    in.acknowledged.clear();
    buffer_.sent_again += had - has;
    in.unsent.bytes += changed.bytes, in.unsent.events += changed.events;
  } else {
    in.unsent.bytes -= std::min(changed.bytes, in.unsent.bytes);
    in.unsent.events -= std::min(changed.events, in.unsent.events);
  }
  if (in.shipped >= in.written) in.unsent = {}; // whatever could not be counted
  return {};
}

// In entries of the buffer.
shipper::amount shipper::count(journal_id id, std::uint64_t from, std::uint64_t until) const {
  amount out;
  while (from < until) {
    auto records = local_.read(buffer_of(id.side), id.partition, from, counting_bytes);
    if (!records || records->empty()) break; // shipping them will say why
    for (auto& x : *records)
      if (x.offset < until) out.bytes += x.payload.size(), out.events += events_of_block(x.payload).value_or(0);
    from = records->back().next();
  }
  return out;
}

// One batch. Whether there is more.
expected<bool> shipper::ship(lane& in, std::uint64_t until) {
  if (in.writer.shipped() >= until) return false;
  auto began = options_.time->monotonic();
  in.writer.feel(unsent_bytes());
  auto done = in.writer.ship(*to_, until);
  if (!done) return tl::unexpected{done.error()};
  done->took = options_.time->monotonic() - began;
  options_.on_published(*done);
  std::lock_guard guard{mutex_};
  in.shipped = in.writer.shipped();
  in.unsent.bytes -= std::min(in.unsent.bytes, done->bytes);
  in.unsent.events -= std::min(in.unsent.events, done->events);
  if (in.shipped >= in.written) in.unsent = {};
  buffer_.shipped_events += done->events;
  changed_.notify_all();
  return in.shipped < until;
}

std::optional<nanoseconds> shipper::fail_over(const failure& why) {
  bool was_up = false;
  {
    std::lock_guard guard{mutex_};
    was_up = std::exchange(up_, false);
    if (was_up || !was_tried_) down_since_ = options_.time->monotonic();
    if (was_up) ++buffer_.outages;
    forget();
    changed_.notify_all();
  }
  if (was_up || !std::exchange(was_tried_, true))
    tell(false, fmt::format("the broker does not take what it is sent: {}{}", why.message,
                            state() ? ". Until it does, all is kept here" : ""));
  warn_of_size();
  if (!state()) return std::nullopt;
  return next_pause();
}

// Once, until it has gone down to half of that.
void shipper::warn_of_size() {
  auto bytes = unsent_bytes();
  auto limit = options_.buffer_alert_bytes;
  if (bytes < limit / 2) warned_ = false;
  if (limit == 0 || bytes < limit || std::exchange(warned_, true)) return;
  tell(false, fmt::format("{} bytes wait for the broker (bus.buffer.alert_bytes is {}); at {} nothing more is taken",
                          bytes, limit, options_.buffer_max_bytes));
}

// Full jitter: any part of a pause that doubles.
nanoseconds shipper::next_pause() {
  auto longest =
    std::min<std::int64_t>(options_.retry_max_ms, std::int64_t{options_.retry_initial_ms} << std::min(attempts_++, 20));
  return 1 + std::uniform_int_distribution<nanoseconds>{0, longest * millisecond}(chance_);
}

void shipper::came_up(const buffer_state& waiting) {
  std::string message;
  {
    std::lock_guard guard{mutex_};
    attempts_ = 0;
    if (std::exchange(up_, true)) return;
    if (!std::exchange(was_tried_, true)) return; // it was never away
    message =
      fmt::format("the broker is back after {} s; {} entries with {} events, {} bytes, wait for it and go first",
                  (options_.time->monotonic() - down_since_) / second, waiting.entries, waiting.events, waiting.bytes);
  }
  tell(true, std::move(message));
}

void shipper::tell(bool up, std::string message) {
  up ? log::info("bus", "{}", message) : log::warning("bus", "{}", message);
  options_.on_change({up, std::move(message)});
}

// ---- what is no longer needed

// Entries that the broker has, but for those that it has acknowledged in the last while: it may yet forget them.
void shipper::trim_buffers() {
  auto now = options_.time->monotonic();
  auto is_old = [&](const auto& x) { return now - x.first >= options_.buffer_keep_ms * millisecond; };
  for (auto& [id, in] : lanes_) {
    in.acknowledged.emplace_back(now, in.shipped);
    while (in.acknowledged.size() > 1 && is_old(in.acknowledged[1])) in.acknowledged.pop_front();
    if (planted(fault::buffer_is_trimmed_early)) in.acknowledged.front() = {0, in.written};
    if (!is_old(in.acknowledged.front())) continue;
    if (auto trimmed = trim_buffer(local_, id, in.acknowledged.front().second, options_.time->now()); !trimmed)
      log::warning("bus", "the buffer of {} cannot be trimmed: {}", in.stream, trimmed.error().message);
  }
}

void shipper::trim_streams() {
  if (options_.keep_entries == 0) return;
  for (auto& [id, in] : lanes_) {
    if (in.shipped <= options_.keep_entries) continue;
    if (auto done = to_->trim(in.stream, {in.shipped - options_.keep_entries + 1, 0}); !done)
      log::warning("bus", "stream {} cannot be trimmed: {}", in.stream, done.error().message);
  }
}

// ---- the log's side

void shipper::written(journal_id where, std::uint64_t number, std::uint64_t bytes, std::uint32_t events) {
  {
    std::lock_guard guard{mutex_};
    auto& in = lanes_.at(where);
    in.written = std::max(in.written, number);
    if (number > in.shipped) in.unsent.bytes += bytes, in.unsent.events += events; // else it was brought before this
    has_news_ = true;
  }
  changed_.notify_all();
}

bool shipper::wait_for(journal_id where, std::uint64_t number, nanoseconds patience) {
  std::unique_lock guard{mutex_};
  auto& in = lanes_.at(where);
  changed_.wait_for(guard, std::chrono::nanoseconds{patience},
                    [&] { return in.shipped >= number || (was_tried_ && !up_) || stopping_; });
  return in.shipped >= number;
}

void shipper::wait_for_all(nanoseconds patience) {
  std::unique_lock guard{mutex_};
  auto is_shipped = [](const auto& x) { return x.second.shipped >= x.second.written; };
  changed_.wait_for(guard, std::chrono::nanoseconds{patience},
                    [&] { return std::all_of(lanes_.begin(), lanes_.end(), is_shipped) || !up_ || stopping_; });
}

expected<void> shipper::state() const {
  std::lock_guard guard{mutex_};
  if (trouble_) return tl::unexpected{*trouble_};
  return {};
}

// Under the lock.
buffer_state shipper::sum() const {
  auto out = buffer_;
  out.up = up_;
  for (auto& [id, in] : lanes_) {
    out.entries += in.written - std::min(in.written, in.shipped);
    out.bytes += in.unsent.bytes;
    out.events += in.unsent.events;
  }
  return out;
}

buffer_state shipper::buffer_now() const {
  std::lock_guard guard{mutex_};
  return sum();
}

std::uint64_t shipper::unsent_bytes() const { return buffer_now().bytes; }

buffer_state shipper::buffer() const {
  buffer_state out;
  std::map<journal_id, std::uint64_t> shipped;
  {
    std::lock_guard guard{mutex_};
    out = sum();
    for (auto& [id, in] : lanes_)
      if (in.written > in.shipped) shipped[id] = in.shipped;
  }
  for (auto& [id, from] : shipped)
    if (auto first = local_.read(buffer_of(id.side), id.partition, from, 1); first && !first->empty())
      out.oldest = std::min(out.oldest.value_or(first->front().log_ts), first->front().log_ts);
  return out;
}

} // namespace finstream
