// Consumer groups are durable pull consumers of JetStream, which hands out anew by itself what is not acknowledged in
// time. Where to acknowledge a message it says with the message, so that only who has taken it can.
#include "runtime/broker/nats_broker.hpp"
#include "runtime/broker/nats_messages.hpp"
#include "runtime/broker/rules.hpp"
#include "runtime/clock/clock.hpp"

#include <algorithm>

namespace finstream {

using namespace nats_messages;

namespace {

constexpr const char *done = "+ACK", *still_at_work = "+WPI"; // of JetStream's protocol
constexpr nanoseconds least_patience = 20 * millisecond;
constexpr int forgotten_after = 10; // times stale_after_ms: what was not acknowledged by then never will be

std::uint64_t first_needed_sequence(const jsConsumerInfo& consumer, const jsStreamInfo& info) {
  auto dealt_with = consumer.NumAckPending > 0 ? consumer.AckFloor.Stream : consumer.Delivered.Stream;
  return std::max(dealt_with + 1, info.State.FirstSeq);
}

bool is_ours(const jsConsumerInfo& consumer) { // those without a name are readers
  return consumer.Config->Durable != nullptr && consumer.Config->AckPolicy == js_AckExplicit;
}

} // namespace

expected<void> nats_broker::ensure_group(const std::string& stream, const std::string& name) {
  return counted(stream, [&]() -> expected<void> {
    if (auto sound = broker_rules::check_name("group", name); !sound) return sound;
    auto durable = name_of(name);
    jsConsumerConfig config;
    jsConsumerConfig_Init(&config);
    config.Durable = durable.c_str();
    config.DeliverPolicy = js_DeliverAll;
    config.AckPolicy = js_AckExplicit;
    config.AckWait = options_.stale_after_ms * millisecond;
    config.MaxAckPending = options_.max_pending_messages;
    config.MaxDeliver = -1;
    jsErrCode code{};
    auto wait = session_.options();
    // Makes it, or gives it our times if it is there.
    auto status = js_AddConsumer(nullptr, session_.context(), name_of(stream).c_str(), &config, &wait, &code);
    return status == NATS_OK ? expected<void>{} : session_.failed("creating group " + name, status, code);
  });
}

expected<nats_broker::group*> nats_broker::open_group(const std::string& stream, const std::string& name) {
  if (auto sound = broker_rules::check_name("group", name); !sound) return tl::unexpected{sound.error()};
  auto& out = streams_[stream].groups[name];
  if (out.from) return &out;
  auto stream_name = name_of(stream), durable = name_of(name);
  jsSubOptions wanted;
  jsSubOptions_Init(&wanted);
  wanted.Stream = stream_name.c_str();
  wanted.Consumer = durable.c_str();
  natsSubscription* made = nullptr;
  jsErrCode code{};
  auto wait = session_.options();
  auto status = js_PullSubscribe(&made, session_.context(), stream.c_str(), durable.c_str(), &wait, &wanted, &code);
  if (status != NATS_OK) return session_.failed("looking for group " + name, status, code);
  out.from.reset(made);
  return &out;
}

expected<std::vector<taken_message>> nats_broker::take(const std::string& stream, const std::string& name,
                                                       const std::string& consumer, std::size_t limit,
                                                       nanoseconds patience) {
  patience = std::max<nanoseconds>(patience, 0);
  return counted(
    stream, [&] { return take_some(stream, name, consumer, limit, patience); }, patience);
}

expected<std::vector<taken_message>> nats_broker::take_some(const std::string& stream, const std::string& name,
                                                            const std::string& consumer, std::size_t limit,
                                                            nanoseconds patience) {
  if (auto sound = broker_rules::check_name("consumer", consumer); !sound) return tl::unexpected{sound.error()};
  auto from = open_group(stream, name);
  if (!from) return tl::unexpected{from.error()};
  std::vector<taken_message> out;
  if (limit == 0) return out;
  auto now = system_clock().monotonic();
  std::erase_if((*from)->taken, [&](const auto& x) {
    return now - x.second.heard > forgotten_after * options_.stale_after_ms * millisecond;
  });
  // A server that may hand out no more says nothing: so first what there is, and then one, that is waited for.
  auto found = fetch(*(*from)->from, limit, least_patience);
  if (found && found->empty() && patience > 0) found = fetch(*(*from)->from, 1, patience);
  if (!found) {
    (*from)->from.reset(); // it may be gone, and made again
    return tl::unexpected{found.error()};
  }
  for (auto& x : *found) {
    auto message = message_of(*x);
    if (!message) return tl::unexpected{message.error()};
    jsMsgMetaData* about = nullptr;
    if (auto status = natsMsg_GetMetaData(&about, x.get()); status != NATS_OK)
      return session_.failed("taking a message", status);
    (*from)->taken[message->number] = {natsMsg_GetReply(x.get()), consumer, system_clock().monotonic()};
    out.push_back({std::move(*message), static_cast<std::uint32_t>(about->NumDelivered)});
    jsMsgMetaData_Destroy(about);
  }
  statistics_.read += out.size();
  return out;
}

// The server deals with what it is told in order, so that it answers the last is enough.
expected<void> nats_broker::say(const std::vector<std::string>& replies, const char* what) {
  for (std::size_t i = 0; i + 1 < replies.size(); ++i)
    if (auto status = natsConnection_PublishString(session_.connection(), replies[i].c_str(), what); status != NATS_OK)
      return session_.failed("answering for a message", status);
  if (replies.empty()) return {};
  natsMsg* answer = nullptr;
  auto status =
    natsConnection_RequestString(&answer, session_.connection(), replies.back().c_str(), what, session_.left_ms());
  nats_message destroyed{answer};
  return status == NATS_OK ? expected<void>{} : session_.failed("answering for a message", status);
}

expected<void> nats_broker::acknowledge(const std::string& stream, const std::string& name,
                                        std::span<const message_number> numbers) {
  return counted(stream, [&]() -> expected<void> {
    auto& taken = streams_[stream].groups[name].taken;
    std::vector<std::string> replies;
    for (auto x : numbers)
      if (auto i = taken.find(x); i != taken.end()) replies.push_back(i->second.reply);
    auto said = say(replies, done);
    if (said)
      for (auto x : numbers) taken.erase(x);
    return said;
  });
}

expected<void> nats_broker::keep(const std::string& stream, const std::string& name, const std::string& consumer,
                                 std::span<const message_number> numbers) {
  return counted(stream, [&]() -> expected<void> {
    auto& taken = streams_[stream].groups[name].taken;
    auto now = system_clock().monotonic();
    std::vector<std::string> replies;
    for (auto x : numbers) {
      auto i = taken.find(x);
      if (i == taken.end() || i->second.consumer != consumer) continue;
      if (now - i->second.heard >= options_.stale_after_ms * millisecond) continue; // another may have it by now
      i->second.heard = now;
      replies.push_back(i->second.reply);
    }
    return say(replies, still_at_work);
  });
}

expected<claimed_messages> nats_broker::claim_stale(const std::string& stream, const std::string& name,
                                                    const std::string& consumer, std::size_t) {
  return counted(stream, [&]() -> expected<claimed_messages> {
    if (auto sound = broker_rules::check_name("consumer", consumer); !sound) return tl::unexpected{sound.error()};
    auto there = open_group(stream, name);
    return there ? expected<claimed_messages>{} : tl::unexpected{there.error()};
  });
}

expected<std::uint32_t> nats_broker::forget_idle_consumers(const std::string& stream, const std::string& name,
                                                           nanoseconds) {
  return counted(stream, [&]() -> expected<std::uint32_t> {
    auto there = open_group(stream, name);
    return there ? expected<std::uint32_t>{0} : tl::unexpected{there.error()};
  });
}

expected<std::vector<group_state>> nats_broker::groups(const std::string& stream) {
  return counted(stream, [&]() -> expected<std::vector<group_state>> {
    auto info = info_of(stream);
    if (!info) return tl::unexpected{info.error()};
    auto consumers = consumers_of(stream);
    if (!consumers) return tl::unexpected{consumers.error()};
    std::vector<group_state> out;
    for (int i = 0; *consumers && i < (*consumers)->Count; ++i) {
      const auto& consumer = *(*consumers)->List[i];
      if (!is_ours(consumer)) continue;
      auto x = state_of(stream, consumer, **info);
      if (!x) return tl::unexpected{x.error()};
      out.push_back(std::move(*x));
    }
    return out;
  });
}

expected<nats_consumers> nats_broker::consumers_of(const std::string& stream) {
  jsConsumerInfoList* list = nullptr;
  jsErrCode code{};
  auto wait = session_.options();
  auto status = js_Consumers(&list, session_.context(), name_of(stream).c_str(), &wait, &code);
  if (status == NATS_NOT_FOUND && code == 0) return nats_consumers{}; // it has none
  if (status != NATS_OK) return session_.failed("looking at the groups of stream " + stream, status, code);
  return nats_consumers{list};
}

expected<group_state> nats_broker::state_of(const std::string& stream, const jsConsumerInfo& consumer,
                                            const jsStreamInfo& info) {
  group_state out;
  out.group = unnamed(consumer.Name);
  out.pending = static_cast<std::uint64_t>(consumer.NumAckPending);
  out.waiting = consumer.NumPending;
  if (out.pending > 0) {
    auto heard = std::max({consumer.Delivered.Last, consumer.AckFloor.Last, consumer.Created});
    out.oldest_idle = std::max<nanoseconds>(system_clock().now().ns - heard, 0);
  }
  if (out.pending + out.waiting == 0) return out;
  for (auto at = first_needed_sequence(consumer, info); at <= info.State.LastSeq; ++at) {
    auto message = message_at(stream, at);
    if (!message) return tl::unexpected{message.error()};
    if (!*message) continue; // removed by others
    auto number = number_of(**message);
    if (!number) return tl::unexpected{number.error()};
    out.first_needed = *number;
    break;
  }
  return out;
}

expected<void> nats_broker::trim(const std::string& stream, message_number first_kept) {
  return counted(stream, [&]() -> expected<void> {
    auto info = info_of(stream);
    if (!info) return tl::unexpected{info.error()};
    auto consumers = consumers_of(stream);
    if (!consumers) return tl::unexpected{consumers.error()};
    auto kept = first_from(stream, first_kept, **info);
    if (!kept) return tl::unexpected{kept.error()};
    auto sequence = std::min(*kept, (*info)->State.LastSeq); // the last stays
    for (int i = 0; *consumers && i < (*consumers)->Count; ++i)
      if (const auto& x = *(*consumers)->List[i]; is_ours(x))
        sequence = std::min(sequence, first_needed_sequence(x, **info));
    if (sequence <= (*info)->State.FirstSeq) return {};
    jsErrCode code{};
    auto wait = session_.options();
    wait.Stream.Purge.Sequence = sequence;
    auto status = js_PurgeStream(session_.context(), name_of(stream).c_str(), &wait, &code);
    return status == NATS_OK ? expected<void>{} : session_.failed("trimming stream " + stream, status, code);
  });
}

} // namespace finstream
