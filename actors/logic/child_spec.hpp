// A child of a supervisor, as data; and which of its siblings a crash takes along.
#pragma once

#include "messages/value/timestamp.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace finstream {

enum class restart_kind : std::uint8_t {
  permanent, // always started again
  transient, // only after a crash
  temporary, // never
};

enum class strategy : std::uint8_t {
  one_for_one,  // the child that crashed
  rest_for_one, // it, and those started after it
  one_for_all,  // all
};

struct child_spec {
  std::string id;
  restart_kind restart = restart_kind::permanent;
  nanoseconds stop_timeout = 5 * second; // then it is killed
};

// [first, last) of the children that are started again when `crashed` of `count` has crashed.
constexpr std::pair<std::size_t, std::size_t> taken_along(strategy how, std::size_t crashed, std::size_t count) {
  switch (how) {
  case strategy::one_for_one: return {crashed, crashed + 1};
  case strategy::rest_for_one: return {crashed, count};
  case strategy::one_for_all: return {0, count};
  }
  return {crashed, crashed + 1};
}

constexpr bool comes_back(restart_kind kind, bool crashed) {
  return kind == restart_kind::permanent || (kind == restart_kind::transient && crashed);
}

} // namespace finstream
