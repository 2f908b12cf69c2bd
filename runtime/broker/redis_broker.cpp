#include "runtime/broker/redis_broker.hpp"

#include "runtime/broker/redis_entries.hpp"
#include "runtime/broker/rules.hpp"

#include <algorithm>
#include <hiredis/hiredis.h>

namespace finstream {

using namespace redis_entries;

namespace {

constexpr std::size_t max_message_bytes = 8u << 20; // Redis would take more, and hold up everybody while it does
constexpr std::size_t transaction_bytes = 8u << 20; // of bodies: Redis does nothing else meanwhile
constexpr std::size_t transaction_messages = 10'000;
constexpr std::size_t first_read = 16; // messages, until it is known how large they are
constexpr std::size_t most_read = 1000;

bool is_unknown_script(const redisReply& reply) {
  return reply.type == REDIS_REPLY_ERROR && std::string_view{reply.str, reply.len}.starts_with("NOSCRIPT");
}

// From the front: as much as one transaction may have, and one at least.
std::size_t messages_of_one_transaction(std::span<const broker_message> messages) {
  std::size_t count = 0, bytes = 0;
  while (count < messages.size() && count < transaction_messages) {
    bytes += messages[count].body.size();
    if (count > 0 && bytes > transaction_bytes) break;
    ++count;
  }
  return count;
}

} // namespace

redis_broker::redis_broker(redis_address address, broker_options options)
  : options_{std::move(options)}, session_{std::move(address), options_.connect_timeout_ms,
                                           options_.request_timeout_ms},
    health_{options_.health_interval_ms} {}

expected<void> redis_broker::open_stream(const std::string& stream) {
  return counted([&]() -> expected<void> {
    if (auto sound = broker_rules::check_name("stream", stream); !sound) return sound;
    auto type = session_.ask({"TYPE", stream});
    if (!type) return tl::unexpected{type.error()};
    if (text_of(**type) == "stream") return {};
    if (text_of(**type) != "none")
      return fail(errc::incompatible, stream + " in " + session_.server() + " is a " + std::string{text_of(**type)} +
                                        " and not a stream: remove it, or choose another name");
    // There is no other way to make a stream that has nothing in it.
    auto made = session_.exchange({{"XGROUP", "CREATE", stream, "finstream:opening", "0", "MKSTREAM"},
                                   {"XGROUP", "DESTROY", stream, "finstream:opening"}});
    if (!made) return tl::unexpected{made.error()};
    return unless_there(*made->front());
  });
}

expected<void> redis_broker::publish(const std::string& stream, std::optional<message_number> after,
                                     std::span<const broker_message> messages) {
  return counted([&]() -> expected<void> {
    if (auto sound = broker_rules::check_name("stream", stream); !sound) return sound;
    if (auto sound = broker_rules::check_messages(after, messages, max_message_bytes); !sound) return sound;
    while (!messages.empty()) {
      auto some = messages.first(messages_of_one_transaction(messages));
      auto done = publish_some(stream, after, some);
      if (!done) return done;
      after = some.back().number;
      messages = messages.subspan(some.size());
    }
    return {};
  });
}

expected<std::vector<broker_message>> redis_broker::read(const std::string& stream, std::optional<message_number> after,
                                                         std::size_t limit, std::size_t limit_bytes) {
  return counted([&] { return read_some(stream, after, limit, limit_bytes); });
}

expected<stream_ends> redis_broker::ends(const std::string& stream) {
  return counted([&] { return find_ends(stream); });
}

expected<void> redis_broker::trim(const std::string& stream, message_number first_kept) {
  return counted([&]() -> expected<void> {
    auto ends = find_ends(stream);
    if (!ends) return tl::unexpected{ends.error()};
    auto states = find_groups(stream);
    if (!states) return tl::unexpected{states.error()};
    if (ends->last) first_kept = std::min(first_kept, *ends->last);
    for (const auto& x : *states)
      if (x.first_needed) first_kept = std::min(first_kept, *x.first_needed);
    // Each drops whole nodes of the stream's tree, and not too many, so that others get their turn.
    for (;;) {
      auto dropped = session_.ask({"XTRIM", stream, "MINID", "~", id_of(first_kept)});
      if (!dropped) return tl::unexpected{dropped.error()};
      if ((*dropped)->integer == 0 || session_.is_late()) return {};
    }
  });
}

expected<void> redis_broker::remove_stream(const std::string& stream) {
  return counted([&]() -> expected<void> {
    if (auto sound = broker_rules::check_name("stream", stream); !sound) return sound;
    auto done = session_.ask({"UNLINK", stream});
    return done ? expected<void>{} : tl::unexpected{done.error()};
  });
}

expected<void> redis_broker::health() {
  return health_.ask([&] {
    return counted([&]() -> expected<void> {
      auto answer = session_.ask({"PING"});
      return answer ? expected<void>{} : tl::unexpected{answer.error()};
    });
  });
}

broker_statistics redis_broker::statistics() const {
  auto out = statistics_;
  out.connects = session_.connects();
  return out;
}

broker_capabilities redis_broker::capabilities() const { return {"redis", max_message_bytes, false, true}; }

expected<void> redis_broker::load(script& which) {
  auto hash = session_.ask({"SCRIPT", "LOAD", which.text});
  if (!hash) return tl::unexpected{hash.error()};
  which.hash = text_of(**hash);
  return {};
}

expected<redis_reply> redis_broker::run(script& which, const std::string& stream, const redis_command& arguments) {
  for (int attempt = 0;; ++attempt) {
    if (which.hash.empty())
      if (auto loaded = load(which); !loaded) return tl::unexpected{loaded.error()};
    redis_command command{"EVALSHA", which.hash, "1", stream};
    command.insert(command.end(), arguments.begin(), arguments.end());
    auto replies = session_.exchange({command});
    if (!replies) return tl::unexpected{replies.error()};
    which.hash = is_unknown_script(*replies->front()) && attempt == 0 ? "" : which.hash;
    if (which.hash.empty()) continue;
    if (auto sound = session_.check(*replies->front(), "a script"); !sound) return tl::unexpected{sound.error()};
    return std::move(replies->front());
  }
}

expected<void> redis_broker::publish_some(const std::string& stream, std::optional<message_number> after,
                                          std::span<const broker_message> messages) {
  for (;;) {
    auto watched = session_.ask({"WATCH", stream});
    if (!watched) return tl::unexpected{watched.error()};
    auto last = run(last_id_, stream, {});
    if (!last) return tl::unexpected{last.error()};
    if (auto id = text_of(**last); id != id_of(after)) {
      auto found = parse_id(id);
      if (!found) return tl::unexpected{found.error()};
      return broker_rules::conflict_in(stream, after,
                                       *found == message_number{} ? std::nullopt : std::optional{*found});
    }
    auto added = add_all(stream, messages);
    if (!added) return tl::unexpected{added.error()};
    if (*added) break;
  }
  count_published(messages);
  return {};
}

expected<bool> redis_broker::add_all(const std::string& stream, std::span<const broker_message> messages) {
  redis_request request;
  request.add({"MULTI"});
  auto log = std::to_string(messages.front().log_id);
  for (const auto& x : messages)
    request.add({"XADD", stream, id_of(x.number), "type", x.type, "body", x.body, "last", x.is_last_part ? "1" : "0",
                 "log", log});
  request.add({"EXEC"});
  auto replies = session_.exchange(request);
  if (!replies) return tl::unexpected{replies.error()};
  for (const auto& x : *replies)
    if (auto sound = session_.check(*x, "publishing"); !sound) return tl::unexpected{sound.error()};
  const auto& outcome = *replies->back(); // of each, or nothing
  for (std::size_t i = 0; i < outcome.elements; ++i)
    if (auto sound = session_.check(*outcome.element[i], "publishing"); !sound) return tl::unexpected{sound.error()};
  return outcome.type == REDIS_REPLY_ARRAY;
}

void redis_broker::count_published(std::span<const broker_message> messages) {
  statistics_.published += messages.size();
  for (const auto& x : messages) statistics_.published_bytes += x.body.size();
}

expected<stream_ends> redis_broker::find_ends(const std::string& stream) {
  auto info = session_.ask({"XINFO", "STREAM", stream});
  return info ? ends_of(**info) : tl::unexpected{info.error()};
}

expected<std::vector<broker_message>> redis_broker::read_some(const std::string& stream,
                                                              std::optional<message_number> after, std::size_t limit,
                                                              std::size_t limit_bytes) {
  std::vector<broker_message> out;
  std::size_t bytes = 0, ask_for = first_read;
  for (auto from = after; out.size() < limit && (out.empty() || bytes < limit_bytes);) {
    ask_for = std::min(ask_for, limit - out.size());
    auto entries =
      session_.ask({"XRANGE", stream, from ? "(" + id_of(*from) : "-", "+", "COUNT", std::to_string(ask_for)});
    if (!entries) return tl::unexpected{entries.error()};
    auto found = messages_of(**entries);
    if (!found) return found;
    std::size_t largest = 1;
    for (auto& x : *found) {
      largest = std::max(largest, x.body.size());
      bytes += x.body.size();
      out.push_back(std::move(x));
    }
    if (found->size() < ask_for) break;
    from = out.back().number;
    ask_for = std::clamp<std::size_t>((limit_bytes - std::min(bytes, limit_bytes)) / largest, 1, most_read);
  }
  if (out.empty()) {
    auto ends = find_ends(stream); // it may be that there is no such stream
    if (!ends) return tl::unexpected{ends.error()};
    if (after && limit > 0 && ends->last && *after < *ends->last) {
      auto since = session_.ask({"XRANGE", stream, "(" + id_of(*after), "+", "COUNT", "1"});
      if (!since) return tl::unexpected{since.error()};
      auto found = messages_of(**since);
      if (!found) return found;
      if (found->empty()) return broker_rules::all_trimmed(stream, *after);
      out = std::move(*found); // another has published it since
    }
  }
  if (auto whole = broker_rules::cut_at_hole(stream, after, out); !whole) return tl::unexpected{whole.error()};
  statistics_.read += out.size();
  return out;
}

expected<std::unique_ptr<broker>> open_redis_broker(const broker_options& options) {
  auto address = parse_redis_url(options.url);
  if (!address) return tl::unexpected{address.error()};
  return std::make_unique<redis_broker>(std::move(*address), options);
}

} // namespace finstream
