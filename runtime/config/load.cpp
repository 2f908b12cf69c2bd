// Walks the YAML beside the table of options. All errors of a file are collected, each with its place, so that one run
// is enough to see what is wrong with it.
#include "runtime/config/load.hpp"

#include "messages/value/nearest.hpp"
#include "runtime/config/check.hpp"
#include "runtime/config/expand.hpp"
#include "runtime/config/options.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <sstream>
#include <tuple>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

namespace finstream {

namespace {

constexpr std::size_t max_file_bytes = 1 << 20;  // a larger file is not a config file
constexpr std::size_t max_list_entries = 10'000; // aliases could make a list of any length
constexpr std::size_t max_errors_shown = 50;

struct place {
  int line = 1;
  int column = 1;
};

place place_of(const YAML::Mark& mark) { return mark.is_null() ? place{} : place{mark.line + 1, mark.column + 1}; }

// Hears a document and keeps only where it starts.
struct document_start : YAML::EventHandler {
  place where;

  void OnDocumentStart(const YAML::Mark& mark) override { where = place_of(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

class loader {
public:
  loader(const std::string& name, const environment& env) : name_{name}, env_{env} {}

  void load(const std::string& yaml, settings& out) {
    if (!is_text(yaml)) return;
    try {
      // The comment at the end is for the parser: without it, it lets a quote that is never closed reach the end of the
      // file.
      auto text = yaml + "\n#";
      if (!is_one_document(text)) return;
      auto root = YAML::Load(text);
      if (root.IsNull()) return;
      places_[""] = place_of(root.Mark());
      if (!root.IsMap())
        return complain(places_[""], fmt::format("a config file is a map of settings, not {}", kind_of(root)));
      load_map(root, options_of(out), "", "");
    } catch (const YAML::Exception& reason) {
      auto where = place_of(reason.mark);
      auto lines = static_cast<int>(std::count(yaml.begin(), yaml.end(), '\n')) + 1;
      if (where.line > lines) where = {lines, 1}; // in the comment we added: at the end
      complain(where, "this is not YAML: " + reason.msg);
    }
  }

  // What check.cpp finds. Where something beside it could not be read it is only a consequence, and would confuse.
  void complain_unless_consequence(const std::string& path, const std::string& sentence) {
    auto container = path.substr(0, path.find_last_of(".["));
    auto beside = [&](auto& faulty) { return faulty.starts_with(container); };
    if (std::none_of(faulty_.begin(), faulty_.end(), beside)) complain(place_of_path(path), sentence);
  }

  bool has_errors() const { return !errors_.empty(); }

  tl::unexpected<failure> errors() {
    auto earlier = [](auto& a, auto& b) {
      return std::tie(a.where.line, a.where.column) < std::tie(b.where.line, b.where.column);
    };
    std::stable_sort(errors_.begin(), errors_.end(), earlier);
    std::string out;
    for (std::size_t i = 0; i < errors_.size() && i < max_errors_shown; ++i) {
      auto& [where, sentence] = errors_[i];
      out += fmt::format("{}{}:{}:{}: {}", i == 0 ? "" : "\n", name_, where.line, where.column, sentence);
    }
    if (errors_.size() > max_errors_shown)
      out += fmt::format("\n{}: and {} more", name_, errors_.size() - max_errors_shown);
    return fail(errc::config_invalid, out);
  }

private:
  struct error {
    place where;
    std::string sentence;
  };

  void complain(place where, const std::string& sentence) { errors_.push_back({where, sentence}); }

  // The value at this path can not be used.
  void fault(const std::string& path, const std::string& sentence) {
    faulty_.push_back(path);
    complain(place_of_path(path), sentence);
  }

  // The key at this path can not be used.
  void fault(const std::string& path, place key, const std::string& sentence) {
    faulty_.push_back(path);
    complain(key, sentence);
  }

  // The place of the setting, or of what it is missing from.
  place place_of_path(std::string path) const {
    for (;;) {
      auto found = places_.find(path);
      if (found != places_.end()) return found->second;
      auto dot = path.find_last_of(".[");
      if (dot == std::string::npos) return {};
      path.resize(dot);
    }
  }

  // The parser would take some control characters for the end of the file, and say nothing.
  bool is_text(const std::string& yaml) {
    place here;
    for (char c : yaml) {
      auto byte = static_cast<unsigned char>(c);
      if ((byte < 0x20 && c != '\n' && c != '\t' && c != '\r') || byte == 0x7f) {
        complain(here, fmt::format("byte 0x{:02x} has no place in a config file; it must be UTF-8 text", byte));
        return false;
      }
      here = c == '\n' ? place{here.line + 1, 1} : place{here.line, here.column + 1};
    }
    return true;
  }

  // What is behind the first document would be ignored. (YAML::LoadAll is no help: a brace too many makes it find empty
  // documents for ever.)
  bool is_one_document(const std::string& yaml) {
    std::istringstream text{yaml};
    YAML::Parser parser{text};
    document_start first, second;
    if (!parser.HandleNextDocument(first) || !parser.HandleNextDocument(second)) return true;
    complain(second.where, "the settings have ended before this; a config file holds one YAML document");
    return false;
  }

  static const char* kind_of(const YAML::Node& node) {
    if (node.IsMap()) return "a map";
    if (node.IsSequence()) return "a list";
    return node.IsNull() ? "nothing" : "a single value";
  }

  // `where` is the full path of this map, `section` the same from where its table begins.
  void load_map(const YAML::Node& node, const std::vector<option>& table, const std::string& where,
                const std::string& section) {
    std::map<std::string, place> seen;
    for (const auto& entry : node) {
      auto here = place_of(entry.first.Mark());
      if (!entry.first.IsScalar()) {
        complain(here, fmt::format("a key must be a single word, not {}", kind_of(entry.first)));
        continue;
      }
      auto key = entry.first.Scalar();
      auto full = join(where, key);
      auto [first, fresh] = seen.try_emplace(key, here);
      if (!fresh) {
        fault(full, here,
              fmt::format("key {} is there twice; it was first in line {}", quoted(full), first->second.line));
        continue;
      }
      places_[full] = entry.second.IsNull() ? here : place_of(entry.second.Mark()); // nothing is nowhere
      load_entry(entry.second, table, here, full, join(section, key));
    }
  }

  void load_entry(const YAML::Node& node, const std::vector<option>& table, place key_place, const std::string& full,
                  const std::string& path) {
    auto same = [&](auto& x) { return x.path == path; };
    auto inside = [&](auto& x) {
      return x.path.size() > path.size() && x.path.starts_with(path) && x.path[path.size()] == '.';
    };
    auto found = std::find_if(table.begin(), table.end(), same);
    if (found != table.end()) {
      load_value(node, *found, full);
    } else if (std::none_of(table.begin(), table.end(), inside)) {
      fault(full, key_place, fmt::format("key {} is not known; {}", quoted(full), hint(table, path)));
    } else if (node.IsMap()) {
      load_map(node, table, full, path);
    } else if (!node.IsNull()) { // all its keys may be commented out
      fault(full, fmt::format("key {} must be a map of settings, not {}", quoted(full), kind_of(node)));
    }
  }

  void load_value(const YAML::Node& node, const option& x, const std::string& full) {
    if (is_single(x)) {
      if (node.IsNull()) {
        fault(full, fmt::format("key {} has no value; write one, or leave the key out", quoted(full)));
      } else if (!node.IsScalar()) {
        fault(full, fmt::format("key {} must be a single value, not {}", quoted(full), kind_of(node)));
      } else {
        load_scalar(node, x, full);
      }
    } else if (auto* map = std::get_if<std::vector<std::pair<std::string, std::string>>*>(&x.value)) {
      load_variables(node, **map, full);
    } else {
      load_list(node, x, full);
    }
  }

  void load_scalar(const YAML::Node& node, const option& x, const std::string& full) {
    auto text = expand(node.Scalar(), env_);
    if (!text) return fault(full, fmt::format("key {}: {}", quoted(full), text.error().message));
    auto done = assign(x, *text);
    if (!done) fault(full, fmt::format("key {} {}", quoted(full), done.error().message));
  }

  void load_list(const YAML::Node& node, const option& x, const std::string& full) {
    // What the file says replaces the default, it does not add to it.
    std::visit(
      [&]<class T>(T* member) {
        if constexpr (!std::is_scalar_v<T>)
          if (!node.IsNull()) member->clear();
      },
      x.value);
    if (node.IsNull()) return; // all its entries may be commented out
    if (!node.IsSequence()) {
      auto example = full.ends_with("command") ? " such as [program, --option]: nothing splits a text into words" : "";
      return fault(full, fmt::format("key {} must be a list{}, not {}", quoted(full), example, kind_of(node)));
    }
    if (node.size() > max_list_entries)
      return fault(full, fmt::format("key {} has more than {} entries", quoted(full), max_list_entries));
    for (std::size_t i = 0; i < node.size(); ++i) {
      auto entry = node[i];
      auto here = fmt::format("{}[{}]", full, i);
      places_[here] = entry.IsNull() ? places_[full] : place_of(entry.Mark());
      if (auto* feeds = std::get_if<std::vector<feed_settings>*>(&x.value)) {
        load_list_entry(entry, options_of((*feeds)->emplace_back()), here);
      } else if (auto* sets = std::get_if<std::vector<source_set_settings>*>(&x.value)) {
        load_list_entry(entry, options_of((*sets)->emplace_back()), here);
      } else if (entry.IsScalar()) {
        load_scalar(entry, x, here);
      } else {
        fault(here, fmt::format("{} must be a single value, not {}", quoted(here), kind_of(entry)));
      }
    }
  }

  void load_list_entry(const YAML::Node& node, const std::vector<option>& table, const std::string& here) {
    if (node.IsMap()) return load_map(node, table, here, "");
    fault(here, fmt::format("{} must be a map of settings, not {}", quoted(here), kind_of(node)));
  }

  void load_variables(const YAML::Node& node, std::vector<std::pair<std::string, std::string>>& out,
                      const std::string& full) {
    if (node.IsNull()) return;
    if (!node.IsMap())
      return fault(full, fmt::format("key {} must be a map of names and texts, not {}", quoted(full), kind_of(node)));
    for (const auto& entry : node) {
      auto here = place_of(entry.first.Mark());
      if (!entry.first.IsScalar() || !is_variable_name(entry.first.Scalar())) {
        auto shown = entry.first.IsScalar() ? quoted(entry.first.Scalar()) : std::string{kind_of(entry.first)};
        complain(here, fmt::format("key {}: {} is not the name of a variable", quoted(full), shown));
        continue;
      }
      auto& name = entry.first.Scalar();
      auto same = [&](auto& x) { return x.first == name; };
      auto value_place = place_of(entry.second.Mark());
      if (std::any_of(out.begin(), out.end(), same)) {
        complain(here, fmt::format("key {} is there twice", quoted(join(full, name))));
      } else if (!entry.second.IsScalar()) {
        complain(value_place,
                 fmt::format("key {} must be a single value, not {}", quoted(join(full, name)), kind_of(entry.second)));
      } else if (auto text = expand(entry.second.Scalar(), env_); !text) {
        complain(value_place, fmt::format("key {}: {}", quoted(join(full, name)), text.error().message));
      } else {
        out.emplace_back(name, *text);
      }
    }
  }

  // "did you mean `allow_late_ms`?", or what would be known at this place.
  static std::string hint(const std::vector<option>& table, const std::string& path) {
    auto dot = path.rfind('.');
    auto section = dot == std::string::npos ? std::string{} : path.substr(0, dot + 1);
    auto key = path.substr(section.size());
    std::vector<std::string_view> known;
    for (auto& x : table) {
      if (!x.path.starts_with(section)) continue;
      auto rest = x.path.substr(section.size());
      auto name = rest.substr(0, rest.find('.'));
      if (known.empty() || known.back() != name) known.push_back(name);
    }
    if (auto best = nearest(key, known); !best.empty()) return fmt::format("did you mean `{}`?", best);
    for (auto& x : table)
      if (x.path.ends_with("." + key)) return fmt::format("did you mean `{}`?", x.path);
    return fmt::format("known here: {}", fmt::join(known, ", "));
  }

  static std::string join(const std::string& where, const std::string& key) {
    return where.empty() ? key : where + "." + key;
  }

  std::string name_;
  const environment& env_;
  std::map<std::string, place> places_; // of each value read
  std::vector<std::string> faulty_;     // paths that could not be used
  std::vector<error> errors_;
};

} // namespace

expected<settings> parse_settings(const std::string& yaml, const std::string& name, const environment& env) {
  try {
    settings out;
    loader work{name, env};
    work.load(yaml, out);
    check_settings(out, [&](auto& path, auto& sentence) { work.complain_unless_consequence(path, sentence); });
    if (work.has_errors()) return work.errors();
    std::sort(out.windows.intervals.begin(), out.windows.intervals.end());
    return out;
  } catch (const std::exception& reason) {
    return fail(errc::config_invalid, fmt::format("{}: cannot be read: {}", name, reason.what()));
  }
}

expected<settings> load_settings(const std::string& path, const environment& env) {
  auto unreadable = [&](const char* why) {
    return fail(errc::config_invalid, fmt::format("{}: the config file cannot be read: {}", path, why));
  };
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(path.c_str(), "re"), std::fclose};
  if (file == nullptr) return unreadable(std::strerror(errno));
  std::string yaml(max_file_bytes + 1, '\0');
  yaml.resize(std::fread(yaml.data(), 1, yaml.size(), file.get()));
  if (std::ferror(file.get()) != 0) return unreadable(std::strerror(errno));
  if (yaml.size() > max_file_bytes) return unreadable("it is larger than 1 MiB");
  return parse_settings(yaml, path, env);
}

} // namespace finstream
