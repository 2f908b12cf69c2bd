#include "runtime/models/model_card.hpp"

#include "messages/schema/schema.hpp"
#include "messages/value/nearest.hpp"
#include "runtime/models/model.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fmt/core.h>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

namespace finstream {

namespace {

using json = nlohmann::json;

constexpr std::array<std::string_view, 8> known_keys{"kind",   "name",    "model_hash", "features",
                                                     "output", "classes", "nulls",      "signal"};
constexpr std::string_view free_key = "notes"; // whatever the author wants to remember; not read
constexpr double probability_slack = 1e-6;     // what rounding may add to a probability

// Reads one card; the first thing that is wrong is the error, and what follows it is not looked at.
class card_reader {
public:
  card_reader(const json& text, const std::string& path) : text_{text}, path_{path} {}

  expected<model_card> read() {
    check_keys(text_, {known_keys.begin(), known_keys.end()}, "");
    read_names();
    read_output();
    read_signal();
    if (!problem_.empty()) return fail(errc::config_invalid, "model card " + path_ + ": " + problem_);
    return std::move(card_);
  }

private:
  void wrong(std::string what) {
    if (problem_.empty()) problem_ = std::move(what);
  }

  void check_keys(const json& object, const std::vector<std::string_view>& known, const std::string& where) {
    for (auto& [key, ignored] : object.items()) {
      if (key == free_key || std::find(known.begin(), known.end(), key) != known.end()) continue;
      auto meant = nearest(key, known);
      wrong(fmt::format("there is no key \"{}{}\"{}", where, key,
                        meant.empty() ? std::string{} : fmt::format(", did you mean \"{}{}\"?", where, meant)));
    }
  }

  std::string text_of(const json& object, const char* key, const std::string& otherwise, const char* what) {
    auto found = object.find(key);
    if (found == object.end() && !otherwise.empty()) return otherwise;
    if (found != object.end() && found->is_string() && !found->get_ref<const std::string&>().empty())
      return found->get<std::string>();
    wrong(fmt::format("\"{}\" must be there and be {}", key, what));
    return {};
  }

  void read_names() {
    auto stem = std::filesystem::path{path_}.stem().stem().string();
    card_.name = text_of(text_, "name", stem, "a name");
    auto kind = text_of(text_, "kind", "", "xgboost or sklearn");
    if (kind == "sklearn") card_.kind = model_kind::sklearn;
    if (kind != "sklearn" && kind != "xgboost") wrong("\"kind\" must be xgboost or sklearn, not " + kind);
    auto hash = text_of(text_, "model_hash", "", "the XXH3 of the model file's bytes");
    auto end = hash.data() + hash.size();
    auto read = std::from_chars(hash.data(), end, card_.model_hash, 16);
    if (hash.size() != 16 || read.ec != std::errc{} || read.ptr != end) wrong("\"model_hash\" must be 16 hex digits");
    auto found = text_.find("features");
    if (found == text_.end() || !found->is_array() || found->empty() || found->size() > max_model_features)
      return wrong(fmt::format("\"features\" must be a list of 1 to {} names", max_model_features));
    std::set<std::string> seen;
    for (auto& feature : *found) {
      if (!feature.is_string() || feature.get_ref<const std::string&>().empty())
        return wrong("each of \"features\" must be a name");
      card_.features.push_back(feature.get<std::string>());
      if (!seen.insert(card_.features.back()).second)
        return wrong(fmt::format("feature \"{}\" is there twice", card_.features.back()));
    }
  }

  void read_output() {
    auto output = text_of(text_, "output", "", "probability or number");
    if (output == "number") card_.output = model_output::number;
    if (output != "number" && output != "probability") wrong("\"output\" must be probability or number, not " + output);
    auto nulls = text_of(text_, "nulls", "skip", "skip or pass");
    card_.passes_nulls = nulls == "pass";
    if (nulls != "pass" && nulls != "skip") wrong("\"nulls\" must be skip or pass, not " + nulls);
    auto classes = text_.find("classes");
    if (card_.output == model_output::number) {
      if (classes != text_.end()) wrong("\"classes\" are of output probability; a number has none");
      return;
    }
    if (classes == text_.end() || !classes->is_array() || classes->size() < 2 || classes->size() > max_model_classes)
      return wrong(fmt::format("\"classes\" must be the signal's values for the model's 2 to {} classes, in its order, "
                               "such as [-1, 1]",
                               max_model_classes));
    for (auto& value : *classes) {
      if (!value.is_number()) return wrong("each of \"classes\" must be a number");
      card_.classes.push_back(value.get<double>());
    }
  }

  void read_signal() {
    auto signal = text_.find("signal");
    if (signal == text_.end() || !signal->is_object())
      return wrong("\"signal\" must be there: {\"name\": ..., \"threshold\": ...}");
    check_keys(*signal, {"name", "threshold"}, "signal.");
    card_.signal_name = text_of(*signal, "name", card_.name, "a name");
    auto threshold = signal->find("threshold");
    if (threshold == signal->end() || !threshold->is_number())
      return wrong("\"signal.threshold\" must be a number: a prediction with a lower score makes no signal");
    card_.threshold = threshold->get<double>();
    bool is_share = card_.output == model_output::probability;
    if (!(card_.threshold >= 0) || !std::isfinite(card_.threshold) || (is_share && card_.threshold > 1))
      wrong(is_share ? "\"signal.threshold\" of a probability is from 0 to 1" : "\"signal.threshold\" is 0 or more");
  }

  const json& text_;
  const std::string& path_;
  model_card card_;
  std::string problem_;
};

expected<std::string> read_file(const std::string& path, std::size_t most, const char* what) {
  std::error_code error;
  auto size = std::filesystem::file_size(path, error);
  if (error == std::errc::no_such_file_or_directory)
    return fail(errc::not_found, fmt::format("there is no {} {}", what, path));
  if (error) return fail(errc::io_failure, fmt::format("{} {} cannot be read: {}", what, path, error.message()));
  if (size > most)
    return fail(errc::config_invalid, fmt::format("{} {} has {} bytes, {} are the most", what, path, size, most));
  std::ifstream file{path, std::ios::binary};
  std::string bytes{std::istreambuf_iterator<char>{file}, {}};
  if (!file.is_open() || file.bad() || bytes.size() != size)
    return fail(errc::io_failure, fmt::format("{} {} cannot be read: {}", what, path, std::strerror(errno)));
  return bytes;
}

expected<prediction> decide_class(const model_card& card, std::span<const double> output) {
  std::vector<double> both;
  if (output.size() == 1 && card.classes.size() == 2) {
    both = {1 - output[0], output[0]};
    output = both;
  }
  bool possible = output.size() == card.classes.size();
  for (auto p : output) possible = possible && p >= -probability_slack && p <= 1 + probability_slack;
  if (!possible)
    return fail(errc::io_failure, fmt::format("the output of model {} is not {} probabilities, as its card says",
                                              card.name, card.classes.size()));
  auto most = std::max_element(output.begin(), output.end()) - output.begin();
  return prediction{card.classes[static_cast<std::size_t>(most)], output[static_cast<std::size_t>(most)]};
}

} // namespace

std::string_view to_string(model_kind kind) {
  switch (kind) {
  case model_kind::xgboost: return "xgboost";
  case model_kind::sklearn: return "sklearn";
  }
  return "unknown";
}

std::string_view to_string(model_output output) {
  switch (output) {
  case model_output::probability: return "probability";
  case model_output::number: return "number";
  }
  return "unknown";
}

std::uint64_t model_card::maker() const { return hash_text(hash_hex(model_hash) + hash_hex(card_hash)); }

expected<prediction> decide(const model_card& card, std::span<const double> output) {
  if (card.output == model_output::probability) return decide_class(card, output);
  if (output.size() != 1 || !std::isfinite(output[0]))
    return fail(errc::io_failure, "the output of model " + card.name + " is not one number, as its card says");
  return prediction{static_cast<double>((output[0] > 0) - (output[0] < 0)), std::abs(output[0])};
}

std::string card_path(const std::string& model_path) {
  return std::filesystem::path{model_path}.replace_extension(".card.json").string();
}

expected<model_card> parse_model_card(std::string_view text, const std::string& path) {
  auto parsed = json::parse(text, nullptr, false);
  if (!parsed.is_object()) return fail(errc::config_invalid, "model card " + path + " is not one JSON object");
  auto card = card_reader{parsed, path}.read();
  if (card) card->card_hash = hash_text(text);
  return card;
}

expected<model_files> read_model_files(const std::string& model_path) {
  auto path = card_path(model_path);
  auto text = read_file(path, max_card_bytes, "model card");
  if (!text) return tl::unexpected{text.error()};
  auto card = parse_model_card(*text, path);
  if (!card) return tl::unexpected{card.error()};
  auto bytes = read_file(model_path, max_model_bytes, "model");
  if (!bytes) return tl::unexpected{bytes.error()};
  if (auto hash = hash_text(*bytes); hash != card->model_hash)
    return fail(errc::config_invalid,
                fmt::format("model {} is not the file that its card describes: its hash is {}, {} says {}. The file is "
                            "damaged, or one of the two was replaced: bring both again from where they were made",
                            model_path, hash_hex(hash), path, hash_hex(card->model_hash)));
  return model_files{std::move(*card), std::move(*bytes)};
}

} // namespace finstream
