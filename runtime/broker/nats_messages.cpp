#include "runtime/broker/nats_messages.hpp"

#include "runtime/broker/rules.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace finstream::nats_messages {

using namespace broker_rules;

namespace {

constexpr const char* id_header = "Nats-Msg-Id";
constexpr const char* expected_sequence_header = "Nats-Expected-Last-Sequence";
constexpr const char* expected_id_header = "Nats-Expected-Last-Msg-Id";

std::optional<std::string_view> header(natsMsg& message, const char* name) {
  const char* value = nullptr;
  if (natsMsgHeader_Get(&message, name, &value) != NATS_OK || value == nullptr) return std::nullopt;
  return value;
}

tl::unexpected<failure> foreign(natsMsg& message) {
  return fail(errc::incompatible, std::string{"a message of subject "} + natsMsg_GetSubject(&message) +
                                    " is not one of FinStream: something else writes to it");
}

} // namespace

std::string name_of(const std::string& stream_or_group) {
  auto out = stream_or_group;
  std::ranges::replace(out, '.', '=');
  return out;
}
std::string unnamed(const std::string& name) {
  auto out = name;
  std::ranges::replace(out, '=', '.');
  return out;
}

expected<void> check_subject(const std::string& stream) {
  if (!stream.starts_with('.') && !stream.ends_with('.') && stream.find("..") == stream.npos) return {};
  return fail(errc::invalid_argument, "the stream cannot be called '" + stream +
                                        "' in NATS: there must be something before, between and behind its dots");
}

std::string_view text_of(natsMsg& message) {
  return {natsMsg_GetData(&message), static_cast<std::size_t>(natsMsg_GetDataLength(&message))};
}

std::optional<std::uint64_t> number_behind(std::string_view name, std::string_view text) {
  auto at = text.find('"' + std::string{name} + "\":");
  if (at == text.npos) return std::nullopt;
  text.remove_prefix(at + name.size() + 3);
  std::uint64_t out = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} ? std::optional{out} : std::nullopt;
}

nats_message message_for(const broker_message& x, const sending& how) {
  natsMsg* made = nullptr;
  auto status =
    natsMsg_Create(&made, how.subject.c_str(), how.reply.c_str(), x.body.data(), static_cast<int>(x.body.size()));
  ensure(status == NATS_OK, "no memory for a message");
  nats_message out{made};
  auto set = [&](const char* name, const std::string& value) {
    ensure(natsMsgHeader_Set(made, name, value.c_str()) == NATS_OK, "no memory for a header");
  };
  auto number = broker_rules::to_string(x.number);
  set(number_header, number);
  set(last_header, x.is_last_part ? "1" : "0");
  set(log_header, std::to_string(x.log_id));
  set(type_header, x.type);
  set(id_header, how.writer + "/" + number);
  set(expected_sequence_header, std::to_string(how.expected_sequence));
  if (how.expected) set(expected_id_header, how.writer + "/" + broker_rules::to_string(how.expected->number));
  return out;
}

expected<message_number> number_of(natsMsg& message) {
  message_number out;
  auto number = header(message, number_header);
  auto dot = number ? number->find('.') : std::string_view::npos;
  if (dot == std::string_view::npos || !parse(number->substr(0, dot), out.transaction) ||
      !parse(number->substr(dot + 1), out.part))
    return foreign(message);
  return out;
}

expected<broker_message> message_of(natsMsg& message) {
  auto number = number_of(message);
  if (!number) return tl::unexpected{number.error()};
  auto last = header(message, last_header), log = header(message, log_header), type = header(message, type_header);
  broker_message out;
  if (!last || !log || !type || !parse(*log, out.log_id)) return foreign(message);
  out.number = *number;
  out.is_last_part = *last == "1";
  out.type = *type;
  out.body.assign(natsMsg_GetData(&message), static_cast<std::size_t>(natsMsg_GetDataLength(&message)));
  return out;
}

} // namespace finstream::nats_messages
