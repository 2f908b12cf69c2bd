// ROLES: what a process does of all that a node does, where several processes share a log on a broker.
//
// clang-format off
//   ingest    runs the feeds, brings in what the backfill lane gets, asks trained models: it writes events; there is one
//   window, features, infer
//             are one step: of the events of a partition its bars, features and signals, written together. Whoever has
//             one of the three does all of it, for its share of the partitions
//   store     writes what is made into a database
//   gateway   serves clients: HTTP and WebSocket
// clang-format on
#pragma once

#include "messages/errors.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace finstream {

enum class role : std::uint8_t { ingest, window, features, infer, store, gateway };
inline constexpr int role_count = 6;
std::string_view to_string(role x);

class role_set {
public:
  static role_set all() { return role_set{(1u << role_count) - 1}; }
  // "window,features". Errors: invalid_argument.
  static expected<role_set> parse(std::string_view list);

  bool has(role x) const { return (bits_ & 1u << static_cast<unsigned>(x)) != 0; }
  bool works() const { return has(role::window) || has(role::features) || has(role::infer); }
  bool is_all() const { return bits_ == (1u << role_count) - 1; }
  std::string text() const;

  friend bool operator==(role_set, role_set) = default;

private:
  explicit role_set(unsigned bits) : bits_{bits} {}

  unsigned bits_;
};

} // namespace finstream
