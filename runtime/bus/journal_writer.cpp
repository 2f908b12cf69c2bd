#include "runtime/bus/journal_writer.hpp"

#include "messages/planted.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <utility>

namespace finstream {

namespace {
constexpr std::size_t batch_bytes = 1u << 20; // of blocks, that are brought to the broker at once
} // namespace

journal_writer::journal_writer(const bus& local, journal_id id, std::string stream, std::uint64_t log_id, framing how,
                               flow_rules flow)
  : local_{local}, id_{id}, stream_{std::move(stream)}, log_id_{log_id}, how_{how}, flow_{std::move(flow)} {}

expected<void> journal_writer::meet(broker& to) {
  met_ = false;
  if (auto open = to.open_stream(stream_); !open) return open;
  auto ends = to.ends(stream_);
  if (!ends) return tl::unexpected{ends.error()};
  auto range = local_.range(buffer_of(id_.side), id_.partition);
  if (!range) return tl::unexpected{range.error()};
  auto stop = [&](errc code, const std::string& why) {
    return fail(code, fmt::format("stream {} of the broker: {}", stream_, why));
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
  found_entry found{true};
  if (ends->last && ends->last->transaction > range->head) {
    auto looked = look_at_last(to, *ends->last);
    if (!looked) return tl::unexpected{looked.error()};
    found = *looked;
  }
  if (!found.is_ours)
    return stop(errc::conflict, fmt::format("its entry {} is not the one that was written here: another node writes to "
                                            "it; let one write, and give the other an empty data directory",
                                            ends->last->transaction));
  last_ = ends->last;
  begun_bytes_ = ends->last_is_whole ? 0 : found.block_bytes;
  shipped_ = planted(fault::forgotten_is_not_sent_again) ? std::max(has, shipped_) : has;
  met_ = true;
  return {};
}

expected<bool> journal_writer::ends_there(broker& to) const {
  return to.ends(stream_).map([this](const stream_ends& ends) { return ends.last == last_; });
}

// The last entry there and the one that is here. All before it are the same, for each was published behind the one
// before it.
expected<journal_writer::found_entry> journal_writer::look_at_last(broker& to, message_number last) const {
  message_number before{last.transaction - 1, std::numeric_limits<std::uint32_t>::max()};
  auto there = to.read(stream_, before, last.part + std::size_t{1}, most_block_bytes * 4);
  auto here = local_.read(buffer_of(id_.side), id_.partition, last.transaction - 1, 1);
  if (!there) return tl::unexpected{there.error()};
  if (!here) return tl::unexpected{here.error()};
  found_entry out;
  if (here->empty()) return out; // begun by another, and not by this one
  auto& block = here->front().payload;
  auto mine = show_events(block);
  auto next = mine.begin();
  message_reader reader;
  for (auto& x : *there) {
    auto whole = reader.add(x);
    if (whole && *whole) return found_entry{**whole == block, block.size()}; // whatever the framing was then
    if (block.empty()) continue;                                             // given up, whatever there is of it
    if (x.type == block_type) {
      if (block.compare(out.block_bytes, x.body.size(), x.body) != 0) return out;
      out.block_bytes += x.body.size();
    } else { // some may have been left out
      next = std::find_if(next, mine.end(), [&](auto& y) { return y.json == x.body; });
      if (next == mine.end()) return out;
      ++next;
    }
  }
  out.is_ours = true;
  return out;
}

expected<published_batch> journal_writer::ship(broker& to, std::uint64_t until) {
  published_batch out{.side = id_.side};
  if (shipped_ >= until) return out;
  auto records = local_.read(buffer_of(id_.side), id_.partition, shipped_, batch_bytes);
  if (!records) return tl::unexpected{records.error()};
  std::vector<broker_message> messages;
  auto limit = to.capabilities().max_message_bytes;
  for (auto& x : *records) {
    if (x.offset >= until) break;
    ++out.entries;
    out.bytes += x.payload.size();
    out.events += events_of_block(x.payload).value_or(0);
    add_messages(messages, x.offset + 1, x.payload, limit, out);
  }
  if (auto sent = send(to, messages, out.entries); !sent) return tl::unexpected{sent.error()};
  return out;
}

expected<published_batch> journal_writer::publish(broker& to, const std::vector<std::string>& blocks) {
  published_batch out{.side = id_.side};
  std::vector<broker_message> messages;
  auto limit = to.capabilities().max_message_bytes;
  for (auto& x : blocks) {
    ++out.entries;
    out.bytes += x.size();
    out.events += events_of_block(x).value_or(0);
    add_messages(messages, shipped_ + out.entries, x, limit, out);
  }
  if (auto sent = send(to, messages, out.entries); !sent) return tl::unexpected{sent.error()};
  return out;
}

expected<void> journal_writer::send(broker& to, const std::vector<broker_message>& messages, std::uint64_t entries) {
  auto done = to.publish(stream_, last_, messages);
  if (!done && !planted(fault::silence_is_taken_for_yes)) return done;
  last_ = messages.back().number;
  shipped_ += entries;
  return {};
}

// Those of an entry that are not in the stream yet. Of one that was broken off only the rest of its block is sent.
void journal_writer::add_messages(std::vector<broker_message>& to, std::uint64_t number, const std::string& block,
                                  std::size_t limit, published_batch& count) {
  auto has_begun = last_ && last_->transaction == number;
  auto part = has_begun ? last_->part + 1 : 0;
  if (block.empty()) { // what was begun there was given up
    to.push_back(void_message({number, part}, log_id_));
    return;
  }
  auto rest = std::string_view{block}.substr(has_begun ? begun_bytes_ : 0);
  auto beside = has_begun || how_ == framing::block ? std::vector<shown_event>{} : shown(block, count);
  for (auto& x : to_messages(number, log_id_, rest, std::move(beside), limit)) {
    x.number.part += part;
    to.push_back(std::move(x));
  }
}

// ---- flow

void journal_writer::feel(std::uint64_t waiting_bytes) {
  if (flow_.policy == overflow_policy::delay) return;
  is_slow_ = waiting_bytes > (is_slow_ ? flow_.slow_bytes / 2 : flow_.slow_bytes);
  is_full_ = waiting_bytes > flow_.drop_bytes;
  if (!is_slow_) seen_.clear();
}

// For other programs, as many as there is room for.
std::vector<shown_event> journal_writer::shown(const std::string& block, published_batch& count) {
  auto out = show_events(block);
  if (!is_slow_ && !is_full_) return out;
  auto is_left_out = [&](const shown_event& x) {
    if (std::find(flow_.types.begin(), flow_.types.end(), x.type) == flow_.types.end()) return false;
    return is_full_ || seen_[x.type]++ % static_cast<std::uint64_t>(flow_.keep_one_in) != 0;
  };
  count.left_out += std::erase_if(out, is_left_out);
  return out;
}

} // namespace finstream
