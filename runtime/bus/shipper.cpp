#include "runtime/bus/shipper.hpp"

#include "runtime/log/log.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

namespace finstream {

namespace {

constexpr std::size_t batch_bytes = 1u << 20; // of blocks, that are brought to the broker at once
constexpr nanoseconds trim_interval = 5 * second;

std::uint32_t events_in(std::string_view block) { return events_of_block(block).value_or(0); }

} // namespace

shipper::shipper(bus& local, std::uint64_t log_id, const broker_link_options& options, std::unique_ptr<broker> to,
                 std::vector<journal_id> journals)
  : local_{local}, log_id_{log_id}, options_{options}, to_{std::move(to)} {
  chance_.seed(static_cast<std::minstd_rand::result_type>(options.seed + 1));
  for (auto id : journals) {
    auto& in = lanes_[id];
    in.stream = stream_of(options_, id);
    if (auto range = local_.range(buffer_of(id.side), id.partition)) in.written = range->next, in.shipped = range->head;
    count_unsent(id, in);
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
  came_up();
  // What is derived refers to events: its end is looked at first, so that all it refers to goes before it.
  std::map<journal_id, std::uint64_t> until;
  for (auto i = lanes_.rbegin(); i != lanes_.rend(); ++i) {
    auto range = local_.range(buffer_of(i->first.side), i->first.partition);
    if (!range) return fail_over(range.error());
    until[i->first] = range->next;
  }
  bool is_more = false;
  for (auto& [id, in] : lanes_) {
    auto more = ship(id, in, until[id]);
    if (!more && more.error().code == errc::conflict && !std::exchange(asks_again_, true)) {
      in.is_known = false; // it does not end where it did: it may have forgotten something
      return 0;
    }
    if (!more) return fail_over(more.error());
    asks_again_ = false;
    is_more = is_more || *more;
    if (*more && id.side == journal_side::events) return 0;
  }
  if (is_more) return 0;
  if (auto now = options_.time->monotonic(); now - trimmed_at_ >= trim_interval) {
    trimmed_at_ = now;
    trim_buffers();
    trim_streams();
  }
  return std::nullopt;
}

// ---- the broker's side

expected<void> shipper::connect() {
  for (auto& [id, in] : lanes_) {
    if (in.is_known) continue;
    if (auto open = to_->open_stream(in.stream); !open) return open;
    if (auto known = reconcile(id, in); !known) return known;
  }
  return {};
}

// Where to go on. Sets `trouble_` where there is no way.
expected<void> shipper::reconcile(journal_id id, lane& in) {
  auto ends = to_->ends(in.stream);
  if (!ends) return tl::unexpected{ends.error()};
  auto range = local_.range(buffer_of(id.side), id.partition);
  if (!range) return tl::unexpected{range.error()};
  auto stop = [&](errc code, const std::string& why) -> expected<void> {
    std::lock_guard guard{mutex_};
    trouble_ = failure{code, fmt::format("stream {} of the broker: {}", in.stream, why)};
    log::error("bus", "{}; nothing more is published, and nothing more is taken", trouble_->message);
    return tl::unexpected{*trouble_};
  };
  if (ends->last && ends->log_id != log_id_)
    return stop(errc::conflict, "it holds another log; give this one streams of its own");
  std::uint64_t has = !ends->last ? 0 : ends->last->transaction - (ends->last_is_whole ? 0 : 1);
  if (has > range->next)
    return stop(errc::conflict, fmt::format("it has {} entries and this log has {}: another node writes to it, or has; "
                                            "let one write, and start this one again to have it catch up",
                                            has, range->next));
  if (has < range->head)
    return stop(errc::trimmed,
                fmt::format("it has {} entries, {} were acknowledged, and only those from {} on are still here; "
                            "restore the broker, or go on with new streams and an empty data directory",
                            has, range->head, range->head + 1));
  auto ours =
    !ends->last || ends->last->transaction <= range->head ? expected<bool>{true} : is_ours(id, in, *ends->last);
  if (!ours) return tl::unexpected{ours.error()};
  if (!*ours)
    return stop(errc::conflict, fmt::format("its entry {} is not the one that was written here: another node writes to "
                                            "it; let one write, and give the other an empty data directory",
                                            ends->last->transaction));
  std::lock_guard guard{mutex_};
  if (has < in.shipped) {
    buffer_.sent_again += in.shipped - has;
    log::warning("bus", "the broker had acknowledged {} entries of {} and has {}: it is sent the rest again",
                 in.shipped, in.stream, has);
  }
  in.last = ends->last;
  in.is_known = true;
  if (std::exchange(in.shipped, has) != has) count_unsent(id, in);
  return {};
}

// Whether the last entry there is the one that is here. All before it were, for each was published behind the one
// before it.
expected<bool> shipper::is_ours(journal_id id, const lane& in, message_number last) {
  message_number before{last.transaction - 1, std::numeric_limits<std::uint32_t>::max()};
  auto there = to_->read(in.stream, before, last.part + std::size_t{1}, most_block_bytes * 4);
  auto here = local_.read(buffer_of(id.side), id.partition, last.transaction - 1, 1);
  if (!there) return tl::unexpected{there.error()};
  if (!here) return tl::unexpected{here.error()};
  if (here->front().payload.empty()) return true; // given up, whatever there is of it
  std::vector<broker_message> mine;
  add_messages(mine, here->front(), std::nullopt);
  message_reader reader;
  for (std::size_t i = 0; i < there->size(); ++i) {
    auto& x = (*there)[i];
    auto whole = reader.add(x);
    if (whole && *whole) return **whole == here->front().payload; // whatever the framing was then
    if (i >= mine.size() || mine[i].body != x.body) return false;
  }
  return true;
}

// After the broker had more or less than was thought; while the log is opened.
void shipper::count_unsent(journal_id id, lane& in) const {
  in.bytes = in.events = 0;
  for (auto at = in.shipped; at < in.written;) {
    auto records = local_.read(buffer_of(id.side), id.partition, at, batch_bytes);
    if (!records || records->empty()) return; // shipping them will say why
    for (auto& x : *records) in.bytes += x.payload.size(), in.events += events_in(x.payload);
    at = records->back().next();
  }
}

// One batch. Whether there is more.
expected<bool> shipper::ship(journal_id id, lane& in, std::uint64_t until) {
  if (in.shipped >= until) return false;
  auto records = local_.read(buffer_of(id.side), id.partition, in.shipped, batch_bytes);
  if (!records) return tl::unexpected{records.error()};
  std::vector<broker_message> messages;
  std::uint64_t bytes = 0, events = 0;
  for (auto& x : *records) {
    bytes += x.payload.size();
    events += events_in(x.payload);
    add_messages(messages, x, in.last);
  }
  auto began = options_.time->monotonic();
  if (auto done = to_->publish(in.stream, in.last, messages); !done) return tl::unexpected{done.error()};
  options_.on_published({id.side, records->size(), events, bytes, options_.time->monotonic() - began});
  std::lock_guard guard{mutex_};
  in.last = messages.back().number;
  in.shipped += records->size();
  in.bytes -= std::min(in.bytes, bytes);
  in.events -= std::min(in.events, events);
  buffer_.shipped_events += events;
  changed_.notify_all();
  return in.shipped < until;
}

// Those of an entry that are not in the stream yet.
void shipper::add_messages(std::vector<broker_message>& to, const record& entry,
                           std::optional<message_number> last) const {
  auto number = entry.offset + 1;
  if (entry.payload.empty()) { // what was begun there was given up
    auto part = last && last->transaction == number ? last->part + 1 : 0;
    to.push_back(void_message({number, part}, log_id_));
    return;
  }
  std::vector<shown_event> shown;
  if (options_.how == framing::event) shown = show_events(entry.payload);
  auto limit = to_->capabilities().max_message_bytes;
  for (auto& x : to_messages(number, log_id_, entry.payload, std::move(shown), limit))
    if (!last || x.number > *last) to.push_back(std::move(x));
}

std::optional<nanoseconds> shipper::fail_over(const failure& why) {
  bool was_up = false;
  {
    std::lock_guard guard{mutex_};
    was_up = std::exchange(up_, false);
    if (was_up || !was_tried_) down_since_ = options_.time->monotonic();
    if (was_up) ++buffer_.outages;
    for (auto& [id, in] : lanes_) in.is_known = false;
    changed_.notify_all();
  }
  if (was_up || !std::exchange(was_tried_, true))
    tell(false,
         fmt::format("the broker does not take what it is sent: {}. Until it does, all is kept here", why.message));
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

void shipper::came_up() {
  std::string message;
  {
    std::lock_guard guard{mutex_};
    attempts_ = 0;
    if (std::exchange(up_, true)) return;
    if (!std::exchange(was_tried_, true)) return; // it was never away
    auto waiting = sum();
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

// Entries that the broker has, but for those of the last while: it may yet forget them. One stays always: it says when
// the next may be.
void shipper::trim_buffers() {
  for (auto& [id, in] : lanes_) {
    auto where = buffer_of(id.side);
    timestamp until{options_.time->now().ns - options_.buffer_keep_ms * millisecond};
    auto keep = local_.offset_at(where, id.partition, until);
    std::unique_lock guard{mutex_};
    auto written = in.written, shipped = in.shipped;
    guard.unlock();
    if (written == 0) continue;
    auto trimmed = keep ? local_.trim(where, id.partition, std::min({*keep, shipped, written - 1}))
                        : expected<std::uint64_t>{tl::unexpected{keep.error()}};
    if (!trimmed) log::warning("bus", "the buffer of {} cannot be trimmed: {}", in.stream, trimmed.error().message);
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
    in.bytes += bytes;
    in.events += events;
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
    out.bytes += in.bytes;
    out.events += in.events;
  }
  return out;
}

std::uint64_t shipper::unsent_bytes() const {
  std::lock_guard guard{mutex_};
  return sum().bytes;
}

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
