// Rules as bytes, and the rule stage's checkpoint.
#include "actors/logic/rule_names.hpp"
#include "messages/schema/schema.hpp"
#include "messages/value/bytes.hpp"

#include <bit>
#include <cmath>
#include <set>

namespace finstream {

namespace {

constexpr std::uint64_t state_version = 1;
constexpr std::uint64_t book_version = 1;
constexpr nanoseconds longest_cooldown = 366 * 86'400 * second;

void save(byte_writer& out, double x) { out.number(std::bit_cast<std::uint64_t>(x)); }
double load_double(byte_reader& in) { return std::bit_cast<double>(in.number()); }

// DO NOT CHANGE: its hash is in every signal.
void save(byte_writer& out, const signal_rule& x) {
  out.text(x.name);
  out.text(x.condition);
  save(out, x.signal);
  save(out, x.score);
  out.number(static_cast<std::uint64_t>(x.emit));
  out.signed_number(x.cooldown);
  out.number(x.symbols.size());
  for (auto& symbol : x.symbols) out.text(symbol);
}

bool load(byte_reader& in, signal_rule& x) {
  x.name = in.text();
  x.condition = in.text();
  x.signal = load_double(in);
  x.score = load_double(in);
  auto emit = in.number();
  x.emit = static_cast<emit_when>(emit);
  x.cooldown = in.signed_number();
  x.symbols.resize(in.count(1));
  for (auto& symbol : x.symbols) symbol = in.text();
  return emit <= 1 && x.cooldown >= 0 && x.cooldown <= longest_cooldown && std::isfinite(x.signal) &&
         std::isfinite(x.score);
}

} // namespace

std::uint64_t signal_rule::hash() const {
  std::string bytes;
  byte_writer out{bytes};
  finstream::save(out, *this);
  return hash_text(bytes);
}

std::string rule_book::save() const {
  std::string bytes;
  byte_writer out{bytes};
  out.number(book_version);
  out.number(rules.size());
  for (auto& rule : rules) finstream::save(out, rule);
  out.number(names.size());
  for (auto& [name, value] : names) out.text(name), out.text(value);
  out.number(schema);
  out.number(config_hash);
  return bytes;
}

expected<rule_book> rule_book::load(std::string_view bytes) {
  rule_book x;
  byte_reader in{bytes};
  if (in.number() != book_version)
    return fail(errc::incompatible, "the signal rules in the log were written by another version");
  auto sane = true;
  std::set<std::string_view> seen;
  x.rules.resize(in.count(7));
  for (auto& rule : x.rules) sane = finstream::load(in, rule) && seen.insert(rule.name).second && sane;
  x.names.resize(in.count(2));
  for (auto& [name, value] : x.names) name = in.text(), value = in.text();
  x.schema = in.number();
  x.config_hash = in.number();
  if (!in.done() || !sane) return fail(errc::corrupt_record, "the signal rules in the log cannot be read");
  if (auto faults = check_conditions(x); !faults.empty())
    return fail(errc::corrupt_record, "the signal rule `" + x.rules[faults[0].rule].name +
                                        "` in the log cannot be used: " + faults[0].why.message);
  return x;
}

std::string rule_stage::save() const {
  std::string bytes;
  byte_writer out{bytes};
  out.number(state_version);
  out.text(book_.save());
  out.number(series_.size());
  for (auto& [name, s] : series_) {
    out.text(name.first);
    out.text(name.second);
    out.signed_number(s.last_end.ns);
    for (auto& state : s.rules) {
      out.number((state.was_true ? 1u : 0u) | (state.has_emitted ? 2u : 0u));
      if (state.has_emitted) out.signed_number(state.emitted.ns);
    }
  }
  return bytes;
}

expected<rule_stage> rule_stage::load(std::string_view bytes) {
  byte_reader in{bytes};
  auto bad = [](const char* why) {
    return fail(errc::corrupt_record, std::string{"the checkpoint of signals "} + why);
  };
  if (in.number() != state_version)
    return fail(errc::incompatible, "the checkpoint of signals was written by another version");
  auto book = rule_book::load(in.text());
  if (!book) return tl::unexpected{book.error()};
  rule_stage out{std::move(*book)};
  for (auto n = in.count(3); n != 0 && in.good(); --n) {
    key name{in.text(), in.text()};
    auto [at, fresh] = out.series_.try_emplace(std::move(name));
    if (!fresh) return bad("has a series twice");
    auto& s = at->second;
    s.last_end.ns = in.signed_number();
    s.rules.resize(out.book_.rules.size());
    for (auto& state : s.rules) {
      auto flags = in.number();
      if (flags > 3) return bad("has a state that cannot be");
      state.was_true = (flags & 1) != 0;
      state.has_emitted = (flags & 2) != 0;
      if (state.has_emitted) state.emitted.ns = in.signed_number();
    }
  }
  if (!in.done()) return bad("is cut, or bytes follow it");
  return out;
}

} // namespace finstream
