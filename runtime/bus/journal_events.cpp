// What a journal shows to other programs: one object an event.
#include "messages/codec/event_codec.hpp"
#include "messages/codec/json.hpp"
#include "messages/codec/msgpack.hpp"
#include "runtime/bus/journal.hpp"

namespace finstream {

namespace {

std::string_view type_of(const derived& x) {
  if (std::holds_alternative<bar>(x)) return "bar";
  if (std::holds_alternative<end_of_interval>(x)) return "end_of_interval";
  return std::holds_alternative<feature_vector>(x) ? "features" : "signal";
}

void show(std::vector<shown_event>& out, const new_record& from) {
  if (from.kind == record_kind::events || from.kind == record_kind::backfill) {
    auto batch = decode_events(from.payload);
    if (!batch) return;
    for (auto& row : (*batch)->rows) {
      auto& to = out.emplace_back(shown_event{std::string{to_string(row.kind)}, {}});
      append_market_event_json(to.json, spell_out(**batch, row));
    }
  }
  if (from.kind == record_kind::outputs && from.where != topic::rejected) {
    auto items = derived_from_msgpack(from.payload);
    if (!items) return;
    for (auto& x : *items) append_derived_json(out.emplace_back(shown_event{std::string{type_of(x)}, {}}).json, x, "");
  }
}

} // namespace

std::vector<shown_event> show_events(std::string_view block) {
  std::vector<shown_event> out;
  block_reader reader;
  auto from = reader.add(block);
  if (!from || !*from) return out;
  for (auto& x : (*from)->what.appends) show(out, x);
  return out;
}

} // namespace finstream
