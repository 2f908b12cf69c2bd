// Settings as YAML that can be loaded again, and as a reference for people: both are walks along the table of options.
#include "runtime/config/load.hpp"
#include "runtime/config/options.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <sstream>

namespace finstream {

namespace {

constexpr std::size_t comment_width = 100;

constexpr std::string_view yaml_head = R"(# The settings of FinStream: every key, with its default and what it may be.
# A config file needs only what differs. In values, ${NAME} and ${NAME:-default} are replaced from
# the environment, and $$ is a dollar sign; between [ and ] such a value needs quotes.

)";

constexpr std::string_view reference_head = R"(# Settings

Every key a config file can have. What a file leaves out has its default, and a key that is not here is an error.
In values, `${NAME}` is replaced from the environment, `${NAME:-default}` has a default for a variable that is unset or
empty, and `$$` is a dollar sign; between `[` and `]` such a value needs quotes. Settings marked † decide what a bar
is: they are part of the `config_hash` in every bar. Those marked ‡ decide, with them, what a feature or a signal is.
)";

using lines = std::vector<std::string>;

void append_comment(lines& out, const std::string& indent, std::string_view text) {
  std::istringstream words{std::string{text}};
  std::string line = indent + "#";
  for (std::string word; words >> word;) {
    if (line.size() + 1 + word.size() > comment_width) {
      out.push_back(line);
      line = indent + "#";
    }
    line += " " + word;
  }
  if (!text.empty()) out.push_back(line);
}

std::string sentence_of(const option& x) {
  auto range = allowed(x);
  return range.empty() ? std::string{x.help} : fmt::format("{} ({})", x.help, range);
}

lines lines_of(const std::vector<option>& table, bool with_help);

// Each entry's options, with a dash before the first.
template <class Entry> lines entries_of(std::vector<Entry>& entries, bool with_help) {
  lines out;
  for (auto& entry : entries) {
    auto first = true;
    for (auto& line : lines_of(options_of(entry), with_help)) {
      out.push_back((first ? "  - " : "    ") + line);
      first = false;
    }
  }
  return out;
}

// What an entry of an empty list would look like.
template <class Entry> void append_example(lines& out, const std::string& indent) {
  std::vector<Entry> one(1);
  out.push_back(indent + "# An entry, with its defaults:");
  for (auto& line : entries_of(one, true)) out.push_back(indent + "#" + line);
}

void append_option(lines& out, const option& x, const std::string& indent, std::string_view key, bool with_help) {
  if (with_help) append_comment(out, indent, sentence_of(x));
  auto append_list = [&]<class Entry>(std::vector<Entry>& entries) {
    out.push_back(fmt::format("{}{}:{}", indent, key, entries.empty() ? " []" : ""));
    for (auto& line : entries_of(entries, with_help)) out.push_back(indent + line);
    if (entries.empty() && with_help) append_example<Entry>(out, indent);
  };
  if (with_entries(x, append_list)) return;
  auto is_text = std::holds_alternative<std::string*>(x.value);
  out.push_back(fmt::format("{}{}: {}", indent, key, is_text ? yaml_text(value_text(x)) : value_text(x)));
}

// "a.b.c" -> "a", "b", "c".
std::vector<std::string_view> steps_of(std::string_view path) {
  std::vector<std::string_view> out;
  for (std::size_t begin = 0; begin <= path.size();) {
    auto end = std::min(path.find('.', begin), path.size());
    out.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

lines lines_of(const std::vector<option>& table, bool with_help) {
  lines out;
  std::vector<std::string_view> section; // of the last option
  for (auto& x : table) {
    auto steps = steps_of(x.path);
    auto key = steps.back();
    steps.pop_back();
    auto same = static_cast<std::size_t>(
      std::mismatch(section.begin(), section.end(), steps.begin(), steps.end()).first - section.begin());
    if (with_help && !out.empty() && same == 0) out.emplace_back();
    for (auto depth = same; depth < steps.size(); ++depth) {
      std::string indent(2 * depth, ' ');
      auto end = static_cast<std::size_t>(steps[depth].data() + steps[depth].size() - x.path.data());
      if (with_help) append_comment(out, indent, section_help(x.path.substr(0, end)));
      out.push_back(indent + std::string{steps[depth]} + ":");
    }
    section = steps;
    append_option(out, x, std::string(2 * steps.size(), ' '), key, with_help);
  }
  return out;
}

std::string cell(std::string_view text) {
  std::string out;
  for (char c : text) out += c == '|' ? std::string{"\\|"} : std::string{c};
  return out;
}

std::string_view mark_of(const option& x) {
  if (x.decides == stage::none) return "";
  return x.decides == stage::bars ? " †" : " ‡";
}

void append_rows(std::string& out, const std::vector<option>& table, std::string_view prefix,
                 std::string_view section) {
  out += "\n| key | type | default | allowed | meaning |\n| --- | --- | --- | --- | --- |\n";
  for (auto& x : table) {
    auto dot = x.path.find('.');
    if ((dot == x.path.npos ? std::string_view{} : x.path.substr(0, dot)) != section) continue;
    auto value = value_text(x);
    out += fmt::format("| `{}{}`{} | {} | {} | {} | {} |\n", prefix, x.path, mark_of(x), type_name(x),
                       value.empty() ? "" : "`" + cell(value) + "`", cell(allowed(x)), cell(x.help));
  }
}

// The sections of a table, in its order.
std::vector<std::string_view> sections_of(const std::vector<option>& table) {
  std::vector<std::string_view> out;
  for (auto& x : table) {
    auto dot = x.path.find('.');
    if (dot != x.path.npos && (out.empty() || out.back() != x.path.substr(0, dot)))
      out.push_back(x.path.substr(0, dot));
  }
  return out;
}

} // namespace

std::string settings_to_yaml(const settings& x, bool with_help) {
  auto copy = x; // options point at what can be changed
  std::string out{with_help ? yaml_head : std::string_view{}};
  for (auto& line : lines_of(options_of(copy), with_help)) {
    auto end = line.find_last_not_of(' ');
    out += line.substr(0, end + 1) + "\n";
  }
  return out;
}

std::string settings_reference() {
  settings defaults;
  source_set_settings set;
  provider_settings provider;
  feed_settings feed;
  feature_window_settings window;
  auto table = options_of(defaults);
  std::string out{reference_head};
  auto heading = [&](std::string_view path, std::string_view help) {
    out += fmt::format("\n## {}\n\n{}\n", path, help);
  };
  heading("The node", "What stands at the top of the file.");
  append_rows(out, table, "", "");
  for (auto section : sections_of(table)) {
    heading(section, section_help(section));
    append_rows(out, table, "", section);
    if (section == "features") {
      heading("features: windows", "A list of windows, each with these keys.");
      append_rows(out, options_of(window), "features.windows[].", "");
    }
    if (section != "inference") continue;
    heading("source_sets", section_help("source_sets"));
    append_rows(out, options_of(set), "source_sets[].", "");
    heading("providers", section_help("providers"));
    append_rows(out, options_of(provider), "providers[].", "");
    append_rows(out, options_of(provider), "providers[].", "pacing");
    heading("feeds", section_help("feeds"));
    append_rows(out, options_of(feed), "feeds[].", "");
    heading("feeds: backoff", section_help("backoff"));
    append_rows(out, options_of(feed), "feeds[].", "backoff");
  }
  return out;
}

} // namespace finstream
