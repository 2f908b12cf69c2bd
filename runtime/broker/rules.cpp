#include "runtime/broker/rules.hpp"

#include <algorithm>
#include <limits>

namespace finstream::broker_rules {

namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == ':';
}

// The highest part there can be stands for the whole transaction.
std::string place(message_number after) {
  if (after.part < std::numeric_limits<std::uint32_t>::max()) return to_string(after);
  return "transaction " + std::to_string(after.transaction);
}

expected<void> check_message(const broker_message& x, std::size_t max_message_bytes) {
  if (x.body.size() > max_message_bytes)
    return fail(errc::invalid_argument, "message " + to_string(x.number) + " has " + std::to_string(x.body.size()) +
                                          " bytes, and the broker takes " + std::to_string(max_message_bytes) +
                                          ": divide it into parts");
  return check_name("type of a message", x.type);
}

} // namespace

expected<void> check_name(const char* what, std::string_view name) {
  if (!name.empty() && name.size() <= max_name_bytes && std::ranges::all_of(name, is_name_character)) return {};
  return fail(errc::invalid_argument, "the " + std::string{what} + " cannot be called '" + std::string{name} +
                                        "': a name has 1 to " + std::to_string(max_name_bytes) +
                                        " letters, digits, '_', '-', '.' or ':'");
}

bool follows(message_number previous, message_number next) {
  return next == message_number{previous.transaction, previous.part + 1} ||
         next == message_number{previous.transaction + 1, 0};
}

bool follows(const broker_message& previous, const broker_message& next) {
  return next.number == (previous.is_last_part ? message_number{previous.number.transaction + 1, 0}
                                               : message_number{previous.number.transaction, previous.number.part + 1});
}

expected<void> check_messages(std::optional<message_number> after, std::span<const broker_message> messages,
                              std::size_t max_message_bytes) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto& x = messages[i];
    if (auto sound = check_message(x, max_message_bytes); !sound) return sound;
    bool in_order = i > 0   ? follows(messages[i - 1], x)
                    : after ? follows(*after, x.number)
                            : x.number.transaction > 0 && x.number.part == 0;
    if (!in_order)
      return fail(errc::invalid_argument, "message " + to_string(x.number) + " cannot come behind " +
                                            to_string(i > 0 ? messages[i - 1].number : after) +
                                            ": numbers of messages have no holes");
    if (x.log_id != messages[0].log_id)
      return fail(errc::invalid_argument, "message " + to_string(x.number) + " is of another log than those before it");
  }
  return {};
}

expected<void> cut_at_hole(const std::string& stream, std::optional<message_number> after,
                           std::vector<broker_message>& messages) {
  if (after && !messages.empty() && !follows(*after, messages[0].number))
    return fail(errc::trimmed, "stream " + stream + " no longer has what came behind " + place(*after) +
                                 ": it goes on with " + to_string(messages[0].number));
  auto hole =
    std::adjacent_find(messages.begin(), messages.end(), [](const auto& a, const auto& b) { return !follows(a, b); });
  if (hole != messages.end()) messages.erase(hole + 1, messages.end());
  return {};
}

tl::unexpected<failure> all_trimmed(const std::string& stream, message_number after) {
  return fail(errc::trimmed, "stream " + stream + " no longer has what came behind " + place(after) + ": it is empty");
}

std::string to_string(message_number number) {
  return std::to_string(number.transaction) + "." + std::to_string(number.part);
}
std::string to_string(std::optional<message_number> number) { return number ? to_string(*number) : "nothing"; }

tl::unexpected<failure> conflict_in(const std::string& stream, std::optional<message_number> expected_last,
                                    std::optional<message_number> found) {
  return fail(errc::conflict, "the last message of stream " + stream + " should be " + to_string(expected_last) +
                                " and is " + to_string(found) +
                                ": somebody else writes to it, or it was restored or removed; " +
                                "nothing was published");
}

} // namespace finstream::broker_rules
