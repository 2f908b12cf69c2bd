#include "actors/logic/answer_stage.hpp"

#include "actors/logic/signal_id.hpp"
#include "messages/value/bytes.hpp"

#include <bit>
#include <cmath>

namespace finstream {

namespace {
constexpr std::uint64_t state_version = 1;
} // namespace

void answer_stage::on_answers(const answers& x) {
  auto& model = models_[x.model];
  if (model.maker != x.maker) model = {x.maker, {}}; // another model of this name: what the one before said is no edge
  for (auto& row : x.rows) {
    auto& s = model.by_name[{row.provider, row.symbol}];
    if (row.end <= s.last_end) continue;
    s.last_end = row.end;
    auto is_sure = row.score && row.value && *row.score >= x.threshold;
    auto due = is_sure && (x.level || s.sure_of != row.value);
    s.sure_of = is_sure ? row.value : std::nullopt;
    // An edge within the cooldown is spent, as one of a rule is.
    if (!due || (s.emitted && is_within(*s.emitted, row.end, x.cooldown))) continue;
    s.emitted = row.end;
    emit(x, row);
  }
}

void answer_stage::emit(const answers& said, const answer_row& x) {
  signal out;
  out.provider = x.provider;
  out.symbol = x.symbol;
  out.ts = x.end;
  out.name = said.signal_name;
  out.value = *x.value;
  out.score = *x.score;
  out.adapter = said.model;
  out.maker = said.maker;
  out.interval = x.interval;
  out.bar_start = x.start;
  out.bar_revision = x.inputs_revision;
  out.inputs_start = x.inputs_start;
  out.close = x.close;
  out.inputs = x.inputs;
  out.first_offset = x.first_offset;
  out.last_offset = x.last_offset;
  out.schema = said.schema;
  out.config_hash = said.config_hash;
  out.signal_id = id_of(out);
  output_.push_back(std::move(out));
}

std::string answer_stage::save() const {
  std::string bytes;
  byte_writer out{bytes};
  out.number(state_version);
  out.number(models_.size());
  for (auto& [name, model] : models_) {
    out.text(name);
    out.number(model.maker);
    out.number(model.by_name.size());
    for (auto& [key, s] : model.by_name) {
      out.text(key.first);
      out.text(key.second);
      out.signed_number(s.last_end.ns);
      out.number((s.sure_of ? 1u : 0u) | (s.emitted ? 2u : 0u));
      if (s.sure_of) out.number(std::bit_cast<std::uint64_t>(*s.sure_of));
      if (s.emitted) out.signed_number(s.emitted->ns);
    }
  }
  return bytes;
}

expected<answer_stage> answer_stage::load(std::string_view bytes) {
  byte_reader in{bytes};
  auto bad = [](const char* why) {
    return fail(errc::corrupt_record, std::string{"the checkpoint of models' signals "} + why);
  };
  if (in.number() != state_version)
    return fail(errc::incompatible, "the checkpoint of models' signals was written by another version");
  answer_stage out;
  for (auto models = in.count(3); models != 0 && in.good(); --models) {
    auto [model, is_new] = out.models_.try_emplace(std::string{in.text()});
    if (!is_new) return bad("has a model twice");
    model->second.maker = in.number();
    for (auto n = in.count(4); n != 0 && in.good(); --n) {
      std::pair<std::string, std::string> key;
      key.first = in.text();
      key.second = in.text();
      auto [at, fresh] = model->second.by_name.try_emplace(std::move(key));
      if (!fresh) return bad("has a series twice");
      auto& s = at->second;
      s.last_end.ns = in.signed_number();
      auto flags = in.number();
      if (flags > 3) return bad("has a state that cannot be");
      if ((flags & 1) != 0) s.sure_of = std::bit_cast<double>(in.number());
      if ((flags & 2) != 0) s.emitted = timestamp{in.signed_number()};
      if (s.sure_of && !std::isfinite(*s.sure_of)) return bad("has a value that cannot be");
    }
  }
  if (!in.done()) return bad("is cut, or bytes follow it");
  return out;
}

} // namespace finstream
