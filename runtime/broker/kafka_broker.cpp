#include "runtime/broker/kafka_broker.hpp"

#include "runtime/broker/rules.hpp"
#include "runtime/clock/clock.hpp"

#include <algorithm>
#include <atomic>
#include <unistd.h>

namespace finstream {

using namespace kafka_messages;

namespace {

// What fits into one request. Kafka takes all of it or nothing, and the next is sent when this is acknowledged: so of
// what is published nothing comes behind a part that was refused.
constexpr std::size_t request_messages = 1000, request_bytes = 900'000, message_overhead = 400;
constexpr nanoseconds look_again = 5 * millisecond; // for a topic that was just made
constexpr std::int64_t first_look_back = 1;         // for the last message that counts; eightfold each time

// Of this driver and no other: host, process, when it was made, and how many were made before it.
std::string unique_name() {
  static std::atomic<unsigned> made = 0;
  char host[65] = {};
  gethostname(host, sizeof host - 1);
  return std::string{host} + "." + std::to_string(getpid()) + "." + std::to_string(system_clock().now().ns) + "." +
         std::to_string(++made);
}

// How many of these go together; one at least.
std::size_t fitting(std::span<const broker_message> messages) {
  std::size_t count = 0, bytes = 0;
  for (; count < std::min(messages.size(), request_messages); ++count) {
    bytes += messages[count].body.size() + messages[count].type.size() + message_overhead;
    if (count > 0 && bytes > request_bytes) break;
  }
  return count;
}

} // namespace

kafka_broker::kafka_broker(kafka_address address, broker_options options, std::unique_ptr<kafka_admin> admin)
  : options_{std::move(options)}, admin_{std::move(admin)}, session_{std::move(address), options_},
    health_{options_.health_interval_ms}, writer_{unique_name()} {}

kafka_broker::~kafka_broker() { streams_.clear(); }

expected<void> kafka_broker::connect() {
  if (session_.is_lost()) {
    streams_.clear();
    session_.drop();
  }
  return session_.connect();
}

expected<kafka_broker::stream_state*> kafka_broker::prepare(const std::string& stream) {
  if (auto sound = broker_rules::check_name("stream", stream); !sound) return tl::unexpected{sound.error()};
  auto topic = topic_of(stream);
  if (!topic) return tl::unexpected{topic.error()};
  if (auto there = connect(); !there) return tl::unexpected{there.error()};
  auto& out = streams_[stream];
  if (!out.topic.empty()) return &out;
  auto partitions = session_.partitions(*topic);
  if (!partitions) return tl::unexpected{partitions.error()};
  if (*partitions == 0)
    return fail(errc::not_found,
                "there is no topic " + *topic + " in " + session_.server() + ": open the stream first");
  if (auto sound = check_partitions(stream, *partitions); !sound) return tl::unexpected{sound.error()};
  out.topic = *topic;
  return &out;
}

expected<void> kafka_broker::check_partitions(const std::string& stream, int partitions) const {
  if (partitions == 1) return {};
  return fail(errc::incompatible, "the topic of stream " + stream + " in " + session_.server() + " has " +
                                    std::to_string(partitions) + " partitions and should have one: remove it, or " +
                                    "choose another name; docs/brokers.md says how it must be");
}

// What failed is dropped at once, so that nothing is still sent when the caller believes that it was not.
void kafka_broker::finish(errc outcome) {
  if (outcome == errc::none) session_.note_success();
  if (outcome != errc::none) ++statistics_.failures;
  if (outcome == errc::not_found || session_.is_lost()) streams_.clear();
  if (outcome == errc::not_found) session_.forget_topics();
  if (session_.is_lost()) session_.drop();
}

expected<void> kafka_broker::open_stream(const std::string& stream) {
  auto open = [&]() -> expected<void> {
    if (auto sound = broker_rules::check_name("stream", stream); !sound) return sound;
    auto topic = topic_of(stream);
    if (!topic) return tl::unexpected{topic.error()};
    if (auto there = connect(); !there) return there;
    auto partitions = session_.partitions(*topic);
    if (partitions && *partitions == 0)
      if (auto made = admin_->create_topic(session_, *topic); !made) return made;
    while (partitions && *partitions == 0) { // the brokers tell one another
      if (session_.is_over()) return session_.lost("creating topic " + *topic, "it does not appear");
      partitions = session_.partitions(*topic);
      if (partitions && *partitions == 0) pause(look_again);
    }
    return partitions ? check_partitions(stream, *partitions) : tl::unexpected{partitions.error()};
  };
  session_.begin();
  auto outcome = open();
  finish(outcome ? errc::none : outcome.error().code);
  return outcome;
}

expected<void> kafka_broker::publish(const std::string& stream, std::optional<message_number> after,
                                     std::span<const broker_message> messages) {
  return counted(stream, [&](stream_state& to) -> expected<void> {
    if (auto sound = broker_rules::check_messages(after, messages, capabilities().max_message_bytes); !sound)
      return sound;
    if (!to.is_at_end || to.end->last != after) {
      auto end = find_end(to);
      if (!end) return tl::unexpected{end.error()};
      if (end->last != after) return broker_rules::conflict_in(stream, after, end->last);
    }
    while (!messages.empty()) {
      auto some = messages.first(fitting(messages));
      auto is_in = publish_some(to, some);
      if (is_in && *is_in) {
        after = some.back().number;
        messages = messages.subspan(some.size());
        continue;
      }
      if (!is_in) return tl::unexpected{is_in.error()};
      // Something came before it. If that counts for nobody, it is written once more, behind that.
      auto end = find_end(to);
      if (!end) return tl::unexpected{end.error()};
      if (end->last != after) return stopped(to);
      if (session_.is_over()) return session_.lost("writing to topic " + to.topic, "others write to it without end");
    }
    return {};
  });
}

tl::unexpected<failure> kafka_broker::stopped(const stream_state& in) const {
  return fail(errc::conflict, "somebody else has written to topic " + in.topic + " in " + session_.server() +
                                " at the same time and was first: what came behind that counts for nobody");
}

expected<bool> kafka_broker::publish_some(stream_state& to, std::span<const broker_message> messages) {
  auto writer = writer_ + "." + std::to_string(++publishes_);
  to.is_at_end = false; // until it is known to have gone well
  auto delivered = deliver(to, messages, writer);
  if (!delivered) return tl::unexpected{delivered.error()};
  auto is_moved = [next = to.end->next](const delivery& x) mutable { return x.offset != next++; };
  to.is_at_end = std::ranges::none_of(*delivered, is_moved);
  if (!to.is_at_end) {
    // Another came in between; or this is a copy of ours, made when an answer was lost on its way.
    auto is_there = is_in_place(to, messages.size(), writer);
    if (!is_there || !*is_there) return is_there;
  }
  const auto& last = messages.back();
  to.end =
    stream_end{last.number, last.is_last_part, last.log_id, to.end->next + static_cast<std::int64_t>(messages.size())};
  statistics_.published += messages.size();
  for (const auto& x : messages) statistics_.published_bytes += x.body.size();
  return true;
}

expected<std::vector<delivery>> kafka_broker::deliver(stream_state& to, std::span<const broker_message> messages,
                                                      const std::string& writer) {
  std::vector<delivery> out{messages.size()};
  auto what = "writing to topic " + to.topic;
  auto with = session_.producer(to.topic);
  if (!with) return tl::unexpected{with.error()};
  for (std::size_t i = 0; i < messages.size(); ++i) {
    auto offset = to.end->next + static_cast<std::int64_t>(i);
    auto error = produce(**with, to.topic, messages[i], offset, writer, out[i]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    return session_.lost(what, rd_kafka_err2str(error)); // what was handed over is dropped with the producer
  }
  auto error = rd_kafka_flush(*with, session_.left_ms());
  for (const auto& x : out)
    if (x.error != RD_KAFKA_RESP_ERR_NO_ERROR && x.error != RD_KAFKA_RESP_ERR__IN_PROGRESS) error = x.error;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return out;
  auto why = session_.failed(what, error);
  session_.give_up();
  return why;
}

expected<bool> kafka_broker::is_in_place(stream_state& to, std::size_t count, const std::string& writer) {
  std::size_t found = 0;
  auto until = to.end->next + static_cast<std::int64_t>(count);
  auto looked = scan(to, to.end->next, until, [&](placed_message x) { return x.writer == writer && ++found < count; });
  return looked ? expected<bool>{found == count} : tl::unexpected{looked.error()};
}

expected<kafka_broker::stream_end> kafka_broker::find_end(stream_state& in) {
  auto next = session_.offset(in.topic, RD_KAFKA_OFFSET_END);
  if (!next) return tl::unexpected{next.error()};
  in.is_at_end = in.end && in.end->next == *next;
  if (in.is_at_end) return *in.end;
  auto first = session_.offset(in.topic, RD_KAFKA_OFFSET_BEGINNING);
  if (!first) return tl::unexpected{first.error()};
  stream_end out;
  auto look = [&](std::int64_t from) {
    return scan(in, from, *next, [&](placed_message x) {
      out.last = x.what.number, out.is_whole = x.what.is_last_part, out.log_id = x.what.log_id;
      return true;
    });
  };
  // Forward from where it was seen last: what comes behind that may be much, and count for nobody.
  if (in.end && in.end->last && in.end->next < *next) {
    out = *in.end;
    if (auto looked = look(std::max(*first, out.next)); !looked) return tl::unexpected{looked.error()};
  }
  for (auto back = first_look_back; *first < *next && !out.last; back *= 8) {
    auto from = std::max(*first, *next - back);
    if (auto looked = look(from); !looked) return tl::unexpected{looked.error()};
    if (from == *first) break;
  }
  if (!out.last && *first > 0)
    return fail(errc::incompatible, "the last message of topic " + in.topic + " in " + session_.server() +
                                      " was removed by others, so that its number is not known any more: remove the "
                                      "topic, or choose another name; it should have retention.ms=-1");
  out.next = *next;
  in.end = out;
  in.is_at_end = true;
  return out;
}

expected<void> kafka_broker::remove_stream(const std::string& stream) {
  auto done = counted(stream, [&](stream_state& in) -> expected<void> {
    auto its_groups = committed_offsets(stream, in);
    if (!its_groups) return tl::unexpected{its_groups.error()};
    auto topic = in.topic;
    streams_.erase(stream); // and `in` with it
    for (const auto& [group, offset] : *its_groups) {
      groups_.erase(group_id_of(stream, group));
      if (auto gone = admin_->remove_group(session_, group_id_of(stream, group)); !gone) return gone;
    }
    if (auto gone = admin_->remove_topic(session_, topic); !gone) return gone;
    session_.forget_topics();
    return {};
  });
  if (done || done.error().code != errc::not_found) return done;
  --statistics_.failures; // that is so already
  return {};
}

expected<void> kafka_broker::health() {
  return health_.ask([&]() -> expected<void> {
    session_.begin();
    auto well = connect();
    if (well) well = session_.ask_for_topics();
    finish(well ? errc::none : well.error().code);
    return well;
  });
}

broker_statistics kafka_broker::statistics() const {
  auto out = statistics_;
  out.connects = session_.connects();
  return out;
}

broker_capabilities kafka_broker::capabilities() const {
  broker_capabilities out{"kafka", max_request_bytes - header_bytes, true, false};
  out.shares_by_message = false;
  return out;
}

expected<std::unique_ptr<broker>> open_kafka_broker(const broker_options& options) {
  auto address = parse_kafka_url(options.url);
  if (!address) return tl::unexpected{address.error()};
  return std::make_unique<kafka_broker>(std::move(*address), options, make_kafka_admin());
}

} // namespace finstream
