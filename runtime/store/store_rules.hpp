// INTERNAL to runtime/store: the revision law in one place, so that drivers cannot differ in it.
#pragma once

#include "runtime/store/store.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace finstream::store_rules {

// Bytes that sort as the contract orders rows.
std::string key(const bar& x);
std::string key(const feature_vector& x);
std::string key(const signal& x); // the id: what makes it one, not where it sorts
std::string key(const job_run& x);
std::string key(const dead_letter_entry& x);
std::string key(const log_stream& x);

using rank_t = std::pair<bool, std::uint64_t>;
inline rank_t rank(const bar& x) { return {false, x.revision}; }
inline rank_t rank(const feature_vector& x) { return {false, x.revision}; }
inline rank_t rank(const signal&) { return {}; }
inline rank_t rank(const job_run& x) { return {x.status != job_status::running, x.rows}; }
inline rank_t rank(const dead_letter_entry& x) { return {false, x.attempts}; }

enum class verdict : std::uint8_t { apply, ignore, conflict };
// Of a row against the one that is there.
template <class Row> verdict judge(const Row& fresh, const Row& present) {
  if (rank(fresh) != rank(present)) return rank(fresh) > rank(present) ? verdict::apply : verdict::ignore;
  return fresh == present ? verdict::ignore : verdict::conflict;
}
inline void count(verdict v, applied_rows& counts) {
  ++(v == verdict::apply ? counts.applied : v == verdict::ignore ? counts.ignored : counts.conflicts);
}

// One row a key, in order of the keys: those that the others of the batch leave. The others are counted.
template <class Row> std::vector<const Row*> settle(const std::vector<Row>& rows, applied_rows& counts) {
  std::vector<std::pair<std::string, const Row*>> keyed;
  keyed.reserve(rows.size());
  for (auto& x : rows) keyed.emplace_back(key(x), &x);
  std::stable_sort(keyed.begin(), keyed.end(), [](auto& a, auto& b) { return a.first < b.first; });
  std::vector<const Row*> out;
  for (std::size_t i = 0; i < keyed.size(); ++i) {
    if (i == 0 || keyed[i].first != keyed[i - 1].first) {
      out.push_back(keyed[i].second);
      continue;
    }
    auto outcome = judge(*keyed[i].second, *out.back());
    if (outcome == verdict::apply) out.back() = keyed[i].second, outcome = verdict::ignore;
    count(outcome, counts);
  }
  return out;
}

// invalid_argument with the row and the field, if there is a number that no store can keep.
expected<void> check(const store_batch& batch);

} // namespace finstream::store_rules
