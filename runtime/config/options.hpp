// THE TABLE of settings: for each key its path in YAML, the member it sets, what it may be and what it means. Loading,
// printing, the reference, the hashes of what decides bars, features and signals, and "did you mean" all follow from
// it, so a key is added in settings.hpp and in options.cpp and nowhere else.
#pragma once

#include "runtime/config/settings.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace finstream {

// The member an option sets; its type says how the value is written.
using option_value =
  std::variant<bool*, int*, std::uint64_t*, nanoseconds*, double*, std::string*, log::level*, durability*, rounding*,
               raw_capture*, bus_driver*, framing*, compression*, sasl_mechanism*, overflow_policy*, window_kind*,
               rsi_mode*, rule_emit*, std::vector<std::string>*, std::vector<nanoseconds>*,
               std::vector<std::pair<std::string, std::string>>*, std::vector<source_set_settings>*,
               std::vector<provider_settings>*, std::vector<feed_settings>*, std::vector<feature_window_settings>*>;

enum class text_form : std::uint8_t {
  any,        // not empty
  name,       // is in file names, metrics and messages
  identifier, // is in conditions, too
  address,    // an IP address
  free,       // may be empty
  interval,   // of a span: a bar's
};

// The first stage whose output a setting is part of; the stages behind it follow.
enum class stage : std::uint8_t { none, bars, features, signals };

struct option {
  std::string_view path; // "windows.allow_late_ms"; of a list's entry, from the entry on: "backoff.max_ms"
  option_value value;
  std::string_view help;   // what it is, and why its limits are what they are
  std::uint64_t least = 0; // of a whole number, or of a span in nanoseconds
  std::uint64_t most = 0;
  text_form form = text_form::any;
  stage decides = stage::none; // is part of semantic_hash(), features_hash(), signals_hash()
};

// The options of `x`, in the order in which they are printed. They point into `x`.
std::vector<option> options_of(settings& x);
std::vector<option> options_of(source_set_settings& x);
std::vector<option> options_of(provider_settings& x);
std::vector<option> options_of(feed_settings& x);
std::vector<option> options_of(feature_window_settings& x);
std::vector<option> options_of(rule_settings& x);
// What a group of options is about: of "windows", of "inference.adapters" ...; empty for a single option.
std::string_view section_help(std::string_view path);

// An entry of a list of maps.
template <class T>
concept has_options = requires(T& x) {
  options_of(x);
};
// Calls `f` with the option's list if its entries are maps. False if it has none.
template <class F> bool with_entries(const option& x, F&& f) {
  auto call = [&]<class T>(T* member) {
    if constexpr (requires { typename T::value_type; })
      if constexpr (has_options<typename T::value_type>) return f(*member), true;
    return false;
  };
  return std::visit(call, x.value);
}

// -- one value and its text
// ----------------------------------------------------------------------------------------------

// Sets a single value, or adds one entry to a list of texts or spans. The error is the rest of a sentence that begins
// with the key: "must be a whole number from 0 to 65535, not `http`".
expected<void> assign(const option& x, const std::string& text);
// Whether `assign` sets all of it: it is neither a list nor a map.
bool is_single(const option& x);
// The single value as `assign` reads it, or the list as YAML reads it: "[1s, 2s]".
std::string value_text(const option& x);
// "whole number", "list of spans" ...
std::string_view type_name(const option& x);
// "0 to 65535", "none, interval or batch" ...; empty where anything goes.
std::string allowed(const option& x);

// A window's length must divide the unit above it, so that windows never cut a minute, an hour or a day unevenly.
bool is_bar_interval(nanoseconds span);
// "text" as YAML reads it back, in quotes where it must be.
std::string yaml_text(std::string_view text);
// `text` for an error message: in backticks, on one line, not too long.
std::string quoted(std::string_view text);

} // namespace finstream
