#include "actors/logic/request_pacing.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace finstream {

pacing_rules make_pacing_rules(double requests_per_s, std::uint64_t burst) {
  return {static_cast<nanoseconds>(std::ceil(static_cast<double>(second) / requests_per_s)), burst};
}

bool request_pacing::ask(std::uint64_t asker, std::uint32_t requests) {
  if (waiting_ + requests > most_waiting) return false;
  line_.push_back({asker, requests});
  waiting_ += requests;
  return true;
}

std::vector<request_pacing::grant> request_pacing::give(nanoseconds now) {
  std::vector<grant> out;
  while (!line_.empty()) {
    auto& first = line_.front();
    auto given = piece(first);
    if (available(now) < given) break;
    spend(given, now);
    waiting_ -= given;
    out.push_back({first.asker, given});
    first.requests -= given;
    if (first.requests == 0) line_.pop_front();
  }
  return out;
}

std::optional<nanoseconds> request_pacing::next() const {
  if (line_.empty()) return std::nullopt;
  return empty_at_ + static_cast<nanoseconds>(piece(line_.front())) * rules_.per_request;
}

std::uint32_t request_pacing::note_made(std::uint32_t requests, nanoseconds now) {
  auto allowed = static_cast<std::uint32_t>(std::min<std::uint64_t>(available(now), requests));
  spend(requests, now); // the provider has counted all of them, so the others wait for longer
  return requests - allowed;
}

void request_pacing::close_for(nanoseconds pause, nanoseconds now) { empty_at_ = std::max(empty_at_, now + pause); }

void request_pacing::withdraw(std::uint64_t asker) {
  std::erase_if(line_, [&](const place& x) {
    if (x.asker != asker) return false;
    waiting_ -= x.requests;
    return true;
  });
}

std::uint32_t request_pacing::piece(const place& x) const {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(x.requests, rules_.burst));
}

std::uint64_t request_pacing::available(nanoseconds now) const {
  if (now <= empty_at_) return 0;
  return std::min(static_cast<std::uint64_t>((now - empty_at_) / rules_.per_request), rules_.burst);
}

void request_pacing::spend(std::uint32_t requests, nanoseconds now) {
  auto full_since = now - static_cast<nanoseconds>(rules_.burst) * rules_.per_request;
  auto most_owed = now + static_cast<nanoseconds>(most_waiting) * rules_.per_request; // who asks for none has no end
  empty_at_ = std::max(empty_at_, full_since) + static_cast<nanoseconds>(requests) * rules_.per_request;
  empty_at_ = std::min(empty_at_, most_owed);
}

} // namespace finstream
