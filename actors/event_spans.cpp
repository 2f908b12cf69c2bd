#include "actors/event_spans.hpp"

#include "runtime/store/letter_store.hpp"

#include <algorithm>

namespace finstream {

namespace {
constexpr std::size_t read_bytes = 4u << 20;
constexpr std::size_t step_bytes = 64u << 20;       // of the log, which takes about a second
constexpr std::size_t span_read_bytes = 128u << 10; // about what is packed of a span
constexpr std::uint64_t events_of_span = 4096;      // 32 bytes for so many: a thousand million events take 8 MB

bool holds_events(record_kind kind) { return kind == record_kind::events || kind == record_kind::backfill; }
} // namespace

expected<bool> event_spans::follow() {
  auto range = log_.range(topic::events, partition_);
  if (!range) return tl::unexpected{range.error()};
  auto aside = set_aside_records::load(log_, partition_);
  if (!aside) return tl::unexpected{aside.error()};
  aside_ = std::move(*aside);
  std::erase_if(spans_, [&](const span& x) { return x.next <= range->head; });
  late_.erase(late_.begin(), std::lower_bound(late_.begin(), late_.end(), range->head));
  auto read = std::size_t{0};
  for (next_ = std::max(next_, range->head); next_ < range->next;) {
    if ((read += read_bytes) > step_bytes) return false;
    auto records = log_.read(topic::events, partition_, next_, read_bytes);
    if (!records) return tl::unexpected{records.error()};
    if (records->empty()) break;
    for (auto& r : *records) {
      next_ = r.next();
      if (!holds_events(r.kind) || aside_.is_unseen(r.offset)) continue;
      auto entry = to_log_entry(std::move(r));
      if (!entry) return tl::unexpected{entry.error()};
      note(**entry);
    }
  }
  return follow_rejected().map([] { return true; });
}

void event_spans::note(const log_entry& entry) {
  auto [first, last] = std::minmax_element(entry.events->rows.begin(), entry.events->rows.end(),
                                           [](auto& a, auto& b) { return a.src_ts < b.src_ts; });
  if (first == entry.events->rows.end()) return;
  auto begins = spans_.empty() || spans_.back().next - spans_.back().offset >= events_of_span;
  if (begins) spans_.push_back({entry.offset, entry.next(), first->src_ts, last->src_ts});
  auto& here = spans_.back();
  here.next = entry.next();
  here.first = std::min(here.first, first->src_ts);
  here.last = std::max(here.last, last->src_ts);
}

expected<void> event_spans::follow_rejected() {
  auto range = log_.range(topic::rejected, partition_);
  if (!range) return tl::unexpected{range.error()};
  for (next_rejected_ = std::max(next_rejected_, range->head); next_rejected_ < range->next;) {
    auto records = log_.read(topic::rejected, partition_, next_rejected_, read_bytes);
    if (!records) return tl::unexpected{records.error()};
    if (records->empty()) break;
    for (auto& r : *records) {
      next_rejected_ = r.next();
      auto letter = read_letter(topic::rejected, partition_, r);
      if (!letter) return tl::unexpected{letter.error()};
      if (letter->what.code != errc::late) continue;
      auto offset = letter->what.cause_offset;
      late_.insert(std::upper_bound(late_.begin(), late_.end(), offset), offset);
    }
  }
  return {};
}

std::vector<window_name> event_spans::with_at_most(std::uint64_t events,
                                                   const std::vector<window_name>& windows) const {
  stretches times;
  for (auto& x : windows) times.add(x.start, x.end());
  std::vector<const span*> near;
  for (auto& x : spans_)
    if (times.meets(x.first, x.last)) near.push_back(&x);
  std::vector<window_name> out;
  const window_name* same = nullptr; // many series share a window's times
  auto fits = true;
  for (auto& window : windows) {
    if (same == nullptr || same->start != window.start || same->interval != window.interval) {
      std::uint64_t count = 0;
      for (auto* x : near)
        if (x->first < window.end() && x->last >= window.start) count += x->next - x->offset;
      fits = count <= events;
    }
    same = &window;
    if (fits) out.push_back(window);
  }
  return out;
}

// Of a span that has been cut, what is left.
expected<void> event_spans::visit(const stretches& times, const std::function<void(const log_entry&)>& visit) const {
  auto range = log_.range(topic::events, partition_);
  if (!range) return tl::unexpected{range.error()};
  for (auto& x : spans_) {
    if (!times.meets(x.first, x.last)) continue;
    for (auto offset = std::max(x.offset, range->head); offset < x.next;) {
      auto records = log_.read(topic::events, partition_, offset, span_read_bytes);
      if (!records) return tl::unexpected{records.error()};
      if (records->empty()) break;
      for (auto& r : *records) {
        offset = r.next();
        if (offset > x.next) break;
        if (!holds_events(r.kind) || aside_.is_unseen(r.offset)) continue;
        auto entry = to_log_entry(std::move(r));
        if (!entry) return tl::unexpected{entry.error()};
        visit(**entry);
      }
    }
  }
  return {};
}

} // namespace finstream
