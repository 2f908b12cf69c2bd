// The registry is two maps: name -> family, label values -> series. Map nodes never move, so a handle is a reference
// into one; only registration and exposition take the lock.
#include "runtime/metrics/metrics.hpp"

#include "messages/errors.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <mutex>
#include <variant>

namespace finstream::metrics {

// -- the text: https://prometheus.io/docs/instrumenting/exposition_formats
// ---------------------------------------------

namespace {

void append_number(std::string& out, std::uint64_t x) { out += std::to_string(x); }

// The shortest text that reads back as the same double.
void append_number(std::string& out, double x) {
  if (std::isnan(x)) {
    out += "NaN";
  } else if (std::isinf(x)) {
    out += x > 0 ? "+Inf" : "-Inf";
  } else {
    char buffer[32];
    auto end = std::to_chars(buffer, buffer + sizeof buffer, x).ptr;
    out.append(buffer, end);
  }
}

void append_escaped(std::string& out, std::string_view text, bool quotes_too) {
  for (char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes_too) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

void append_label(std::string& out, std::string_view name, std::string_view value) {
  out += out.back() == '{' ? "" : ",";
  out += name;
  out += "=\"";
  append_escaped(out, value, true);
  out += '"';
}

// One line of the exposition; `upper_bound` is the text of a bucket's `le`, empty for all other lines.
template <class T>
void append_sample(std::string& out, std::string_view name, std::string_view suffix,
                   const std::vector<std::string>& names, const labels& values, std::string_view upper_bound,
                   T number) {
  out += name;
  out += suffix;
  if (!names.empty() || !upper_bound.empty()) {
    out += '{';
    for (std::size_t i = 0; i < names.size(); ++i) append_label(out, names[i], values[i]);
    if (!upper_bound.empty()) append_label(out, "le", upper_bound);
    out += '}';
  }
  out += ' ';
  append_number(out, number);
  out += '\n';
}

std::string bound_text(double bound) {
  std::string out;
  append_number(out, bound);
  return out;
}

bool is_word(std::string_view text, std::string_view also) {
  auto letter = [&](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || also.find(c) != also.npos; };
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && letter(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || digit(c); });
}

} // namespace

// -- histogram
// -----------------------------------------------------------------------------------------------------------

histogram::histogram(std::vector<double> upper_bounds)
  : bounds_{std::move(upper_bounds)}, buckets_{new std::atomic<std::uint64_t>[bounds_.size() + 1] {}} {
  ensure(!bounds_.empty(), "a histogram needs at least one bucket bound");
  ensure(std::all_of(bounds_.begin(), bounds_.end(), [](double x) { return std::isfinite(x); }) &&
           std::adjacent_find(bounds_.begin(), bounds_.end(), std::greater_equal<>{}) == bounds_.end(),
         "the bucket bounds of a histogram must ascend and be finite");
}

void histogram::observe(double x) {
  if (std::isnan(x)) return; // it would make the sum NaN for as long as the process lives
  auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), x) - bounds_.begin();
  buckets_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(x, std::memory_order_relaxed);
}

std::uint64_t histogram::count() const { return cumulative().back(); }

double histogram::sum() const { return sum_.load(std::memory_order_relaxed); }

std::vector<std::uint64_t> histogram::cumulative() const {
  std::vector<std::uint64_t> out(bounds_.size() + 1);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = below += buckets_[i].load(std::memory_order_relaxed);
  return out;
}

double histogram::quantile(double q) const {
  auto counts = cumulative();
  if (counts.back() == 0) return 0;
  auto rank = std::clamp(q, 0.0, 1.0) * static_cast<double>(counts.back());
  auto above = [&](std::uint64_t n) { return n > 0 && static_cast<double>(n) >= rank; };
  auto bucket = static_cast<std::size_t>(std::find_if(counts.begin(), counts.end(), above) - counts.begin());
  if (bucket == bounds_.size()) return bounds_.back(); // beyond the last bound nothing more is known
  auto upper = bounds_[bucket];
  if (bucket == 0 && upper <= 0) return upper;
  auto lower = bucket == 0 ? 0 : bounds_[bucket - 1];
  auto before = bucket == 0 ? 0 : counts[bucket - 1];
  auto share = (rank - static_cast<double>(before)) / static_cast<double>(counts[bucket] - before);
  return lower + (upper - lower) * share;
}

std::vector<double> latency_bounds_seconds() {
  return {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
}

std::vector<double> latency_bounds_ms() {
  return {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000};
}

// -- registry
// ------------------------------------------------------------------------------------------------------------

namespace {

using series = std::variant<counter, gauge, histogram>; // the index is the family's kind
constexpr std::string_view kind_names[] = {"counter", "gauge", "histogram"};

struct family {
  std::size_t kind = 0;
  std::string help;
  std::vector<std::string> label_names;
  std::vector<double> upper_bounds; // of a histogram
  std::map<labels, series> members;

  bool same_as(const family& other) const {
    return kind == other.kind && help == other.help && label_names == other.label_names &&
           upper_bounds == other.upper_bounds;
  }
};

void append_family(std::string& out, const std::string& name, const family& x) {
  out += "# HELP " + name + " ";
  append_escaped(out, x.help, false);
  out += "\n# TYPE " + name + " " + std::string{kind_names[x.kind]} + "\n";
  for (auto& [values, member] : x.members) {
    if (auto* number = std::get_if<counter>(&member)) {
      append_sample(out, name, "", x.label_names, values, "", number->value());
    } else if (auto* level = std::get_if<gauge>(&member)) {
      append_sample(out, name, "", x.label_names, values, "", level->value());
    } else {
      // The count is the last bucket of one reading: it can not disagree with the buckets above it.
      auto& spread = std::get<histogram>(member);
      auto counts = spread.cumulative();
      for (std::size_t i = 0; i < counts.size(); ++i) {
        auto bound = i < x.upper_bounds.size() ? bound_text(x.upper_bounds[i]) : "+Inf";
        append_sample(out, name, "_bucket", x.label_names, values, bound, counts[i]);
      }
      append_sample(out, name, "_sum", x.label_names, values, "", spread.sum());
      append_sample(out, name, "_count", x.label_names, values, "", counts.back());
    }
  }
}

// A pipe would end the cell.
std::string cell(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

} // namespace

struct registry::implementation {
  mutable std::mutex mutex;
  std::map<std::string, family, std::less<>> families;
  std::vector<std::function<void()>> collectors;
  mutable std::mutex
    collecting; // one exposition at a time runs the collectors: they need not be safe against themselves

  template <class T> T& make(std::string_view name, family wanted, const labels& values) {
    ensure(is_word(name, "_:"), "a metric's name is letters, digits, _ and :");
    for (auto& label : wanted.label_names)
      ensure(is_word(label, "_") && !label.starts_with("__") && label != "le",
             "a label's name is letters, digits and _");
    ensure(values.size() == wanted.label_names.size(), "a metric needs one value for each of its label names");
    std::lock_guard guard{mutex};
    auto [position, fresh] = families.try_emplace(std::string{name}, std::move(wanted));
    auto& known = position->second;
    // try_emplace leaves `wanted` as it was when the name is taken.
    ensure(fresh || known.same_as(wanted), "a metric is registered twice as different things");
    if constexpr (std::is_same_v<T, histogram>)
      return std::get<T>(known.members.try_emplace(values, std::in_place_type<T>, known.upper_bounds).first->second);
    else
      return std::get<T>(known.members.try_emplace(values, std::in_place_type<T>).first->second);
  }
};

registry::registry() : self_{std::make_unique<implementation>()} {}

registry::~registry() = default;

counter& registry::make_counter(std::string_view name, std::string_view help,
                                std::initializer_list<const char*> label_names, const labels& values) {
  return self_->make<counter>(name, {0, std::string{help}, {label_names.begin(), label_names.end()}, {}, {}}, values);
}

gauge& registry::make_gauge(std::string_view name, std::string_view help,
                            std::initializer_list<const char*> label_names, const labels& values) {
  return self_->make<gauge>(name, {1, std::string{help}, {label_names.begin(), label_names.end()}, {}, {}}, values);
}

histogram& registry::make_histogram(std::string_view name, std::string_view help, std::vector<double> upper_bounds,
                                    std::initializer_list<const char*> label_names, const labels& values) {
  return self_->make<histogram>(
    name, {2, std::string{help}, {label_names.begin(), label_names.end()}, std::move(upper_bounds), {}}, values);
}

void registry::before_exposition(std::function<void()> collect) {
  std::lock_guard guard{self_->mutex};
  self_->collectors.push_back(std::move(collect));
}

std::string registry::exposition() const {
  {
    // Not under the registry's own lock: a collector may register a metric it sees for the first time.
    std::lock_guard one_at_a_time{self_->collecting};
    std::vector<std::function<void()>> collectors;
    {
      std::lock_guard guard{self_->mutex};
      collectors = self_->collectors;
    }
    for (auto& collect : collectors) collect();
  }
  std::lock_guard guard{self_->mutex};
  std::string out;
  for (auto& [name, x] : self_->families) append_family(out, name, x);
  return out;
}

std::string registry::reference() const {
  std::lock_guard guard{self_->mutex};
  std::string out = "| name | type | labels | meaning |\n| --- | --- | --- | --- |\n";
  for (auto& [name, x] : self_->families) {
    out += "| `" + name + "` | " + std::string{kind_names[x.kind]} + " | ";
    for (std::size_t i = 0; i < x.label_names.size(); ++i) out += (i == 0 ? "`" : ", `") + x.label_names[i] + "`";
    out += " | " + cell(x.help) + " |\n";
  }
  return out;
}

} // namespace finstream::metrics
