// Reading a stream of JetStream: its place is looked for once, and then a consumer without a name goes on from there.
#include "runtime/broker/nats_broker.hpp"
#include "runtime/broker/nats_messages.hpp"
#include "runtime/broker/rules.hpp"

#include <algorithm>
#include <limits>

namespace finstream {

using namespace nats_messages;

namespace {

constexpr std::size_t first_read = 16; // messages, until it is known how large they are
constexpr std::size_t fetched_at_once = 500;
constexpr nanoseconds reader_kept = 60 * second; // by the server, after we were last heard of

// The least number that may follow. Who reads behind a whole transaction names the highest part there can be.
message_number next_after(message_number x) {
  if (x.part == std::numeric_limits<std::uint32_t>::max()) return {x.transaction + 1, 0};
  return {x.transaction, x.part + 1};
}

} // namespace

expected<std::vector<broker_message>> nats_broker::read(const std::string& stream, std::optional<message_number> after,
                                                        std::size_t limit, std::size_t limit_bytes) {
  return counted(stream, [&] { return read_some(stream, after, limit, limit_bytes); });
}

expected<std::vector<broker_message>> nats_broker::read_some(const std::string& stream,
                                                             std::optional<message_number> after, std::size_t limit,
                                                             std::size_t limit_bytes) {
  auto& reading = streams_[stream].reading;
  std::vector<broker_message> out;
  std::size_t bytes = 0;
  if (!reading.from || !after || reading.behind != after) {
    auto started = start_reading(stream, after);
    if (!started) return tl::unexpected{started.error()};
    if (!*started) return out;
  }
  for (auto ask_for = first_read; out.size() < limit && (out.empty() || bytes < limit_bytes);) {
    auto some = read_on(reading, std::min(limit - out.size(), ask_for));
    if (!some) return some;
    if (some->empty()) break;
    std::size_t largest = 1;
    for (auto& x : *some) {
      largest = std::max(largest, x.body.size());
      bytes += x.body.size();
      out.push_back(std::move(x));
    }
    ask_for = std::clamp<std::size_t>((limit_bytes - std::min(bytes, limit_bytes)) / largest, 1, fetched_at_once);
  }
  if (out.empty() && limit > 0) {
    reading = {}; // it may be that others have removed what it stands before, or the stream
    auto is_more = start_reading(stream, after);
    if (!is_more) return tl::unexpected{is_more.error()};
  }
  if (auto whole = broker_rules::cut_at_hole(stream, after, out); !whole) return tl::unexpected{whole.error()};
  if (!out.empty() && reading.behind != out.back().number) reading = {};
  statistics_.read += out.size();
  return out;
}

// No more than is there, so that it need not be waited for; nothing at the end.
expected<std::vector<broker_message>> nats_broker::read_on(reader& reading, std::size_t limit) {
  std::vector<broker_message> out;
  if (reading.available == 0) {
    jsConsumerInfo* info = nullptr;
    auto wait = session_.options();
    jsErrCode code{};
    auto status = natsSubscription_GetConsumerInfo(&info, reading.from.get(), &wait, &code);
    if (code == JSConsumerNotFoundErr || code == JSStreamNotFoundErr) return out; // found out by who asks
    if (status != NATS_OK) return session_.failed("reading", status, code);
    reading.available = info->NumPending;
    jsConsumerInfo_Destroy(info);
  }
  if (reading.available == 0) return out;
  auto found = fetch(*reading.from, std::min<std::size_t>(limit, reading.available), session_.left_ms() * millisecond);
  if (!found) return tl::unexpected{found.error()};
  reading.available -= std::min<std::uint64_t>(reading.available, found->size());
  for (auto& x : *found) {
    auto message = message_of(*x);
    if (!message) return tl::unexpected{message.error()};
    reading.behind = message->number;
    out.push_back(std::move(*message));
  }
  return out;
}

// Whether there is anything to read.
expected<bool> nats_broker::start_reading(const std::string& stream, std::optional<message_number> after) {
  auto& reading = streams_[stream].reading;
  reading = {};
  auto info = info_of(stream);
  if (!info) return tl::unexpected{info.error()};
  auto sequence = (*info)->State.FirstSeq;
  if (after) {
    auto last = find_last(stream, **info);
    if (!last) return tl::unexpected{last.error()};
    if (!last->number || *last->number <= *after) return false;
    auto found = first_from(stream, next_after(*after), **info);
    if (!found) return tl::unexpected{found.error()};
    if (*found > (*info)->State.LastSeq) return broker_rules::all_trimmed(stream, *after);
    sequence = *found;
  }
  if ((*info)->State.Msgs == 0) return false;
  auto name = name_of(stream);
  jsSubOptions wanted;
  jsSubOptions_Init(&wanted);
  wanted.Stream = name.c_str();
  wanted.Config.DeliverPolicy = js_DeliverByStartSequence;
  wanted.Config.OptStartSeq = sequence;
  wanted.Config.AckPolicy = js_AckNone;
  wanted.Config.InactiveThreshold = reader_kept;
  wanted.Config.MemoryStorage = true;
  natsSubscription* made = nullptr;
  jsErrCode code{};
  auto wait = session_.options();
  auto status = js_PullSubscribe(&made, session_.context(), stream.c_str(), nullptr, &wait, &wanted, &code);
  if (status != NATS_OK) return session_.failed("reading stream " + stream, status, code);
  reading.from.reset(made);
  reading.behind = after;
  return true;
}

expected<std::vector<nats_message>> nats_broker::fetch(natsSubscription& from, std::size_t limit,
                                                       nanoseconds patience) {
  natsMsgList list{};
  auto status = natsSubscription_Fetch(&list, &from, static_cast<int>(std::min(limit, fetched_at_once)),
                                       std::max<nanoseconds>(patience / millisecond, 1), nullptr);
  std::vector<nats_message> out;
  for (int i = 0; i < list.Count; ++i) out.emplace_back(std::exchange(list.Msgs[i], nullptr));
  natsMsgList_Destroy(&list);
  if (status == NATS_OK || !out.empty()) return out;
  if (status != NATS_TIMEOUT && status != NATS_NOT_FOUND) return session_.failed("fetching messages", status);
  // Nothing came: that may be because nobody answers.
  status = natsConnection_FlushTimeout(session_.connection(), session_.left_ms());
  if (status != NATS_OK) return session_.failed("fetching messages", status);
  return out;
}

expected<std::uint64_t> nats_broker::first_from(const std::string& stream, message_number wanted,
                                                const jsStreamInfo& info) {
  auto low = info.State.FirstSeq, high = info.State.LastSeq + 1;
  if (info.State.Msgs == 0) return high;
  // Whether the message at a sequence, or the next that is kept, is there yet; nothing is past the end.
  auto is_reached = [&](std::uint64_t sequence) -> expected<bool> {
    for (; sequence < high; ++sequence) {
      auto message = message_at(stream, sequence);
      if (!message) return tl::unexpected{message.error()};
      if (!*message) continue;
      auto number = number_of(**message);
      if (!number) return tl::unexpected{number.error()};
      return *number >= wanted;
    }
    return true;
  };
  std::optional<std::uint64_t> guess;
  auto last = find_last(stream, info);
  if (last && last->number && last->number->transaction > wanted.transaction) {
    auto distance = last->number->transaction - wanted.transaction;
    guess = last->sequence > distance ? std::max(last->sequence - distance, low) : low;
  }
  return broker_rules::first_reached(low, high, guess, is_reached);
}

} // namespace finstream
