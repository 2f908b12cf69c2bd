#include "runtime/broker/nats_broker.hpp"

#include "runtime/broker/nats_messages.hpp"
#include "runtime/broker/rules.hpp"

#include <algorithm>

namespace finstream {

using namespace nats_messages;

namespace {

constexpr std::size_t messages_underway = 1000; // sent and not acknowledged: what NATS has to hold for us
constexpr std::size_t bytes_underway = 4u << 20;
constexpr nanoseconds ids_kept = 10 * second; // of messages: longer than one may be underway

// `{"stream":"finstream=events","seq":17}` -> 17; nothing if it says something else.
std::optional<std::uint64_t> sequence_in(std::string_view answer) {
  return answer.find("\"error\":") == answer.npos ? number_behind("seq", answer) : std::nullopt;
}

int code_in(std::string_view answer) { return static_cast<int>(number_behind("err_code", answer).value_or(0)); }

// For where answers shall go, and for the ids of messages.
std::string unique_name() {
  natsInbox* made = nullptr;
  ensure(natsInbox_Create(&made) == NATS_OK, "no memory for a name");
  std::string out = made;
  natsInbox_Destroy(made);
  return out;
}

} // namespace

nats_broker::nats_broker(nats_session session, broker_options options)
  : options_{std::move(options)}, session_{std::move(session)}, health_{options_.health_interval_ms},
    writer_{unique_name()} {}

expected<void> nats_broker::prepare(const std::string& stream) {
  if (auto sound = broker_rules::check_name("stream", stream); !sound) return sound;
  if (auto sound = check_subject(stream); !sound) return sound;
  if (auto there = session_.connect(); !there) return there;
  if (connection_ != session_.connects()) streams_.clear(), answers_.reset(); // they end with their connection
  connection_ = session_.connects();
  return {};
}

expected<void> nats_broker::open_stream(const std::string& stream) {
  return counted(stream, [&]() -> expected<void> {
    auto info = info_of(stream);
    if (info) return check_stream(stream, *(*info)->Config);
    if (info.error().code != errc::not_found) return tl::unexpected{info.error()};
    auto name = name_of(stream);
    const char* subjects[] = {stream.c_str()};
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = name.c_str();
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    config.Retention = js_LimitsPolicy;
    config.Duplicates = ids_kept;
    auto wait = session_.options();
    jsErrCode code{};
    auto status = js_AddStream(nullptr, session_.context(), &config, &wait, &code);
    if (status == NATS_OK || code == JSStreamNameExistErr) return {};
    if (auto by_another = info_of(stream)) return check_stream(stream, *(*by_another)->Config); // at the same moment
    return session_.failed("creating stream " + stream, status, code);
  });
}

expected<void> nats_broker::check_stream(const std::string& stream, const jsStreamConfig& config) const {
  auto refuse = [&](const std::string& what) {
    return fail(errc::incompatible, "stream " + name_of(stream) + " in " + session_.server() + " " + what +
                                      ": remove it, or choose another name; docs/brokers.md says how it must be");
  };
  if (config.SubjectsLen != 1 || stream != config.Subjects[0]) return refuse("should have the one subject " + stream);
  if (config.Storage != js_FileStorage) return refuse("is not kept in files");
  if (config.Retention != js_LimitsPolicy) return refuse("drops messages when they are acknowledged");
  if (config.NoAck) return refuse("does not acknowledge what it is sent");
  if (config.MaxAge > 0) return refuse("drops messages by their age");
  bool has_limit = config.MaxMsgs > 0 || config.MaxBytes > 0 || config.MaxMsgsPerSubject > 0;
  if (has_limit && config.Discard == js_DiscardOld) return refuse("drops its oldest messages at its limit");
  return {};
}

expected<nats_stream_info> nats_broker::info_of(const std::string& stream) {
  jsStreamInfo* info = nullptr;
  jsErrCode code{};
  auto wait = session_.options();
  auto status = js_GetStreamInfo(&info, session_.context(), name_of(stream).c_str(), &wait, &code);
  if (status != NATS_OK) return session_.failed("looking at stream " + stream, status, code);
  // Sequences begin at 1; of a stream that was recovered after a kill, 2.9.10 may say that its first is 0.
  info->State.FirstSeq = std::max<std::uint64_t>(info->State.FirstSeq, 1);
  return nats_stream_info{info};
}

expected<nats_message> nats_broker::message_at(const std::string& stream, std::uint64_t sequence) {
  natsMsg* found = nullptr;
  jsErrCode code{};
  auto wait = session_.options();
  auto status = js_GetMsg(&found, session_.context(), name_of(stream).c_str(), sequence, &wait, &code);
  if (code == JSNoMessageFoundErr || status == NATS_NOT_FOUND) return nats_message{};
  if (status != NATS_OK) return session_.failed("reading stream " + stream, status, code);
  return nats_message{found};
}

expected<nats_broker::place> nats_broker::find_last(const std::string& stream, const jsStreamInfo& info) {
  auto& known = streams_[stream].last;
  auto sequence = info.State.LastSeq;
  if (known && known->sequence == sequence) return *known;
  if (sequence == 0) return place{};
  auto message = message_at(stream, sequence);
  if (!message) return tl::unexpected{message.error()};
  if (!*message)
    return fail(errc::incompatible, "the last message of stream " + stream + " in " + session_.server() +
                                      " was removed by others, so that its number is not known any more: remove the "
                                      "stream, or choose another name");
  auto number = number_of(**message);
  if (!number) return tl::unexpected{number.error()};
  known = place{*number, sequence};
  return *known;
}

expected<void> nats_broker::publish(const std::string& stream, std::optional<message_number> after,
                                    std::span<const broker_message> messages) {
  return counted(stream, [&]() -> expected<void> {
    if (auto sound = broker_rules::check_messages(after, messages, capabilities().max_message_bytes); !sound)
      return sound;
    auto& known = streams_[stream].last;
    if (!known || known->number != after) {
      auto info = info_of(stream);
      if (!info) return tl::unexpected{info.error()};
      auto last = find_last(stream, **info);
      if (!last) return tl::unexpected{last.error()};
      if (last->number != after) return broker_rules::conflict_in(stream, after, last->number);
      known = *last;
    }
    auto done = publish_all(stream, known->sequence, messages);
    if (!done) {
      known.reset();
    } else if (!messages.empty()) {
      known = place{messages.back().number, known->sequence + messages.size()};
    }
    return done;
  });
}

expected<void> nats_broker::publish_all(const std::string& stream, std::uint64_t last_sequence,
                                        std::span<const broker_message> messages) {
  if (auto ready = expect_answers(); !ready) return ready;
  auto first = std::exchange(answers_expected_, answers_expected_ + messages.size());
  auto answer_to = [&](std::size_t i) { return answers_to_ + std::to_string(first + i); };
  std::size_t bytes = 0;
  for (std::size_t sent = 0, acknowledged = 0; acknowledged < messages.size();) {
    while (sent < messages.size() && sent - acknowledged < messages_underway &&
           (bytes < bytes_underway || sent == acknowledged)) {
      auto message = message_for(messages[sent], {stream, answer_to(sent), writer_, last_sequence + sent,
                                                  sent > 0 ? &messages[sent - 1] : nullptr});
      auto status = natsConnection_PublishMsg(session_.connection(), message.get());
      if (status != NATS_OK) return session_.failed("publishing", status);
      bytes += messages[sent++].body.size();
    }
    auto taken = await_acknowledgment(answer_to(acknowledged), stream, last_sequence + acknowledged + 1);
    if (!taken) return taken;
    const auto& x = messages[acknowledged++];
    bytes -= x.body.size();
    ++statistics_.published;
    statistics_.published_bytes += x.body.size();
  }
  return {};
}

// One subscription for all answers, which lasts as long as the connection: libnats before 3.6 may crash where one is
// ended while messages still come for it (https://github.com/nats-io/nats.c/issues/637), as they do after a refusal.
expected<void> nats_broker::expect_answers() {
  if (answers_) return {};
  answers_to_ = unique_name() + ".";
  natsSubscription* made = nullptr;
  auto status = natsConnection_SubscribeSync(&made, session_.connection(), (answers_to_ + "*").c_str());
  if (status != NATS_OK) return session_.failed("publishing", status);
  answers_.reset(made);
  return {};
}

// NATS answers in the order in which it takes them, and refuses all that come behind one that it refused. Answers to
// messages that were given up are passed over.
expected<void> nats_broker::await_acknowledgment(const std::string& answer_to, const std::string& stream,
                                                 std::uint64_t sequence) {
  nats_message answer;
  while (!answer || natsMsg_GetSubject(answer.get()) != answer_to) {
    natsMsg* found = nullptr;
    auto status =
      session_.is_over() ? NATS_TIMEOUT : natsSubscription_NextMsg(&found, answers_.get(), session_.left_ms());
    if (status == NATS_NO_RESPONDERS) {
      auto info = info_of(stream);                                               // there is no stream, or no JetStream
      auto nobody = session_.lost("publishing", "nobody has taken the message"); // more of these may be underway
      return info ? nobody : tl::unexpected{info.error()};
    }
    if (status != NATS_OK) return session_.failed("publishing", status);
    answer.reset(found);
  }
  auto taken = sequence_in(text_of(*answer));
  if (taken && *taken == sequence) return {};
  auto code = code_in(text_of(*answer));
  if (code != JSStreamWrongLastSequenceErr)
    return session_.refused("publishing to stream " + stream, code, std::string{text_of(*answer)});
  return fail(errc::conflict, "the last message of stream " + stream + " is not what it should be: somebody else " +
                                "writes to it, or it was restored or removed; nothing of this was published behind it");
}

expected<stream_ends> nats_broker::ends(const std::string& stream) {
  return counted(stream, [&]() -> expected<stream_ends> {
    auto info = info_of(stream);
    if (!info) return tl::unexpected{info.error()};
    stream_ends out;
    out.messages = (*info)->State.Msgs;
    auto last = find_last(stream, **info);
    if (!last) return tl::unexpected{last.error()};
    out.last = last->number;
    if (out.messages == 0) return out;
    auto first_message = message_at(stream, (*info)->State.FirstSeq);
    if (!first_message) return tl::unexpected{first_message.error()};
    auto last_message = message_at(stream, (*info)->State.LastSeq);
    if (!last_message) return tl::unexpected{last_message.error()};
    if (*first_message) {
      auto x = number_of(**first_message);
      if (!x) return tl::unexpected{x.error()};
      out.first = *x;
    }
    if (*last_message) {
      auto x = message_of(**last_message);
      if (!x) return tl::unexpected{x.error()};
      out.last_is_whole = x->is_last_part;
      out.log_id = x->log_id;
    }
    return out;
  });
}

expected<void> nats_broker::remove_stream(const std::string& stream) {
  return counted(stream, [&]() -> expected<void> {
    streams_.erase(stream);
    jsErrCode code{};
    auto wait = session_.options();
    auto status = js_DeleteStream(session_.context(), name_of(stream).c_str(), &wait, &code);
    if (status == NATS_OK || code == JSStreamNotFoundErr) return {};
    return session_.failed("removing stream " + stream, status, code);
  });
}

expected<void> nats_broker::health() {
  return health_.ask([&] {
    return counted("health", [&]() -> expected<void> {
      auto status = natsConnection_FlushTimeout(session_.connection(), session_.left_ms());
      return status == NATS_OK ? expected<void>{} : session_.failed("a ping", status);
    });
  });
}

broker_statistics nats_broker::statistics() const {
  auto out = statistics_;
  out.connects = session_.connects();
  return out;
}

broker_capabilities nats_broker::capabilities() const {
  return {"nats", session_.max_payload_bytes() - std::min(session_.max_payload_bytes(), header_bytes), true, false,
          true};
}

expected<std::unique_ptr<broker>> open_nats_broker(const broker_options& options) {
  auto address = parse_nats_url(options.url);
  if (!address) return tl::unexpected{address.error()};
  return std::make_unique<nats_broker>(nats_session{std::move(*address), options}, options);
}

} // namespace finstream
