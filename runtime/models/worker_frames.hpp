// What the node and a model's worker say to each other on the worker's standard input and output: frames, each a length
// of four bytes (big-endian) and a msgpack map. docs/models.md has the table.
#pragma once

#include "messages/errors.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace finstream {

inline constexpr std::size_t frame_header_bytes = 4;
inline constexpr std::size_t max_frame_bytes = 8u << 20; // a full batch, or a full answer, and its envelope

// The first frame of a worker that has loaded its model.
struct worker_hello {
  std::string hash;                  // of the bytes it loaded, 16 hex digits
  std::vector<std::string> features; // empty: the model does not know their names
  std::uint64_t columns = 0;         // features a row
  std::uint64_t outputs = 0;         // numbers a row
  std::string library;               // "scikit-learn 1.2.1"
};
// The first frame of one that has not.
struct worker_refusal {
  std::string reason;
};
using worker_greeting = std::variant<worker_hello, worker_refusal>;

struct worker_answer {
  std::uint64_t id = 0;
  std::vector<double> outputs; // row after row
  std::string error;           // not empty: what the model raised, and there are no outputs
};

std::string predict_frame(std::uint64_t id, std::size_t columns, std::span<const double> values);

// How long the frame is whose header this is, or an error when no frame of ours is that long. Errors: io_failure.
expected<std::size_t> frame_length(std::string_view header);
// Of the bytes after the header. Any bytes are safe to read. Errors: io_failure.
expected<worker_greeting> read_greeting(std::string_view body);
expected<worker_answer> read_answer(std::string_view body);

} // namespace finstream
