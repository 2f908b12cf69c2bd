// An actor's own words about itself, for the tree, the shell and the web UI.
#pragma once

#include "messages/field.hpp"

#include <string>

namespace finstream {

struct status_report {
  std::string path;  // in the supervision tree
  std::string state; // one JSON object

  friend bool operator==(const status_report&, const status_report&) = default;
};
template <of<status_report> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"path", x.path}, field{"state", x.state});
}

} // namespace finstream
