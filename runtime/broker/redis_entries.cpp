#include "runtime/broker/redis_entries.hpp"

#include <charconv>
#include <hiredis/hiredis.h>

namespace finstream::redis_entries {

namespace {

template <class T> bool parse(std::string_view text, T& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

tl::unexpected<failure> foreign(std::string_view id) {
  return fail(errc::incompatible,
              "entry " + std::string{id} + " of the stream is not a message of FinStream: something else writes to it");
}

} // namespace

std::string id_of(message_number number) {
  return std::to_string(number.transaction) + "-" + std::to_string(number.part);
}
std::string id_of(std::optional<message_number> number) { return number ? id_of(*number) : "0-0"; }

expected<message_number> parse_id(std::string_view id) {
  message_number out;
  auto dash = id.find('-');
  if (dash == id.npos || !parse(id.substr(0, dash), out.transaction) || !parse(id.substr(dash + 1), out.part))
    return foreign(id);
  return out;
}

expected<broker_message> message_of(const redisReply& entry) {
  if (entry.type != REDIS_REPLY_ARRAY || entry.elements != 2) return foreign("(without an id)");
  auto id = text_of(*entry.element[0]);
  auto number = parse_id(id);
  if (!number) return tl::unexpected{number.error()};
  const auto& fields = *entry.element[1];
  auto *type = value_of(fields, "type"), *body = value_of(fields, "body"), *last = value_of(fields, "last"),
       *log = value_of(fields, "log");
  broker_message out;
  if (!type || !body || !last || !log || !parse(text_of(*log), out.log_id)) return foreign(id);
  out.number = *number;
  out.is_last_part = text_of(*last) == "1";
  out.type = text_of(*type);
  out.body = text_of(*body);
  return out;
}

expected<std::vector<broker_message>> messages_of(const redisReply& entries) {
  std::vector<broker_message> out;
  out.reserve(entries.elements);
  for (std::size_t i = 0; i < entries.elements; ++i) {
    auto x = message_of(*entries.element[i]);
    if (!x) return tl::unexpected{x.error()};
    out.push_back(std::move(*x));
  }
  return out;
}

expected<stream_ends> ends_of(const redisReply& info) {
  stream_ends out;
  out.messages = number_of(info, "length");
  auto* generated = value_of(info, "last-generated-id");
  auto last = parse_id(generated ? text_of(*generated) : "");
  if (!last) return tl::unexpected{last.error()};
  if (*last != message_number{}) out.last = *last;
  if (out.messages == 0) return out;
  auto first_entry = message_of(*value_of(info, "first-entry"));
  if (!first_entry) return tl::unexpected{first_entry.error()};
  auto last_entry = message_of(*value_of(info, "last-entry"));
  if (!last_entry) return tl::unexpected{last_entry.error()};
  out.first = first_entry->number;
  out.log_id = last_entry->log_id;
  if (last_entry->number == *last) out.last_is_whole = last_entry->is_last_part;
  return out;
}

std::string_view text_of(const redisReply& reply) {
  return reply.type == REDIS_REPLY_STRING || reply.type == REDIS_REPLY_STATUS ? std::string_view{reply.str, reply.len}
                                                                              : std::string_view{};
}

const redisReply* value_of(const redisReply& list, std::string_view name) {
  for (std::size_t i = 0; i + 1 < list.elements; i += 2)
    if (text_of(*list.element[i]) == name) return list.element[i + 1];
  return nullptr;
}

std::uint64_t number_of(const redisReply& list, std::string_view name) {
  auto* value = value_of(list, name);
  return value && value->type == REDIS_REPLY_INTEGER ? static_cast<std::uint64_t>(value->integer) : 0;
}

} // namespace finstream::redis_entries
