// Reading a topic: numbers grow with offsets, so the place of a number is looked for once, and gone on from.
#include "runtime/broker/kafka_broker.hpp"
#include "runtime/broker/rules.hpp"

#include <algorithm>
#include <limits>

namespace finstream {

namespace {

// The least number that may follow. Who reads behind a whole transaction names the highest part there can be.
message_number next_after(message_number x) {
  if (x.part == std::numeric_limits<std::uint32_t>::max()) return {x.transaction + 1, 0};
  return {x.transaction, x.part + 1};
}

} // namespace

expected<void> kafka_broker::scan(stream_state& in, std::int64_t from, std::int64_t until,
                                  const std::function<bool(placed_message)>& each) {
  return in.reading.read(session_, in.topic, from, until, [&](const rd_kafka_message_t& record) -> expected<bool> {
    auto x = kafka_messages::message_of(record);
    if (!x) return tl::unexpected{x.error()};
    return !x->counts || each(std::move(*x));
  });
}

expected<std::optional<kafka_broker::placed_message>> kafka_broker::first_at(stream_state& in, std::int64_t from,
                                                                             std::int64_t until) {
  std::optional<placed_message> out;
  auto looked = scan(in, from, until, [&](placed_message x) {
    out = std::move(x);
    return false;
  });
  return looked ? expected<std::optional<placed_message>>{std::move(out)} : tl::unexpected{looked.error()};
}

expected<std::vector<broker_message>> kafka_broker::read(const std::string& stream, std::optional<message_number> after,
                                                         std::size_t limit, std::size_t limit_bytes) {
  return counted(stream, [&](stream_state& from) { return read_some(stream, from, after, limit, limit_bytes); });
}

expected<std::vector<broker_message>> kafka_broker::read_some(const std::string& stream, stream_state& from,
                                                              std::optional<message_number> after, std::size_t limit,
                                                              std::size_t limit_bytes) {
  std::vector<broker_message> out;
  if (limit == 0) return out;
  auto end = session_.offset(from.topic, RD_KAFKA_OFFSET_END);
  if (!end) return tl::unexpected{end.error()};
  auto at = from.read_next;
  if (!after) {
    auto first = session_.offset(from.topic, RD_KAFKA_OFFSET_BEGINNING);
    if (!first) return tl::unexpected{first.error()};
    at = *first;
  } else if (from.read_behind != after || at > *end) {
    auto found = start_behind(stream, from, *after);
    if (!found) return tl::unexpected{found.error()};
    if (!*found) return out;
    at = **found;
  }
  std::size_t bytes = 0;
  from.read_behind.reset();
  auto done = scan(from, at, *end, [&](placed_message x) {
    bytes += x.what.body.size();
    from.read_next = x.offset + 1;
    out.push_back(std::move(x.what));
    return out.size() < limit && bytes < limit_bytes;
  });
  if (!done) return tl::unexpected{done.error()};
  if (out.empty()) from.read_next = *end; // all that came counts for nobody
  auto read = out.size();
  if (auto whole = broker_rules::cut_at_hole(stream, after, out); !whole) return tl::unexpected{whole.error()};
  if (out.size() == read) from.read_behind = out.empty() ? after : out.back().number;
  statistics_.read += out.size();
  return out;
}

expected<std::optional<std::int64_t>> kafka_broker::start_behind(const std::string& stream, stream_state& in,
                                                                 message_number after) {
  using found = std::optional<std::int64_t>;
  auto end = find_end(in);
  if (!end) return tl::unexpected{end.error()};
  if (!end->last || *end->last <= after) return found{};
  auto at = first_from(in, next_after(after), *end);
  if (!at) return tl::unexpected{at.error()};
  if (*at >= end->next) return broker_rules::all_trimmed(stream, after);
  return found{*at};
}

expected<stream_ends> kafka_broker::ends(const std::string& stream) {
  return counted(stream, [&](stream_state& in) -> expected<stream_ends> {
    auto end = find_end(in);
    if (!end) return tl::unexpected{end.error()};
    auto at = session_.offset(in.topic, RD_KAFKA_OFFSET_BEGINNING);
    if (!at) return tl::unexpected{at.error()};
    auto first = first_at(in, *at, end->next);
    if (!first) return tl::unexpected{first.error()};
    stream_ends out;
    if (*first) out.first = (*first)->what.number;
    out.last = end->last;
    out.last_is_whole = end->is_whole;
    out.log_id = end->log_id;
    out.messages = static_cast<std::uint64_t>(end->next - *at);
    return out;
  });
}

expected<std::int64_t> kafka_broker::first_from(stream_state& in, message_number wanted, const stream_end& end) {
  auto first = session_.offset(in.topic, RD_KAFKA_OFFSET_BEGINNING);
  if (!first) return tl::unexpected{first.error()};
  auto low = *first, high = end.next;
  // Whether the message at an offset, or the next that counts, is there yet; nothing is past the end.
  auto is_reached = [&](std::int64_t offset) -> expected<bool> {
    auto x = first_at(in, offset, end.next);
    if (!x) return tl::unexpected{x.error()};
    return !*x || (*x)->what.number >= wanted;
  };
  std::optional<std::int64_t> guess;
  if (end.last && end.last->transaction >= wanted.transaction) {
    auto distance = std::min(end.last->transaction - wanted.transaction + 1, static_cast<std::uint64_t>(end.next));
    guess = std::clamp(end.next - static_cast<std::int64_t>(distance), low, high);
  }
  return broker_rules::first_reached(low, high, guess, is_reached);
}

} // namespace finstream
