#include "cli/replay_models.hpp"

#include "actors/answer_rows.hpp"
#include "actors/log_entries.hpp"
#include "cli/commands.hpp"
#include "cli/node_models.hpp"
#include "messages/codec/json.hpp"
#include "messages/schema/schema.hpp"
#include "runtime/clock/clock.hpp"

#include <algorithm>
#include <bit>
#include <fmt/core.h>
#include <map>

namespace finstream {

namespace {

constexpr std::size_t read_bytes = 4u << 20;
constexpr std::uint64_t most_differences_told = 20;
constexpr nanoseconds patience = 60 * second; // nobody waits for these answers

bool same_bits(const std::optional<double>& a, const std::optional<double>& b) {
  return a.has_value() == b.has_value() && (!a || std::bit_cast<std::uint64_t>(*a) == std::bit_cast<std::uint64_t>(*b));
}

std::string words(const answer_row& x) {
  if (!x.score) return "undefined";
  std::string out;
  append_json_double(out, *x.value);
  out += " with score ";
  append_json_double(out, *x.score);
  return out;
}

class second_asking {
public:
  explicit second_asking(const bus& log) : log_{log} {}

  expected<void> open(const settings& config) {
    auto opened = open_models(config, 1);
    if (!opened) return tl::unexpected{opened.error()};
    models_ = std::move(*opened);
    return {};
  }

  expected<void> go_over(std::uint16_t partition) {
    auto range = log_.range(topic::events, partition);
    if (!range) return tl::unexpected{range.error()};
    for (auto offset = range->head; offset < range->next;) {
      auto records = log_.read(topic::events, partition, offset, read_bytes);
      if (!records) return tl::unexpected{records.error()};
      if (records->empty()) break;
      for (auto& r : *records) {
        offset = r.next();
        if (r.kind != record_kind::answers) continue;
        auto entry = to_log_entry(std::move(r));
        if (!entry) return tl::unexpected{entry.error()};
        follow(partition, *(*entry)->answered);
        if (auto asked = ask(partition, *(*entry)->answered); !asked) return asked;
      }
    }
    auto vectors = log_.range(topic::features, partition);
    if (!vectors) return tl::unexpected{vectors.error()};
    for (auto& [name, x] : said_)
      if (auto at = x.until.find(partition); at != x.until.end())
        x.left += vectors->next - std::min(at->second, vectors->next);
    return {};
  }

  int report_all() const {
    for (auto& [why, rows] : left_out_) fmt::print("{} {}\n", counted(rows, "answer"), why);
    for (auto& [name, x] : said_) {
      fmt::print("model {}: {} dealt with", name, counted(x.vectors, "vector"));
      for (auto& [outcome, vectors] : x.by_outcome) fmt::print(", {} {}", vectors, outcome);
      fmt::print("; {} not yet\n", x.left);
    }
    fmt::print("{} of {} asked again, {} differences\n", counted(compared_, "answer"), counted(models_.size(), "model"),
               differences_);
    return differences_ == 0 ? 0 : 1;
  }

private:
  // What the records say of one model's way through the features.
  struct progress {
    std::map<std::uint16_t, std::uint64_t> until; // by partition
    std::map<std::string, std::uint64_t> by_outcome;
    std::uint64_t vectors = 0, left = 0;
  };

  // A record begins where the one before it ended; the first one there is, anywhere.
  void follow(std::uint16_t partition, const answers& recorded) {
    auto& x = said_[recorded.model];
    auto [until, first] = x.until.try_emplace(partition, recorded.features_from);
    if (until->second != recorded.features_from)
      differ(fmt::format("model {}: features/{} from offset {} to {} is {}", recorded.model, partition,
                         std::min(until->second, recorded.features_from),
                         std::max(until->second, recorded.features_from),
                         until->second < recorded.features_from ? "left out" : "there twice"));
    until->second = recorded.features_until;
    auto vectors = recorded.features_until - recorded.features_from;
    x.vectors += vectors;
    x.by_outcome[std::string{to_string(recorded.outcome)}] += vectors;
  }

  void differ(const std::string& what) {
    if (++differences_ <= most_differences_told) fmt::print("{}\n", what);
  }

  expected<void> ask(std::uint16_t partition, const answers& recorded) {
    if (recorded.rows.empty()) return {};
    auto* now = find(recorded);
    if (now == nullptr) return {};
    std::vector<answer_row> rows;
    model_batch given{now->features().size(), {}};
    std::vector<const answer_row*> before;
    for (auto& row : recorded.rows) {
      auto vector = vector_at(partition, row);
      if (!vector) return tl::unexpected{vector.error()};
      if (!*vector) {
        ++left_out_["rest on vectors that are no longer in the log"];
        continue;
      }
      rows.push_back(to_answer_row(**vector, row.vector, now->features(), given.values));
      before.push_back(&row);
    }
    if (rows.empty()) return {};
    auto said = now->predict(given, system_clock().monotonic() + patience);
    if (!said) return fail(said.error().code, "model " + recorded.model + ": " + said.error().message);
    add_predictions(rows, now->card(), given, *said);
    for (std::size_t i = 0; i < rows.size(); ++i) compare(recorded.model, *before[i], rows[i]);
    return {};
  }

  // Null, and it is counted, where the config has no such model.
  model* find(const answers& recorded) {
    for (auto& x : models_) {
      if (x->what->name() != recorded.model) continue;
      if (x->what->card().maker() == recorded.maker) return x->what.get();
      left_out_[fmt::format("are of another model {} than that of the config: its file and card had hash {}, now {}",
                            recorded.model, hash_hex(recorded.maker), hash_hex(x->what->card().maker()))] +=
        recorded.rows.size();
      return nullptr;
    }
    left_out_[fmt::format("are of model {}, which the config does not name", recorded.model)] += recorded.rows.size();
    return nullptr;
  }

  // Nothing: it is trimmed.
  expected<std::optional<feature_vector>> vector_at(std::uint16_t partition, const answer_row& row) {
    auto holds = [&] {
      return at_ && at_partition_ == partition && row.vector >= at_->offset &&
             row.vector < at_->offset + at_->items.size();
    };
    if (!holds()) {
      auto records = log_.read(topic::features, partition, row.vector, 1);
      if (!records && records.error().code == errc::trimmed) return std::nullopt;
      if (!records) return tl::unexpected{records.error()};
      at_ = nullptr;
      at_partition_ = partition;
      if (!records->empty()) {
        auto read = to_derived_record(records->front());
        if (!read) return tl::unexpected{read.error()};
        at_ = std::move(*read);
      }
    }
    auto* vector = holds() ? std::get_if<feature_vector>(&at_->items[row.vector - at_->offset]) : nullptr;
    if (vector == nullptr || vector->symbol != row.symbol || vector->end != row.end)
      return fail(errc::corrupt_record,
                  fmt::format("an answer is about features/{} at offset {}, and no such vector is "
                              "there",
                              partition, row.vector));
    return *vector;
  }

  void compare(const std::string& name, const answer_row& before, const answer_row& now) {
    ++compared_;
    if (same_bits(before.value, now.value) && same_bits(before.score, now.score)) return;
    differ(fmt::format("model {} of {}/{}/{}/{}: recorded {}, now {}", name, before.provider, before.symbol,
                       span_to_string(before.interval), to_string(before.start), words(before), words(now)));
  }

  const bus& log_;
  std::vector<std::unique_ptr<served_model>> models_;
  derived_record_ptr at_; // the last one read
  std::uint16_t at_partition_ = 0;
  std::uint64_t compared_ = 0, differences_ = 0;
  std::map<std::string, std::uint64_t> left_out_; // answers that are not compared, by why
  std::map<std::string, progress> said_;          // by model
};

} // namespace

int ask_models_again(const settings& config, const bus& log, int partitions) {
  second_asking again{log};
  if (auto opened = again.open(config); !opened) return report(opened.error());
  for (int p = 0; p < partitions; ++p)
    if (auto done = again.go_over(static_cast<std::uint16_t>(p)); !done) return report(done.error());
  return again.report_all();
}

} // namespace finstream
