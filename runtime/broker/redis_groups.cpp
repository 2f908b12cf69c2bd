// Consumer groups of Redis Streams, as redis_broker.hpp has them.
#include "runtime/broker/redis_broker.hpp"
#include "runtime/broker/redis_entries.hpp"
#include "runtime/broker/rules.hpp"
#include "runtime/clock/clock.hpp"

#include <algorithm>
#include <hiredis/hiredis.h>

namespace finstream {

using namespace redis_entries;

namespace {

constexpr nanoseconds look_again = 20 * millisecond; // whether a group that has all it may have pending has less

} // namespace

expected<void> redis_broker::unless_there(const redisReply& reply) {
  auto made = session_.check(reply, "XGROUP");
  if (made || made.error().message.find("BUSYGROUP") != std::string::npos) return {};
  return made;
}

expected<void> redis_broker::ensure_group(const std::string& stream, const std::string& group) {
  return counted([&]() -> expected<void> {
    if (auto sound = broker_rules::check_name("group", group); !sound) return sound;
    auto made = session_.exchange({{"XGROUP", "CREATE", stream, group, "0"}});
    if (!made) return tl::unexpected{made.error()};
    return unless_there(*made->front());
  });
}

expected<std::vector<taken_message>> redis_broker::take(const std::string& stream, const std::string& group,
                                                        const std::string& consumer, std::size_t limit,
                                                        nanoseconds patience) {
  patience = std::max<nanoseconds>(patience, 0);
  return counted([&] { return take_some(stream, group, consumer, limit, patience); }, patience);
}

expected<void> redis_broker::acknowledge(const std::string& stream, const std::string& group,
                                         std::span<const message_number> numbers) {
  return counted([&]() -> expected<void> {
    if (numbers.empty()) return {};
    redis_command command{"XACK", stream, group};
    for (auto x : numbers) command.push_back(id_of(x));
    auto done = session_.ask(command);
    return done ? expected<void>{} : tl::unexpected{done.error()};
  });
}

expected<void> redis_broker::keep(const std::string& stream, const std::string& group, const std::string& consumer,
                                  std::span<const message_number> numbers) {
  return counted([&]() -> expected<void> {
    redis_command arguments{group, consumer};
    for (auto x : numbers) arguments.push_back(id_of(x));
    auto done = run(keep_, stream, arguments);
    return done ? expected<void>{} : tl::unexpected{done.error()};
  });
}

expected<claimed_messages> redis_broker::claim_stale(const std::string& stream, const std::string& group,
                                                     const std::string& consumer, std::size_t limit) {
  return counted([&] { return claim_some(stream, group, consumer, limit); });
}

expected<std::uint32_t> redis_broker::forget_idle_consumers(const std::string& stream, const std::string& group,
                                                            nanoseconds idle) {
  return counted([&]() -> expected<std::uint32_t> {
    auto done = run(forget_, stream, {group, std::to_string(idle / millisecond)});
    if (!done) return tl::unexpected{done.error()};
    return static_cast<std::uint32_t>((*done)->integer);
  });
}

expected<std::vector<group_state>> redis_broker::groups(const std::string& stream) {
  return counted([&] { return find_groups(stream); });
}

expected<std::vector<taken_message>> redis_broker::take_some(const std::string& stream, const std::string& group,
                                                             const std::string& consumer, std::size_t limit,
                                                             nanoseconds patience) {
  if (auto sound = broker_rules::check_name("consumer", consumer); !sound) return tl::unexpected{sound.error()};
  auto until = system_clock().monotonic() + patience;
  auto most = static_cast<std::size_t>(options_.max_pending_messages);
  for (;;) {
    auto pending = session_.ask({"XPENDING", stream, group});
    if (!pending) return tl::unexpected{pending.error()};
    auto count = static_cast<std::size_t>((*pending)->element[0]->integer);
    auto left = until - system_clock().monotonic();
    if (count < most && limit > 0) return read_group(stream, group, consumer, std::min(limit, most - count), left);
    if (left <= 0 || limit == 0) return std::vector<taken_message>{};
    pause(std::min(left, look_again));
  }
}

expected<std::vector<taken_message>> redis_broker::read_group(const std::string& stream, const std::string& group,
                                                              const std::string& consumer, std::size_t limit,
                                                              nanoseconds patience) {
  redis_command command{"XREADGROUP", "GROUP", group, consumer, "COUNT", std::to_string(limit)};
  if (patience > 0) // 0 would be for ever
    command.insert(command.end(), {"BLOCK", std::to_string(std::max<nanoseconds>(patience / millisecond, 1))});
  command.insert(command.end(), {"STREAMS", stream, ">"});
  auto reply = session_.ask(command);
  if (!reply) return tl::unexpected{reply.error()};
  std::vector<taken_message> out;
  if ((*reply)->type != REDIS_REPLY_ARRAY || (*reply)->elements == 0) return out;
  auto found = messages_of(*(*reply)->element[0]->element[1]);
  if (!found) return tl::unexpected{found.error()};
  for (auto& x : *found) out.push_back({std::move(x), 1});
  statistics_.read += out.size();
  return out;
}

expected<claimed_messages> redis_broker::claim_some(const std::string& stream, const std::string& group,
                                                    const std::string& consumer, std::size_t limit) {
  if (auto sound = broker_rules::check_name("consumer", consumer); !sound) return tl::unexpected{sound.error()};
  claimed_messages out;
  for (std::string cursor = "0-0"; out.messages.size() < limit;) {
    auto reply = session_.ask({"XAUTOCLAIM", stream, group, consumer, std::to_string(options_.stale_after_ms), cursor,
                               "COUNT", std::to_string(limit - out.messages.size())});
    if (!reply) return tl::unexpected{reply.error()};
    auto found = messages_of(*(*reply)->element[1]);
    if (!found) return tl::unexpected{found.error()};
    for (auto& x : *found) out.messages.push_back({std::move(x), 1});
    out.lost += (*reply)->element[2]->elements;
    cursor = text_of(*(*reply)->element[0]);
    if (cursor == "0-0" || session_.is_late()) break;
  }
  if (auto counted = count_deliveries(stream, group, out.messages); !counted) return tl::unexpected{counted.error()};
  statistics_.read += out.messages.size();
  return out;
}

expected<void> redis_broker::count_deliveries(const std::string& stream, const std::string& group,
                                              std::vector<taken_message>& messages) {
  std::vector<redis_command> commands;
  for (const auto& x : messages) {
    auto id = id_of(x.what.number);
    commands.push_back({"XPENDING", stream, group, id, id, "1"});
  }
  auto replies = session_.ask_all(commands);
  if (!replies) return tl::unexpected{replies.error()};
  for (std::size_t i = 0; i < messages.size(); ++i) // [[id, consumer, idle ms, deliveries]]
    if (const auto& found = *(*replies)[i]; found.elements == 1)
      messages[i].deliveries = static_cast<std::uint32_t>(found.element[0]->element[3]->integer);
  return {};
}

expected<std::vector<group_state>> redis_broker::find_groups(const std::string& stream) {
  auto list = session_.ask({"XINFO", "GROUPS", stream});
  if (!list) return tl::unexpected{list.error()};
  std::vector<redis_command> commands{{"XINFO", "STREAM", stream}};
  for (std::size_t i = 0; i < (*list)->elements; ++i) {
    const auto& fields = *(*list)->element[i];
    std::string name{text_of(*value_of(fields, "name"))};
    std::string handed_out{text_of(*value_of(fields, "last-delivered-id"))};
    commands.push_back({"XPENDING", stream, name, "-", "+", "1"});
    commands.push_back({"XRANGE", stream, "(" + handed_out, "+", "COUNT", "1"});
  }
  auto replies = session_.ask_all(commands);
  if (!replies) return tl::unexpected{replies.error()};
  auto ends = ends_of(*replies->front());
  if (!ends) return tl::unexpected{ends.error()};
  std::vector<group_state> out;
  for (std::size_t i = 0; i < (*list)->elements; ++i) {
    auto x = state_of(*(*list)->element[i], *(*replies)[2 * i + 1], *(*replies)[2 * i + 2], *ends);
    if (!x) return tl::unexpected{x.error()};
    out.push_back(std::move(*x));
  }
  return out;
}

expected<group_state> redis_broker::state_of(const redisReply& fields, const redisReply& oldest, const redisReply& next,
                                             const stream_ends& ends) {
  group_state out;
  out.group = text_of(*value_of(fields, "name"));
  out.pending = number_of(fields, "pending");
  out.consumers = static_cast<std::uint32_t>(number_of(fields, "consumers"));
  if (next.elements > 0) {
    auto number = parse_id(text_of(*next.element[0]->element[0]));
    if (!number) return tl::unexpected{number.error()};
    out.first_needed = *number;
    // Where others have removed entries Redis no longer knows how far behind a group is; the numbers do.
    auto* lag = value_of(fields, "lag");
    out.waiting = lag && lag->type == REDIS_REPLY_INTEGER ? static_cast<std::uint64_t>(lag->integer)
                  : ends.last                             ? ends.last->transaction - number->transaction + 1
                                                          : 1;
  }
  if (oldest.elements > 0) {
    auto number = parse_id(text_of(*oldest.element[0]->element[0]));
    if (!number) return tl::unexpected{number.error()};
    out.first_needed = out.first_needed ? std::min(*out.first_needed, *number) : *number;
    out.oldest_idle = oldest.element[0]->element[2]->integer * millisecond;
  }
  return out;
}

} // namespace finstream
