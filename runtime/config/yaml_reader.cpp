#include "runtime/config/yaml_reader.hpp"

#include "messages/value/nearest.hpp"
#include "runtime/config/expand.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <sstream>
#include <tuple>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

namespace finstream {

namespace {

constexpr std::size_t max_list_entries = 10'000; // aliases could make a list of any length
constexpr std::size_t max_errors_shown = 50;

place place_of_mark(const YAML::Mark& mark) { return mark.is_null() ? place{} : place{mark.line + 1, mark.column + 1}; }

// Hears a document and keeps only where it starts.
struct document_start : YAML::EventHandler {
  place where;

  void OnDocumentStart(const YAML::Mark& mark) override { where = place_of_mark(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

std::string join(const std::string& where, const std::string& key) { return where.empty() ? key : where + "." + key; }

// "did you mean `allow_late_ms`?", or what would be known at this place.
std::string hint(const std::vector<option>& table, const std::string& path) {
  auto dot = path.rfind('.');
  auto section = dot == std::string::npos ? std::string{} : path.substr(0, dot + 1);
  auto key = path.substr(section.size());
  std::vector<std::string_view> known;
  for (auto& x : table) {
    if (!x.path.starts_with(section)) continue;
    auto rest = x.path.substr(section.size());
    auto name = rest.substr(0, rest.find('.'));
    if (std::find(known.begin(), known.end(), name) == known.end()) known.push_back(name);
  }
  if (auto best = nearest(key, known); !best.empty()) return fmt::format("did you mean `{}`?", best);
  for (auto& x : table)
    if (x.path.ends_with("." + key)) return fmt::format("did you mean `{}`?", x.path);
  return fmt::format("known here: {}", fmt::join(known, ", "));
}

const char* kind_of(const YAML::Node& node) {
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return "a list";
  return node.IsNull() ? "nothing" : "a single value";
}

} // namespace

expected<std::string> read_config_file(const std::string& path, std::string_view what) {
  auto unreadable = [&](const char* why) {
    return fail(errc::config_invalid, fmt::format("{}: the {} cannot be read: {}", path, what, why));
  };
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(path.c_str(), "re"), std::fclose};
  if (file == nullptr) return unreadable(std::strerror(errno));
  std::string text(max_config_bytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return unreadable(std::strerror(errno));
  if (text.size() > max_config_bytes) return unreadable("it is larger than 1 MiB");
  return text;
}

yaml_reader::yaml_reader(std::string name, const environment& env) : name_{std::move(name)}, env_{env} {}

void yaml_reader::parse(const std::string& yaml) {
  root_ = YAML::Node{};
  if (!is_text(yaml)) return;
  try {
    // The comment at the end is for the parser: without it, it lets a quote that is never closed reach the end of the
    // file.
    auto text = yaml + "\n#";
    if (!is_one_document(text)) return;
    root_ = YAML::Load(text);
    places_[""] = place_of_mark(root_.Mark());
  } catch (const YAML::Exception& reason) {
    auto where = place_of_mark(reason.mark);
    auto lines = static_cast<int>(std::count(yaml.begin(), yaml.end(), '\n')) + 1;
    if (where.line > lines) where = {lines, 1}; // in the comment we added: at the end
    complain(where, "this is not YAML: " + reason.msg);
  }
}

YAML::Node yaml_reader::find(std::initializer_list<const char*> keys) const {
  YAML::Node at;
  at.reset(root_);
  for (auto* key : keys) {
    if (!at.IsMap()) return {};
    YAML::Node next;
    for (const auto& entry : at)
      if (entry.first.IsScalar() && entry.first.Scalar() == key) next.reset(entry.second);
    at.reset(next);
  }
  return at;
}

bool yaml_reader::has(std::initializer_list<const char*> keys) const { return !find(keys).IsNull(); }

void yaml_reader::read_map(const std::vector<option>& table) {
  if (root_.IsNull()) return;
  if (!root_.IsMap())
    return complain(places_[""], fmt::format("a config file is a map of settings, not {}", kind_of(root_)));
  load_map(root_, table, "", "");
}

void yaml_reader::read_list(const std::string& list, std::size_t most,
                            const std::function<std::vector<option>()>& add) {
  if (root_.IsNull()) return;
  if (!root_.IsSequence())
    return complain(places_[""], fmt::format("a file of {} is a list, each entry beginning with a dash, not {}", list,
                                             kind_of(root_)));
  if (root_.size() > most)
    return complain(places_[""], fmt::format("there are {} {}, {} are allowed", root_.size(), list, most));
  for (std::size_t i = 0; i < root_.size(); ++i) {
    auto here = fmt::format("{}[{}]", list, i);
    places_[here] = place_of_mark(root_[i].Mark());
    load_list_entry(root_[i], add(), here);
  }
}

place yaml_reader::place_of(std::string path) const {
  for (;;) {
    auto found = places_.find(path);
    if (found != places_.end()) return found->second;
    auto dot = path.find_last_of(".[");
    if (dot == std::string::npos) return {};
    path.resize(dot);
  }
}

void yaml_reader::complain(const std::string& path, const std::string& sentence) { complain(place_of(path), sentence); }

void yaml_reader::complain_unless_consequence(const std::string& path, const std::string& sentence) {
  auto container = path.substr(0, path.find_last_of(".["));
  auto beside = [&](auto& faulty) { return faulty.starts_with(container); };
  if (std::none_of(faulty_.begin(), faulty_.end(), beside)) complain(path, sentence);
}

tl::unexpected<failure> yaml_reader::errors() {
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

void yaml_reader::fault(const std::string& path, const std::string& sentence) {
  faulty_.push_back(path);
  complain(path, sentence);
}

void yaml_reader::fault(const std::string& path, place key, const std::string& sentence) {
  faulty_.push_back(path);
  complain(key, sentence);
}

// The parser would take some control characters for the end of the file, and say nothing.
bool yaml_reader::is_text(const std::string& yaml) {
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
bool yaml_reader::is_one_document(const std::string& yaml) {
  std::istringstream text{yaml};
  YAML::Parser parser{text};
  document_start one, another;
  if (!parser.HandleNextDocument(one) || !parser.HandleNextDocument(another)) return true;
  complain(another.where, "the settings have ended before this; a config file holds one YAML document");
  return false;
}

// `where` is the full path of this map, `section` the same from where its table begins.
void yaml_reader::load_map(const YAML::Node& node, const std::vector<option>& table, const std::string& where,
                           const std::string& section) {
  std::map<std::string, place> seen;
  for (const auto& entry : node) {
    auto here = place_of_mark(entry.first.Mark());
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
    places_[full] = entry.second.IsNull() ? here : place_of_mark(entry.second.Mark()); // nothing is nowhere
    load_entry(entry.second, table, here, full, join(section, key));
  }
}

void yaml_reader::load_entry(const YAML::Node& node, const std::vector<option>& table, place key_place,
                             const std::string& full, const std::string& path) {
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

void yaml_reader::load_value(const YAML::Node& node, const option& x, const std::string& full) {
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

void yaml_reader::load_scalar(const YAML::Node& node, const option& x, const std::string& full) {
  auto text = expand(node.Scalar(), env_);
  if (!text) return fault(full, fmt::format("key {}: {}", quoted(full), text.error().message));
  auto done = assign(x, *text);
  if (!done) fault(full, fmt::format("key {} {}", quoted(full), done.error().message));
}

void yaml_reader::load_list(const YAML::Node& node, const option& x, const std::string& full) {
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
    places_[here] = entry.IsNull() ? places_[full] : place_of_mark(entry.Mark());
    if (with_entries(x, [&](auto& list) { load_list_entry(entry, options_of(list.emplace_back()), here); })) continue;
    if (entry.IsScalar()) {
      load_scalar(entry, x, here);
    } else {
      fault(here, fmt::format("{} must be a single value, not {}", quoted(here), kind_of(entry)));
    }
  }
}

void yaml_reader::load_list_entry(const YAML::Node& node, const std::vector<option>& table, const std::string& here) {
  if (node.IsMap()) return load_map(node, table, here, "");
  fault(here, fmt::format("{} must be a map of settings, not {}", quoted(here), kind_of(node)));
}

void yaml_reader::load_variables(const YAML::Node& node, std::vector<std::pair<std::string, std::string>>& out,
                                 const std::string& full) {
  if (node.IsNull()) return;
  if (!node.IsMap())
    return fault(full, fmt::format("key {} must be a map of names and texts, not {}", quoted(full), kind_of(node)));
  for (const auto& entry : node) {
    auto here = place_of_mark(entry.first.Mark());
    if (!entry.first.IsScalar() || !is_variable_name(entry.first.Scalar())) {
      auto shown = entry.first.IsScalar() ? quoted(entry.first.Scalar()) : std::string{kind_of(entry.first)};
      complain(here, fmt::format("key {}: {} is not the name of a variable", quoted(full), shown));
      continue;
    }
    auto& name = entry.first.Scalar();
    auto same = [&](auto& x) { return x.first == name; };
    auto value_place = place_of_mark(entry.second.Mark());
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

} // namespace finstream
