#include "messages/value/nearest.hpp"

#include <algorithm>

namespace finstream {

namespace {

constexpr std::size_t max_word_bytes = 64; // longer ones are no typing error of ours, and would cost time

// How many keys were hit wrongly: a letter too many, too few, another one, or two in the wrong order.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, last, now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) now[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::move(last);
    last = std::move(now);
    now.assign(b.size() + 1, i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      auto same = a[i - 1] == b[j - 1];
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      auto swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) now[j] = std::min(now[j], before[j - 2] + 1);
    }
  }
  return now[b.size()];
}

} // namespace

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known) {
  if (word.size() > max_word_bytes) return {};
  std::string_view best;
  auto least = word.size() / 3 + 1; // one error in a short word, more in a long one
  for (auto candidate : known) {
    auto errors = distance(word, candidate);
    // A word of which nothing is left is not the one that was meant.
    if (errors > least || errors >= candidate.size()) continue;
    if (errors == least && !best.empty()) continue;
    best = candidate;
    least = errors;
  }
  return best;
}

} // namespace finstream
