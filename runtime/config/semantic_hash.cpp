// Two nodes whose settings have the same hash make the same bars of the same log. The text that is hashed is fixed for
// good: every bar on every disk has its hash in it. A test holds the value for the defaults.
#include "runtime/config/load.hpp"
#include "runtime/config/options.hpp"

#include <algorithm>
#include <xxhash.h>

namespace finstream {

namespace {

// With its length before it, so that no name can pretend to be two.
std::string measured(const std::string& text) { return std::to_string(text.size()) + ":" + text; }

std::string canonical(std::vector<nanoseconds> spans) {
  std::sort(spans.begin(), spans.end());
  std::string out;
  for (auto span : spans) out += std::to_string(span) + ",";
  return out;
}

// The order of the sets means nothing; that of the providers in a set does.
std::string canonical(std::vector<source_set_settings> sets) {
  std::sort(sets.begin(), sets.end(), [](auto& a, auto& b) { return a.name < b.name; });
  std::string out;
  for (auto& set : sets) {
    out += measured(set.name) + "=";
    for (auto& provider : set.providers) out += measured(provider) + ",";
    out += ";";
  }
  return out;
}

std::string canonical(const option& x) {
  if (auto* spans = std::get_if<std::vector<nanoseconds>*>(&x.value)) return canonical(**spans);
  if (auto* sets = std::get_if<std::vector<source_set_settings>*>(&x.value)) return canonical(**sets);
  ensure(is_single(x), "a setting that decides bars has no canonical text");
  return value_text(x);
}

} // namespace

std::uint64_t semantic_hash(const settings& x) {
  auto copy = x; // options point at what can be changed
  std::vector<std::string> texts;
  for (auto& row : options_of(copy))
    if (row.decides_bars) texts.push_back(std::string{row.path} + "=" + canonical(row) + "\n");
  std::sort(texts.begin(), texts.end()); // moving a row in the table changes nothing
  std::string whole;
  for (auto& text : texts) whole += text;
  return XXH3_64bits(whole.data(), whole.size());
}

} // namespace finstream
