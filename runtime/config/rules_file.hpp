// The file of rules: a list of maps in YAML, checked like a config file. Whether the conditions mean something is not
// decided here, because that depends on the features there are; the places to say it are kept.
#pragma once

#include "runtime/config/load.hpp"

namespace finstream {

inline constexpr std::size_t max_rules = 1000; // each is asked at every bar of every series

struct rules_file {
  struct line_column {
    int line = 1;
    int column = 1;
  };

  std::string name; // of the file
  std::vector<rule_settings> rules;
  std::vector<line_column> conditions; // where each rule's condition is

  // "FILE:LINE:COLUMN: rule `NAME`: why", at the condition.
  failure at_condition(std::size_t rule, const failure& why) const;
};

// Errors: config_invalid, "FILE:LINE:COLUMN: what is wrong, and what to do".
expected<rules_file> load_rules(const std::string& path, const environment& env = process_environment());
expected<rules_file> parse_rules(const std::string& yaml, const std::string& name, const environment& env);

} // namespace finstream
