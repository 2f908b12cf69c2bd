// A YAML document -> what a table of options points at. All errors of a file are collected, each with its place, so
// that one run is enough to see what is wrong with it.
#pragma once

#include "runtime/config/load.hpp"
#include "runtime/config/options.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>
#include <yaml-cpp/node/node.h>

namespace finstream {

inline constexpr std::size_t max_config_bytes = 1 << 20; // a larger file is not a config file

// All of a file. Errors: config_invalid, "PATH: the WHAT cannot be read: why".
expected<std::string> read_config_file(const std::string& path, std::string_view what);

struct place {
  int line = 1;
  int column = 1;
};

class yaml_reader {
public:
  yaml_reader(std::string name, const environment& env);

  // Keeps the document. What is read from it later stays empty where this failed, and where there is nothing in it.
  void parse(const std::string& yaml);
  // Whether the document says something at these keys: {"bus", "redis"}.
  bool has(std::initializer_list<const char*> keys) const;

  // The document is a map of settings.
  void read_map(const std::vector<option>& table);
  // The document is a list of maps called `list`; `add` makes place for one more and gives its table.
  void read_list(const std::string& list, std::size_t most, const std::function<std::vector<option>()>& add);

  bool given(const std::string& path) const { return places_.contains(path); } // was read, even if it was wrong
  // The place of the setting, or of what it is missing from.
  place place_of(std::string path) const;
  void complain(const std::string& path, const std::string& sentence);
  // For what is found afterwards. Where something beside it could not be read it is only a consequence, and would
  // confuse.
  void complain_unless_consequence(const std::string& path, const std::string& sentence);

  bool has_errors() const { return !errors_.empty(); }
  tl::unexpected<failure> errors(); // config_invalid, in the order of the file

private:
  struct error {
    place where;
    std::string sentence;
  };

  void complain(place where, const std::string& sentence) { errors_.push_back({where, sentence}); }
  // The value at this path can not be used; or, with a place, the key.
  void fault(const std::string& path, const std::string& sentence);
  void fault(const std::string& path, place key, const std::string& sentence);
  bool is_text(const std::string& yaml);
  bool is_one_document(const std::string& yaml);
  YAML::Node find(std::initializer_list<const char*> keys) const;
  void load_map(const YAML::Node& node, const std::vector<option>& table, const std::string& where,
                const std::string& section);
  void load_entry(const YAML::Node& node, const std::vector<option>& table, place key_place, const std::string& full,
                  const std::string& path);
  void load_value(const YAML::Node& node, const option& x, const std::string& full);
  void load_scalar(const YAML::Node& node, const option& x, const std::string& full);
  void load_list(const YAML::Node& node, const option& x, const std::string& full);
  void load_list_entry(const YAML::Node& node, const std::vector<option>& table, const std::string& here);
  void load_variables(const YAML::Node& node, std::vector<std::pair<std::string, std::string>>& out,
                      const std::string& full);

  std::string name_;
  const environment& env_;
  YAML::Node root_;
  std::map<std::string, place> places_; // of each value read
  std::vector<std::string> faulty_;     // paths that could not be used
  std::vector<error> errors_;
};

} // namespace finstream
