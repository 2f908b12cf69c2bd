#include "actors/logic/feature_rules.hpp"

#include "messages/value/bytes.hpp"

namespace finstream {

namespace {

constexpr std::uint64_t rules_version = 1;
constexpr nanoseconds longest_span = 366 * (86'400 * second);

std::string fault_of(const feature_window& window, nanoseconds interval) {
  if (window.name.empty()) return "a window has no name";
  if ((window.horizon == 0) == (window.bars == 0))
    return window.name + " needs a span or a number of bars, one of them";
  if (window.horizon < 0 || window.horizon > longest_span || window.horizon % interval != 0)
    return "the span of " + window.name + " is not a multiple of the interval, up to 366 days";
  if (window.kind == feature_kind::rsi && window.bars == 0) return window.name + " has a period of bars, not a span";
  return {};
}

} // namespace

std::string feature_rules::fault() const {
  if (interval <= 0 || interval > longest_span) return "the interval is not a span up to 366 days";
  if (year <= 0) return "the year is not a span";
  if (revise_for < 0 || revise_for > longest_span) return "revise_for is not a span up to 366 days";
  if (max_bars == 0) return "max_bars is zero";
  for (auto& window : windows)
    if (auto why = fault_of(window, interval); !why.empty()) return why;
  return {};
}

std::string feature_rules::save() const {
  std::string bytes;
  byte_writer out{bytes};
  out.number(rules_version);
  out.signed_number(interval);
  out.number(windows.size());
  for (auto& window : windows) {
    out.text(window.name);
    out.number(static_cast<std::uint64_t>(window.kind));
    out.signed_number(window.horizon);
    out.number(window.bars);
    out.number(window.talib ? 1 : 0);
  }
  for (auto span : {year, revise_for}) out.signed_number(span);
  for (auto x : {max_bars, schema, config_hash}) out.number(x);
  return bytes;
}

expected<feature_rules> feature_rules::load(std::string_view bytes) {
  feature_rules x;
  byte_reader in{bytes};
  if (in.number() != rules_version)
    return fail(errc::incompatible, "the rules of features in the log were written by another version");
  auto known = true;
  auto below = [&](std::uint64_t limit) {
    auto n = in.number();
    known = known && n < limit;
    return n;
  };
  x.interval = in.signed_number();
  x.windows.resize(in.count(5));
  for (auto& window : x.windows) {
    window.name = in.text();
    window.kind = static_cast<feature_kind>(below(static_cast<std::uint64_t>(feature_kind::kurt) + 1));
    window.horizon = in.signed_number();
    window.bars = static_cast<std::uint32_t>(below(std::uint64_t{1} << 32));
    window.talib = below(2) != 0;
  }
  for (auto* span : {&x.year, &x.revise_for}) *span = in.signed_number();
  for (auto* n : {&x.max_bars, &x.schema, &x.config_hash}) *n = in.number();
  if (!in.done() || !known || !x.fault().empty())
    return fail(errc::corrupt_record, "the rules of features in the log cannot be read");
  return x;
}

} // namespace finstream
