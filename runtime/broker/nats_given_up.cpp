// What groups have given up on. JetStream says it once, in an advisory, to whoever listens at that moment: so that
// nothing is lost while nobody does, a stream keeps the advisories until they are dealt with.
#include "runtime/broker/nats_broker.hpp"
#include "runtime/broker/nats_messages.hpp"

#include <algorithm>
#include <string_view>

namespace finstream {

using namespace nats_messages;

namespace {

constexpr const char* advisories_begin = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES."; // stream.consumer
constexpr const char* durable = "finstream";
constexpr std::int64_t most_advisories = 100'000; // the oldest go: nobody has asked for very long
constexpr nanoseconds patience = 20 * millisecond;

// `"id":"VcHVHV..."`, by which each advisory is told from all others; without quotes in it.
std::string text_behind(std::string_view name, std::string_view text) {
  auto begin = text.find('"' + std::string{name} + "\":\"");
  if (begin == text.npos) return {};
  text.remove_prefix(begin + name.size() + 4);
  return std::string{text.substr(0, text.find('"'))};
}

std::vector<std::string> subjects_of(const std::vector<std::string>& streams) {
  std::vector<std::string> out;
  for (auto& x : streams) out.push_back(advisories_begin + name_of(x) + ".*");
  return out;
}

} // namespace

expected<std::vector<given_up_message>>
nats_broker::given_up(const std::string& kept_in, const std::vector<std::string>& of_streams, std::size_t limit) {
  return counted(kept_in, [&]() -> expected<std::vector<given_up_message>> {
    std::vector<given_up_message> out;
    auto from = open_advisories(kept_in, of_streams);
    if (!from) return tl::unexpected{from.error()};
    auto found = limit == 0 ? std::vector<nats_message>{} : fetch(**from, limit, patience);
    if (!found) {
      streams_[kept_in].advisories.reset(); // it may be gone, and made again
      return tl::unexpected{found.error()};
    }
    for (auto& x : *found) {
      std::string_view of{natsMsg_GetSubject(x.get())};
      of.remove_prefix(std::min(of.size(), std::string_view{advisories_begin}.size()));
      auto dot = std::min(of.find('.'), of.size());
      auto said = text_of(*x);
      given_up_message one;
      one.stream = unnamed(std::string{of.substr(0, dot)});
      one.group = unnamed(std::string{of.substr(std::min(dot + 1, of.size()))});
      auto sequence = number_behind("stream_seq", said).value_or(0);
      one.deliveries = static_cast<std::uint32_t>(number_behind("deliveries", said).value_or(0));
      one.id = one.stream + "/" + one.group + "/" + std::to_string(sequence) + "/" + text_behind("id", said);
      auto message = sequence == 0 ? expected<nats_message>{} : message_at(one.stream, sequence);
      if (!message && message.error().code == errc::unreachable) return tl::unexpected{message.error()};
      if (message && *message)
        if (auto read = message_of(**message)) one.what = std::move(*read);
      streams_[kept_in].advisory_replies[one.id] = natsMsg_GetReply(x.get());
      out.push_back(std::move(one));
    }
    return out;
  });
}

expected<void> nats_broker::forget_given_up(const std::string& kept_in, const std::vector<std::string>& ids) {
  return counted(kept_in, [&]() -> expected<void> {
    auto& known = streams_[kept_in].advisory_replies; // of another connection there are none: it is told again
    std::vector<std::string> replies;
    for (auto& id : ids)
      if (auto at = known.find(id); at != known.end()) replies.push_back(at->second);
    auto said = say(replies, "+ACK");
    if (said)
      for (auto& id : ids) known.erase(id);
    return said;
  });
}

expected<natsSubscription*> nats_broker::open_advisories(const std::string& kept_in,
                                                         const std::vector<std::string>& of_streams) {
  auto& out = streams_[kept_in].advisories;
  if (out) return out.get();
  if (auto kept = keep_advisories(kept_in, of_streams); !kept) return tl::unexpected{kept.error()};
  auto name = name_of(kept_in);
  jsConsumerConfig config;
  jsConsumerConfig_Init(&config);
  config.Durable = durable;
  config.DeliverPolicy = js_DeliverAll;
  config.AckPolicy = js_AckExplicit;
  config.AckWait = options_.stale_after_ms * millisecond;
  config.MaxDeliver = -1;
  jsErrCode code{};
  auto wait = session_.options();
  auto status = js_AddConsumer(nullptr, session_.context(), name.c_str(), &config, &wait, &code);
  if (status != NATS_OK) return session_.failed("listening to advisories", status, code);
  jsSubOptions wanted;
  jsSubOptions_Init(&wanted);
  wanted.Stream = name.c_str();
  wanted.Consumer = durable;
  natsSubscription* made = nullptr;
  auto subject = subjects_of(of_streams).front();
  status = js_PullSubscribe(&made, session_.context(), subject.c_str(), durable, &wait, &wanted, &code);
  if (status != NATS_OK) return session_.failed("listening to advisories", status, code);
  out.reset(made);
  return out.get();
}

// Makes the stream, or has it keep those of these streams if it is there.
expected<void> nats_broker::keep_advisories(const std::string& kept_in, const std::vector<std::string>& of_streams) {
  auto name = name_of(kept_in);
  auto subjects = subjects_of(of_streams);
  std::vector<const char*> words;
  for (auto& x : subjects) words.push_back(x.c_str());
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = name.c_str();
  config.Subjects = words.data();
  config.SubjectsLen = static_cast<int>(words.size());
  config.Storage = js_FileStorage;
  config.Retention = js_WorkQueuePolicy; // what is acknowledged goes
  config.MaxMsgs = most_advisories;
  jsErrCode code{};
  auto wait = session_.options();
  auto info = info_of(kept_in);
  if (!info && info.error().code != errc::not_found) return tl::unexpected{info.error()};
  if (info) {
    auto& there = *(*info)->Config;
    if (there.SubjectsLen > 0 && !std::string_view{there.Subjects[0]}.starts_with(advisories_begin))
      return fail(errc::incompatible, "stream " + name + " in " + session_.server() +
                                        " is for something else than advisories: remove it, or choose another name");
    std::vector<std::string_view> kept{there.Subjects, there.Subjects + there.SubjectsLen};
    if (std::ranges::is_permutation(kept, subjects)) return {};
    config = there; // replicas and the like are as they were
    config.Subjects = words.data();
    config.SubjectsLen = static_cast<int>(words.size());
  }
  auto status = info ? js_UpdateStream(nullptr, session_.context(), &config, &wait, &code)
                     : js_AddStream(nullptr, session_.context(), &config, &wait, &code);
  if (status == NATS_OK) return {};
  return session_.failed("keeping advisories in stream " + kept_in, status, code);
}

} // namespace finstream
