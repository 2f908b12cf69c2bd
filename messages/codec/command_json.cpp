#include "messages/codec/command_json.hpp"

#include <limits>
#include <nlohmann/json.hpp>

namespace finstream {

namespace {
constexpr int deepest = 8; // of nested arrays and objects: a command needs two
constexpr std::size_t most_channels = 10'000;
} // namespace

expected<client_command> parse_command(std::string_view text, std::optional<std::int64_t>* id) {
  using json = nlohmann::json;
  auto too_deep = false;
  auto bounded = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > deepest;
    return !too_deep;
  };
  auto parsed = json::parse(text.begin(), text.end(), bounded, false);
  if (too_deep || parsed.is_discarded() || !parsed.is_object())
    return fail(errc::bad_command, "a command is one JSON object, such as {\"action\":\"ping\"}");
  client_command out;
  if (auto at = parsed.find("id"); at != parsed.end()) {
    auto too_large = at->is_number_unsigned() && at->get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max();
    if (!at->is_number_integer() || too_large) return fail(errc::bad_command, "\"id\" must be an integer of 64 bits");
    out.id = at->get<std::int64_t>();
    out.has_id = true;
    if (id != nullptr) *id = out.id;
  }
  auto action = parsed.find("action");
  if (action == parsed.end() || !action->is_string())
    return fail(errc::bad_command, "\"action\" must be one of subscribe, unsubscribe, ping and hello");
  out.action = action->get<std::string>();
  auto channels = parsed.find("channels");
  if (channels == parsed.end()) return out;
  if (!channels->is_array() || channels->size() > most_channels)
    return fail(errc::bad_command, "\"channels\" must be a list of texts");
  for (auto& channel : *channels) {
    if (!channel.is_string()) return fail(errc::bad_command, "\"channels\" must be a list of texts");
    out.channels.push_back(channel.get<std::string>());
  }
  return out;
}

} // namespace finstream
