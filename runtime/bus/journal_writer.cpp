#include "runtime/bus/journal_writer.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <utility>

namespace finstream {

namespace {
constexpr std::size_t batch_bytes = 1u << 20; // of blocks, that are brought to the broker at once
} // namespace

journal_writer::journal_writer(const bus& local, journal_id id, std::string stream, std::uint64_t log_id, framing how)
  : local_{local}, id_{id}, stream_{std::move(stream)}, log_id_{log_id}, how_{how} {}

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
  auto ours = !ends->last || ends->last->transaction <= range->head ? expected<bool>{true} : is_ours(to, *ends->last);
  if (!ours) return tl::unexpected{ours.error()};
  if (!*ours)
    return stop(errc::conflict, fmt::format("its entry {} is not the one that was written here: another node writes to "
                                            "it; let one write, and give the other an empty data directory",
                                            ends->last->transaction));
  last_ = ends->last;
  shipped_ = has;
  met_ = true;
  return {};
}

// Whether the last entry there is the one that is here. All before it were, for each was published behind the one
// before it.
expected<bool> journal_writer::is_ours(broker& to, message_number last) const {
  message_number before{last.transaction - 1, std::numeric_limits<std::uint32_t>::max()};
  auto there = to.read(stream_, before, last.part + std::size_t{1}, most_block_bytes * 4);
  auto here = local_.read(buffer_of(id_.side), id_.partition, last.transaction - 1, 1);
  if (!there) return tl::unexpected{there.error()};
  if (!here) return tl::unexpected{here.error()};
  if (here->empty()) return false; // begun by another, and not by this one
  auto& block = here->front().payload;
  auto is_given_up = block.empty(); // whatever there is of it, if it is not whole
  std::vector<broker_message> mine;
  add_messages(mine, last.transaction, block, std::nullopt, to.capabilities().max_message_bytes);
  message_reader reader;
  for (std::size_t i = 0; i < there->size(); ++i) {
    auto& x = (*there)[i];
    auto whole = reader.add(x);
    if (whole && *whole) return **whole == block; // whatever the framing was then
    if (!is_given_up && (i >= mine.size() || mine[i].body != x.body)) return false;
  }
  return true;
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
    add_messages(messages, x.offset + 1, x.payload, last_, limit);
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
    add_messages(messages, shipped_ + out.entries, x, last_, limit);
  }
  if (auto sent = send(to, messages, out.entries); !sent) return tl::unexpected{sent.error()};
  return out;
}

expected<void> journal_writer::send(broker& to, const std::vector<broker_message>& messages, std::uint64_t entries) {
  if (auto done = to.publish(stream_, last_, messages); !done) return done;
  last_ = messages.back().number;
  shipped_ += entries;
  return {};
}

// Those of an entry that are not in the stream yet.
void journal_writer::add_messages(std::vector<broker_message>& to, std::uint64_t number, const std::string& block,
                                  std::optional<message_number> last, std::size_t limit) const {
  if (block.empty()) { // what was begun there was given up
    auto part = last && last->transaction == number ? last->part + 1 : 0;
    to.push_back(void_message({number, part}, log_id_));
    return;
  }
  std::vector<shown_event> shown;
  if (how_ == framing::event) shown = show_events(block);
  for (auto& x : to_messages(number, log_id_, block, std::move(shown), limit))
    if (!last || x.number > *last) to.push_back(std::move(x));
}

} // namespace finstream
