#include "actors/refused_rows.hpp"

#include "actors/set_aside.hpp"
#include "messages/codec/json.hpp"
#include "messages/codec/msgpack.hpp"
#include "messages/value/excerpt.hpp"
#include "runtime/store/letter_store.hpp"

#include <fmt/format.h>
#include <utility>

namespace finstream {

namespace {

dead_letter_entry entry_of(const log_stream& stream, kept_letter x) {
  auto& letter = x.what;
  dead_letter_entry out;
  out.epoch = stream.epoch, out.where = x.where, out.partition = x.partition, out.offset = x.offset;
  out.code = letter.code;
  out.first_seen = first_seen(letter), out.last_seen = letter.seen_ts;
  out.attempts = letter.attempts;
  out.feed = std::move(letter.feed), out.stage = std::move(letter.stage);
  out.reason = std::move(letter.reason), out.bytes = std::move(letter.bytes);
  return out;
}

void add_to(store_batch& batch, const refusable_row& x) {
  std::visit(
    [&]<class Row>(const Row& row) {
      if constexpr (std::is_same_v<Row, bar>) batch.bars.push_back(row);
      if constexpr (std::is_same_v<Row, feature_vector>) batch.features.push_back(row);
      if constexpr (std::is_same_v<Row, signal>) batch.signals.push_back(row);
      if constexpr (std::is_same_v<Row, dead_letter_entry>) batch.dead_letters.push_back(row);
    },
    x.what);
}

// Halves the rows until the refused ones are alone.
struct search {
  store& into;
  const std::vector<refusable_row>& rows;
  const std::function<void(const store_receipt&)>& stored;
  std::vector<refused_row> refused = {};

  expected<void> go(std::size_t first, std::size_t last) {
    if (first == last) return {};
    store_batch batch;
    for (auto i = first; i < last; ++i) add_to(batch, rows[i]);
    auto receipt = into.apply(batch);
    if (receipt) return stored(*receipt), expected<void>{};
    if (receipt.error().code != errc::invalid_argument) return tl::unexpected{receipt.error()};
    if (last - first == 1) return refused.push_back({&rows[first], receipt.error()}), expected<void>{};
    auto middle = first + (last - first) / 2;
    return go(first, middle).and_then([&] { return go(middle, last); });
  }
};

const char* kind_of(const refusable_row& x) {
  static constexpr const char* names[] = {"bar", "feature vector", "signal", "dead letter"};
  return names[x.what.index()];
}

} // namespace

std::string refusable_row::place() const {
  return fmt::format("{}/{}/{}", to_string(stream.where), stream.partition, offset);
}

expected<void> add_rows(std::vector<refusable_row>& into, const log_stream& stream, const record& from) {
  if (from.kind == record_kind::dead_letter) {
    auto letter = read_letter(stream.where, stream.partition, from);
    if (!letter) return tl::unexpected{letter.error()};
    into.push_back({stream, from.offset, entry_of(stream, std::move(*letter))});
    return {};
  }
  auto items = derived_from_msgpack(from.payload);
  if (!items) return tl::unexpected{items.error()};
  auto offset = from.offset;
  for (auto& item : *items) {
    if (auto* x = std::get_if<bar>(&item)) into.push_back({stream, offset, std::move(*x)});
    if (auto* x = std::get_if<feature_vector>(&item)) into.push_back({stream, offset, std::move(*x)});
    if (auto* x = std::get_if<signal>(&item)) into.push_back({stream, offset, std::move(*x)});
    ++offset; // offsets count the items
  }
  return {};
}

store_batch batch_of(const std::vector<refusable_row>& rows) {
  store_batch out;
  for (auto& x : rows) add_to(out, x);
  return out;
}

expected<std::vector<refused_row>> apply_but_refused(store& into, const std::vector<refusable_row>& rows,
                                                     const std::function<void(const store_receipt&)>& stored) {
  search all{into, rows, stored};
  if (auto done = all.go(0, rows.size()); !done) return tl::unexpected{done.error()};
  return std::move(all.refused);
}

set_aside_request letter_of(const refused_row& x, const std::string& store, timestamp first_seen, timestamp last_seen,
                            int attempts, std::size_t most_bytes) {
  auto& row = *x.row;
  set_aside_request out;
  out.key = set_aside_key(store, row.stream.where, row.stream.partition, row.offset);
  out.partition = row.stream.partition;
  auto& letter = out.letter;
  letter.seen_ts = last_seen;
  letter.first_seen_ts = first_seen;
  letter.code = errc::undeliverable;
  letter.reason = fmt::format("{} refuses this {}: {}", store, kind_of(row), x.why.message);
  letter.stage = "store/" + store;
  letter.cause_topic = std::string{to_string(row.stream.where)};
  letter.cause_offset = row.offset;
  letter.attempts = static_cast<std::uint32_t>(attempts);
  std::visit(
    [&]<class Row>(const Row& what) {
      if constexpr (!std::is_same_v<Row, dead_letter_entry>) {
        append_derived_json(letter.bytes, derived{what}, "");
        letter.config_hash = what.config_hash;
      }
    },
    row.what);
  letter.bytes = std::string{cut_text(letter.bytes, most_bytes)};
  return out;
}

} // namespace finstream
