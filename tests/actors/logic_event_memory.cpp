#define CAF_SUITE event_memory

#include "tests/support/suite.hpp"

#include "actors/logic/event_memory.hpp"

#include <deque>
#include <random>
#include <set>
#include <tuple>

using namespace finstream;

namespace {

using identity = std::tuple<std::uint32_t, std::int64_t, std::int64_t>; // key, src_ts, seq

std::shared_ptr<const std::vector<series_key>> names(std::size_t count) {
  auto out = std::make_shared<std::vector<series_key>>();
  for (std::size_t i = 0; i < count; ++i) out->push_back({"p", "S" + std::to_string(i)});
  return out;
}

event_batch batch_of(const std::vector<identity>& events, std::shared_ptr<const std::vector<series_key>> keys,
                     const std::string& feed = "f") {
  event_batch out;
  out.feed = feed;
  out.keys = std::move(keys);
  for (auto [key, when, seq] : events) out.rows.push_back({{when}, seq, {}, key, event_kind::tick, 0});
  return out;
}

// How sources behave: in order, out of order, all at one time, an old stretch once more.
identity any_event(std::mt19937_64& random, std::int64_t step, std::deque<identity>& sent) {
  identity x{static_cast<std::uint32_t>(random() % 5), step, step};
  switch (random() % 10) {
  case 0: std::get<1>(x) -= static_cast<std::int64_t>(random() % 50); break;
  case 1: std::get<1>(x) -= static_cast<std::int64_t>(random() % 5000); break;
  case 2: std::get<1>(x) = 7; break;
  case 3:
  case 4:
    if (!sent.empty()) x = sent[random() % sent.size()];
    break;
  default: break;
  }
  return x;
}

} // namespace

CAF_TEST(within the horizon it knows exactly what a set would know) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    std::mt19937_64 random{seed};
    event_memory memory{1'000'000};
    std::set<identity> known;
    std::deque<identity> sent;
    auto keys = names(5);
    std::vector<std::uint32_t> duplicates;
    for (std::int64_t step = 0; step < 20'000;) {
      std::vector<identity> events;
      std::vector<std::uint32_t> due;
      for (auto n = random() % 100; n != 0; --n, ++step) {
        events.push_back(any_event(random, step, sent));
        if (!known.insert(events.back()).second) due.push_back(static_cast<std::uint32_t>(events.size() - 1));
        sent.push_back(events.back());
      }
      memory.insert(batch_of(events, keys), duplicates);
      if (duplicates != due)
        CAF_ERROR("seed " << seed << ": " << duplicates.size() << " duplicates instead of " << due.size());
    }
    CAF_CHECK_EQUAL(memory.size(), known.size());
  }
}

CAF_TEST(it never forgets the last events up to the horizon and keeps little more) {
  for (std::uint64_t horizon : {1u, 2u, 4u, 5u, 100u, 1000u}) {
    std::mt19937_64 random{horizon};
    event_memory memory{horizon};
    std::deque<identity> latest, sent;
    std::set<identity> in_latest;
    auto keys = names(5);
    std::vector<std::uint32_t> duplicates;
    auto most = 5 * ((horizon + 3) / 4); // four full generations and one that grows
    for (std::int64_t step = 0; step < 10'000; ++step) {
      auto x = any_event(random, step, sent);
      memory.insert(batch_of({x}, keys), duplicates);
      if (in_latest.count(x) != 0 && duplicates.empty())
        CAF_ERROR("horizon " << horizon << ": forgot an event at step " << step);
      if (memory.size() > most) CAF_ERROR("horizon " << horizon << ": keeps " << memory.size());
      if (!duplicates.empty()) continue;
      latest.push_back(x), in_latest.insert(x), sent.push_back(x);
      if (latest.size() > horizon) in_latest.erase(latest.front()), latest.pop_front();
      if (sent.size() > 2 * horizon) sent.pop_front();
    }
    CAF_CHECK_EQUAL(memory.size() <= most, true);
  }
}

CAF_TEST(what is old is forgotten) {
  event_memory memory{100};
  auto keys = names(1);
  std::vector<std::uint32_t> duplicates;
  memory.insert(batch_of({{0, 1, 1}}, keys), duplicates);
  for (std::int64_t i = 2; i < 1000; ++i) memory.insert(batch_of({{0, i, i}}, keys), duplicates);
  memory.insert(batch_of({{0, 1, 1}}, keys), duplicates);
  CAF_CHECK(duplicates.empty());
  memory.insert(batch_of({{0, 1, 1}}, keys), duplicates);
  CAF_CHECK_EQUAL(duplicates.size(), 1u);
}

CAF_TEST(an event that a log holds twice is known as long as the second) {
  event_memory memory{100};
  auto keys = names(1);
  std::vector<std::uint32_t> duplicates;
  for (std::int64_t i = 1; i <= 150; ++i) memory.remember(batch_of({{0, i, i}}, keys));
  memory.remember(batch_of({{0, 60, 60}}, keys));
  for (std::int64_t i = 151; i < 250; ++i) memory.insert(batch_of({{0, i, i}}, keys), duplicates);
  memory.insert(batch_of({{0, 60, 60}}, keys), duplicates);
  CAF_CHECK_EQUAL(duplicates.size(), 1u);
}

CAF_TEST(events of one time and seq but of different series are different) {
  event_memory memory{100};
  std::vector<std::uint32_t> duplicates;
  memory.insert(batch_of({{0, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 2}, {0, 2, 1}}, names(2)), duplicates);
  CAF_CHECK(duplicates == std::vector<std::uint32_t>{2});
}

CAF_TEST(a series is known by its name whatever number a feed gives it) {
  event_memory memory{100};
  std::vector<std::uint32_t> duplicates;
  memory.insert(batch_of({{0, 1, 1}, {1, 2, 2}}, names(2)), duplicates);
  auto turned = std::make_shared<std::vector<series_key>>(std::vector<series_key>{{"p", "S1"}, {"p", "S0"}});
  memory.insert(batch_of({{0, 2, 2}, {1, 1, 1}, {0, 1, 1}}, turned), duplicates);
  CAF_CHECK((duplicates == std::vector<std::uint32_t>{0, 1}));
  memory.insert(batch_of({{0, 1, 1}}, names(1), "another feed"), duplicates);
  CAF_CHECK_EQUAL(duplicates.size(), 1u);
}

CAF_TEST(a long stretch sent again and one sent backwards are exact) {
  event_memory memory{1'000'000};
  auto keys = names(1);
  std::vector<std::uint32_t> duplicates;
  std::vector<identity> forward, backward, all_new;
  for (std::int64_t i = 0; i < 30'000; ++i) {
    forward.emplace_back(0, 2 * i, i);
    backward.emplace_back(0, 2 * (30'000 - i) + 1, i); // between the others
  }
  memory.insert(batch_of(forward, keys), duplicates);
  CAF_CHECK(duplicates.empty());
  memory.insert(batch_of(backward, keys), duplicates);
  CAF_CHECK(duplicates.empty());
  memory.insert(batch_of(forward, keys), duplicates);
  CAF_CHECK_EQUAL(duplicates.size(), forward.size());
  memory.insert(batch_of(backward, keys), duplicates);
  CAF_CHECK_EQUAL(duplicates.size(), backward.size());
  CAF_CHECK_EQUAL(memory.size(), 60'000u);
}
