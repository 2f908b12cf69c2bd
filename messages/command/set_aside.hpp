// What a stage or a store cannot get past, on its way to where it is written as a dead letter: to the partition's
// appender or, where another process writes the letters, through a stream of the broker.
#pragma once

#include "messages/event/dead_letter.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace finstream {

// The stages of a partition, in the order in which they stand in line. DO NOT CHANGE THESE VALUES: they are in the log.
enum class line_stage : std::uint8_t { window = 0, features = 1, inference = 2 };
constexpr const char* to_string(line_stage x) {
  return x == line_stage::window ? "window" : x == line_stage::features ? "features" : "inference";
}

// What is to be set aside, as a letter and under a name, so that it is done once. With `from` it is a record of topic
// events, at the letter's cause_offset: this stage and those behind it do not see it. Processes of two versions may
// speak to each other during an upgrade: fields are only ever added at the end.
struct set_aside_request {
  std::string key;
  std::uint16_t partition = 0;
  dead_letter letter;
  std::optional<line_stage> from = {};

  friend bool operator==(const set_aside_request&, const set_aside_request&) = default;
};
template <of<set_aside_request> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"key", x.key}, field{"partition", x.partition}, field{"letter", x.letter}, field{"from", x.from});
}
using set_aside_ptr = std::shared_ptr<const set_aside_request>;

} // namespace finstream
