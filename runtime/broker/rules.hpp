// INTERNAL to runtime/broker: what the contract asks of names, messages and numbers, the same for every driver.
#pragma once

#include "runtime/broker/broker.hpp"

#include <charconv>
#include <string_view>

namespace finstream::broker_rules {

inline constexpr std::size_t max_name_bytes =
  200; // what every broker takes, with room for what a driver puts before it

// Of a stream, a group or a consumer (`what` is for the message): letters, digits, '_', '-', '.' and ':'.
expected<void> check_name(const char* what, std::string_view name);

// Whether `next` may come right behind `previous`. Where `previous` is not at hand, whether it was a last part is not
// known, and both are taken for possible.
bool follows(message_number previous, message_number next);
bool follows(const broker_message& previous, const broker_message& next);

// That these may be published behind `after`: numbers without holes, of one log, types of one word, bodies that fit.
expected<void> check_messages(std::optional<message_number> after, std::span<const broker_message> messages,
                              std::size_t max_message_bytes);

// Of messages as they were read behind `after`: keeps those up to the first hole. errc::trimmed if it is at the start.
expected<void> cut_at_hole(const std::string& stream, std::optional<message_number> after,
                           std::vector<broker_message>& messages);

// Where what is wanted begins, among places of which some first part does not reach it and all behind do: in [low,
// high), or `high`. `guess` is tried first: where all transactions have one part, the numbers say where it is.
// `is_reached` asks the broker.
template <class Place, class Ask>
expected<Place> first_reached(Place low, Place high, std::optional<Place> guess, Ask is_reached) {
  if (guess) {
    auto reached = is_reached(*guess);
    if (!reached) return tl::unexpected{reached.error()};
    (*reached ? high : low) = *reached ? *guess : *guess + 1;
    if (*reached && high > low) {
      auto before = is_reached(high - 1);
      if (!before) return tl::unexpected{before.error()};
      if (!*before) return high;
    }
  }
  while (low < high) {
    auto middle = low + (high - low) / 2;
    auto reached = is_reached(middle);
    if (!reached) return tl::unexpected{reached.error()};
    (*reached ? high : low) = *reached ? middle : middle + 1;
  }
  return low;
}

// Where a message's number and the rest stand beside its body, in the drivers whose messages have headers.
inline constexpr const char* number_header = "FinStream-Number"; // "17.0"
inline constexpr const char* last_header = "FinStream-Last";     // "1": the last part of its transaction
inline constexpr const char* log_header = "FinStream-Log";
inline constexpr const char* type_header = "FinStream-Type";

// Digits, and nothing else.
template <class T> bool parse(std::string_view text, T& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

// Where a stream that once went on behind `after` has nothing there any more.
tl::unexpected<failure> all_trimmed(const std::string& stream, message_number after);

// "17.0"; "nothing".
std::string to_string(message_number number);
std::string to_string(std::optional<message_number> number);

// The sentence for a publish that found another last number.
tl::unexpected<failure> conflict_in(const std::string& stream, std::optional<message_number> expected_last,
                                    std::optional<message_number> found);

} // namespace finstream::broker_rules
