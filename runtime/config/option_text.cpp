// One value and its text, both ways. No YAML here: that is load.cpp and print.cpp.
#include "runtime/config/options.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>

namespace finstream {

namespace {

template <class... Ts> struct overloaded : Ts... { using Ts::operator()...; };

constexpr std::size_t max_name_bytes = 64;   // is in file names and in every bar
constexpr std::size_t max_quoted_bytes = 60; // of a wrong value in an error message

// The texts of an enum's values, in their order.
constexpr std::array<std::string_view, 5> names_of(log::level) {
  return {"trace", "debug", "info", "warning", "error"};
}
constexpr std::array<std::string_view, 3> names_of(durability) { return {"none", "interval", "batch"}; }
constexpr std::array<std::string_view, 2> names_of(rounding) { return {"reject", "half_even"}; }
constexpr std::array<std::string_view, 3> names_of(raw_capture) { return {"off", "errors", "all"}; }
constexpr std::array<std::string_view, 4> names_of(bus_driver) { return {"embedded", "redis", "nats", "kafka"}; }
constexpr std::array<std::string_view, 2> names_of(framing) { return {"block", "event"}; }
constexpr std::array<std::string_view, 2> names_of(overflow_policy) { return {"delay", "drop"}; }
constexpr std::array<std::string_view, 2> names_of(compression) { return {"none", "zstd"}; }
constexpr std::array<std::string_view, 3> names_of(sasl_mechanism) {
  return {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
}
constexpr std::array<std::string_view, 12> names_of(window_kind) {
  return {"by_name", "vwap", "ohlcv",    "ret",          "logret", "vol",
          "vol_ann", "rsi",  "momentum", "momentum_abs", "skew",   "kurt"};
}
constexpr std::array<std::string_view, 2> names_of(rsi_mode) { return {"wilder", "talib"}; }
constexpr std::array<std::string_view, 2> names_of(rule_emit) { return {"edge", "level"}; }

template <class T>
concept choice = requires(T x) {
  names_of(x);
};

template <class Names> std::string one_of(const Names& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? " or " : ", ";
    out += names[i];
  }
  return out;
}

tl::unexpected<failure> must_be(std::string_view what, std::string_view text) {
  return fail(errc::config_invalid, fmt::format("must be {}, not {}", what, quoted(text)));
}

// Digits only: no sign, no fraction, no unit.
bool read_digits(std::string_view text, std::uint64_t& number) {
  auto end = text.data() + text.size();
  auto [stopped, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && stopped == end;
}

bool is_name(std::string_view text) {
  auto alphanumeric = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  auto fits = [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; };
  return !text.empty() && text.size() <= max_name_bytes && alphanumeric(text[0]) &&
         std::all_of(text.begin(), text.end(), fits);
}

// What a condition can say.
bool is_identifier(std::string_view text) {
  return is_name(text) && (text[0] < '0' || text[0] > '9') && text.find_first_of(".-") == text.npos;
}

bool is_address(const std::string& text) {
  in6_addr buffer; // large enough for either
  return inet_pton(AF_INET, text.c_str(), &buffer) == 1 || inet_pton(AF_INET6, text.c_str(), &buffer) == 1;
}

bool has_form(text_form form, const std::string& text) {
  switch (form) {
  case text_form::any: return !text.empty();
  case text_form::name: return is_name(text);
  case text_form::identifier: return is_identifier(text);
  case text_form::address: return is_address(text);
  case text_form::free:
  case text_form::interval: return true;
  }
  return false;
}

std::string form_text(text_form form) {
  switch (form) {
  case text_form::any: return "a text that is not empty";
  case text_form::name: return fmt::format("a name of up to {} letters, digits, `.`, `_` and `-`", max_name_bytes);
  case text_form::identifier:
    return fmt::format("a name of up to {} letters, digits and `_` that begins with a letter", max_name_bytes);
  case text_form::address: return "an IP address such as 127.0.0.1 or ::";
  case text_form::free:
  case text_form::interval: break;
  }
  return {};
}

// With the unit above each: the counts that divide it.
constexpr std::array<nanoseconds, 11> of_sixty{1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30};
constexpr std::array<nanoseconds, 7> of_a_day{1, 2, 3, 4, 6, 8, 12};
constexpr std::string_view interval_rule =
  "a span of 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 s or m, of 1, 2, 3, 4, 6, 8 or 12 h, or 1d";

} // namespace

std::string_view to_string(bus_driver driver) { return names_of(driver)[static_cast<std::size_t>(driver)]; }

expected<void> assign(const option& x, const std::string& text) {
  auto number = [&](auto* member) -> expected<void> {
    std::uint64_t value = 0;
    if (!read_digits(text, value) || value < x.least || value > x.most)
      return must_be(x.least == x.most ? allowed(x) : "a whole number from " + allowed(x), text);
    *member = static_cast<std::remove_pointer_t<decltype(member)>>(value);
    return {};
  };
  return std::visit(
    overloaded{
      [&](bool* member) -> expected<void> {
        if (text != "true" && text != "false") return must_be(allowed(x), text);
        *member = text == "true";
        return {};
      },
      [&](int* member) { return number(member); },
      [&](std::uint64_t* member) { return number(member); },
      [&](nanoseconds* member) -> expected<void> {
        auto value = parse_span(text);
        auto fits = value && (x.form == text_form::interval ? is_bar_interval(*value)
                                                            : static_cast<std::uint64_t>(*value) >= x.least &&
                                                                static_cast<std::uint64_t>(*value) <= x.most);
        if (!fits) return must_be(x.form == text_form::interval ? allowed(x) : "a span from " + allowed(x), text);
        *member = *value;
        return {};
      },
      [&](double* member) -> expected<void> {
        auto end = text.data() + text.size();
        double value = 0;
        auto [stopped, error] = std::from_chars(text.data() + (text.starts_with('+') ? 1 : 0), end, value);
        if (error != std::errc{} || stopped != end || !std::isfinite(value))
          return must_be("a number such as 1, -0.5 or 1e-3", text);
        *member = value;
        return {};
      },
      [&](std::string* member) -> expected<void> {
        if (!has_form(x.form, text)) return must_be(form_text(x.form), text);
        *member = text;
        return {};
      },
      [&]<choice E>(E* member) -> expected<void> {
        auto names = names_of(E{});
        auto found = std::find(names.begin(), names.end(), text);
        if (found == names.end()) return must_be(allowed(x), text);
        *member = static_cast<E>(found - names.begin());
        return {};
      },
      [&](std::vector<std::string>* member) -> expected<void> {
        member->push_back(text);
        return {};
      },
      [&](std::vector<nanoseconds>* member) -> expected<void> {
        auto span = parse_span(text);
        if (!span || !is_bar_interval(*span)) return must_be(interval_rule, text);
        member->push_back(*span);
        return {};
      },
      [&](auto*) -> expected<void> { return must_be(type_name(x), text); },
    },
    x.value);
}

bool is_single(const option& x) {
  return std::visit(overloaded{[]<class T>(std::vector<T>*) { return false; }, [](auto*) { return true; }}, x.value);
}

std::string value_text(const option& x) {
  auto list = [](const auto& entries, auto text_of) {
    std::string out = "[";
    for (auto& entry : entries) out += (out.size() > 1 ? ", " : "") + text_of(entry);
    return out + "]";
  };
  return std::visit(overloaded{
                      [](bool* member) -> std::string { return *member ? "true" : "false"; },
                      [](int* member) { return std::to_string(*member); },
                      [](std::uint64_t* member) { return std::to_string(*member); },
                      [](nanoseconds* member) { return span_to_string(*member); },
                      [](double* member) { return fmt::format("{}", *member); },
                      [](std::string* member) { return *member; },
                      []<choice E>(E* member) { return std::string{names_of(E{})[static_cast<std::size_t>(*member)]}; },
                      [&](std::vector<std::string>* member) { return list(*member, yaml_text); },
                      [&](std::vector<nanoseconds>* member) { return list(*member, span_to_string); },
                      [](std::vector<std::pair<std::string, std::string>>* member) {
                        std::string out = "{";
                        for (auto& [name, text] : *member)
                          out += (out.size() > 1 ? ", " : "") + name + ": " + yaml_text(text);
                        return out + "}";
                      },
                      [](auto*) -> std::string { return "[]"; }, // a list of maps takes more than a line: print.cpp
                    },
                    x.value);
}

std::string_view type_name(const option& x) {
  return std::visit(overloaded{
                      [](bool*) { return "boolean"; },
                      [](int*) { return "whole number"; },
                      [](std::uint64_t*) { return "whole number"; },
                      [](nanoseconds*) { return "span"; },
                      [](double*) { return "number"; },
                      [](std::string*) { return "text"; },
                      []<choice E>(E*) { return "choice"; },
                      [](std::vector<std::string>*) { return "list of texts"; },
                      [](std::vector<nanoseconds>*) { return "list of spans"; },
                      [](std::vector<std::pair<std::string, std::string>>*) { return "map of texts"; },
                      [](auto*) { return "list of maps"; },
                    },
                    x.value);
}

std::string allowed(const option& x) {
  auto range = [&](auto*) {
    return x.least == x.most ? fmt::format("{}", x.least) : fmt::format("{} to {}", x.least, x.most);
  };
  return std::visit(overloaded{
                      [](bool*) -> std::string { return "true or false"; },
                      [&](int* member) { return range(member); },
                      [&](std::uint64_t* member) { return range(member); },
                      [&](nanoseconds*) {
                        if (x.form == text_form::interval) return std::string{interval_rule};
                        return fmt::format("{} to {}", span_to_string(static_cast<nanoseconds>(x.least)),
                                           span_to_string(static_cast<nanoseconds>(x.most)));
                      },
                      [&](std::string*) { return form_text(x.form); },
                      []<choice E>(E*) { return one_of(names_of(E{})); },
                      [](std::vector<nanoseconds>*) { return std::string{interval_rule}; },
                      [](auto*) { return std::string{}; },
                    },
                    x.value);
}

bool is_bar_interval(nanoseconds span) {
  constexpr auto minute = 60 * second, hour = 60 * minute, day = 24 * hour;
  auto counted = [&](nanoseconds unit, const auto& counts) {
    return span % unit == 0 && std::find(counts.begin(), counts.end(), span / unit) != counts.end();
  };
  return counted(second, of_sixty) || counted(minute, of_sixty) || counted(hour, of_a_day) || span == day;
}

std::string yaml_text(std::string_view text) {
  auto harmless = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
           c == '/' || c == '-';
  };
  // Plain only where no reader could see anything but a text: letters and a few signs, and no word that means something
  // else.
  constexpr std::array<std::string_view, 9> words{"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  std::string lower{text};
  for (auto& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  auto starts_well = !text.empty() && (text[0] < '0' || text[0] > '9') && text[0] != '.' && text[0] != '-';
  if (starts_well && std::all_of(text.begin(), text.end(), harmless) &&
      std::find(words.begin(), words.end(), lower) == words.end())
    return std::string{text};
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\', out += c;
    } else if (c == '$') {
      out += "$$"; // or it would be taken for a variable
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string quoted(std::string_view text) {
  std::string out = "`";
  for (char c : text.substr(0, max_quoted_bytes)) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + (text.size() > max_quoted_bytes ? "...`" : "`");
}

} // namespace finstream
