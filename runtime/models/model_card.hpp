// What must be known of a model beside its file: which features it wants and in which order, what its output means, and
// from which score on it makes a signal. It is a small JSON file beside the model, `trend.card.json` beside `trend.ubj`
// or `trend.pkl`; docs/models.md says what it holds.
//
// The card names the hash of the model's bytes, and no file with other bytes is opened. That is not ceremony: reading a
// damaged UBJ file, libxgboost crashes this process or hangs, and a pickle is code. The hash keeps out accidents; who
// can write both files can still run what he likes.
#pragma once

#include "messages/errors.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

inline constexpr std::size_t max_card_bytes = 256 * 1024;
inline constexpr std::size_t max_model_bytes = 256u << 20; // forests of a gigabyte do not answer within a bar
inline constexpr std::size_t max_model_features = 1024;    // a row and a card that a person can still read
inline constexpr std::size_t max_model_classes = 64;       // bounds what an answer can weigh

enum class model_kind : std::uint8_t { xgboost, sklearn };
std::string_view to_string(model_kind kind);

// What the columns of the model's raw output are.
enum class model_output : std::uint8_t {
  probability, // of each class; a single column is that of the second of two
  number,      // one number, such as an expected return
};
std::string_view to_string(model_output output);

struct prediction;

struct model_card {
  std::string name; // of the model: what a signal says as its adapter
  model_kind kind = model_kind::xgboost;
  std::uint64_t model_hash = 0;      // XXH3 of the model file's bytes
  std::uint64_t card_hash = 0;       // the same of the card's own
  std::vector<std::string> features; // names of feature values, in the order of the columns
  model_output output = model_output::probability;
  std::vector<double> classes; // of `probability`: the signal's value for each class, in the model's order
  bool passes_nulls = false;   // the model knows what a missing value means; else rows that have one are left out
  std::string signal_name;
  double threshold = 0; // a prediction with a lower score makes no signal

  // Both files' hash, for signal.maker: another threshold makes other signals, as another model does.
  std::uint64_t maker() const;
};

// One row of raw output to a prediction. `probability`: the most probable class, the first of equals, and its
// probability. `number`: its sign and its size. Errors: io_failure, where the output cannot be what the card says.
expected<prediction> decide(const model_card& card, std::span<const double> output);

// `models/trend.card.json` for `models/trend.ubj`.
std::string card_path(const std::string& model_path);
// Reads a card's text; an unknown key is an error. Errors: config_invalid.
expected<model_card> parse_model_card(std::string_view text, const std::string& path);

struct model_files {
  model_card card;
  std::string bytes; // of the model; their hash is the card's
};
// Errors: not_found, io_failure, config_invalid.
expected<model_files> read_model_files(const std::string& model_path);

} // namespace finstream
