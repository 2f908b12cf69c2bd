#define CAF_SUITE work_table

#include "actors/logic/work_table.hpp"
#include "tests/support/suite.hpp"

#include <algorithm>
#include <memory>
#include <random>

using namespace finstream;

namespace {

constexpr nanoseconds claim_after = 10 * second;

// What all have said, and processes that read it when they are let to.
struct shared_stream {
  struct process {
    work_table table;
    std::size_t read = 0;
    bool paused = false;
  };

  const int partitions;
  nanoseconds now = 0;
  std::vector<work_message> all = {};
  std::vector<std::unique_ptr<process>> processes = {};

  process& join(const std::string& name) {
    processes.push_back(std::make_unique<process>(process{{name, partitions, claim_after}}));
    return *processes.back();
  }
  void hear(process& x) {
    while (x.read < all.size()) x.table.on_message(all[x.read++], now);
  }
  // As the keeper does: it speaks only if nobody has spoken since it read.
  void turn(process& x) {
    if (x.paused) return;
    hear(x);
    if (auto what = x.table.decide(now)) {
      all.push_back(*what);
      hear(x);
    }
  }
  void turns(int rounds, nanoseconds step = second) {
    for (int i = 0; i < rounds; ++i) {
      for (auto& x : processes) turn(*x);
      now += step;
    }
  }
  std::vector<std::size_t> counts() {
    std::vector<std::size_t> out;
    for (auto& x : processes) out.push_back(x->table.mine().size());
    std::sort(out.begin(), out.end());
    return out;
  }
};

using counts = std::vector<std::size_t>;

} // namespace

CAF_TEST(who is alone takes everything) {
  shared_stream s{4};
  s.join("a");
  s.turns(1);
  CAF_CHECK(s.counts() == counts{4});
}

CAF_TEST(who comes gets a share and nothing else moves) {
  shared_stream s{5};
  auto& a = s.join("a");
  s.turns(2);
  s.join("b");
  s.turns(3);
  CAF_CHECK(s.counts() == (counts{2, 3}));
  auto before = a.table.mine();
  s.join("c");
  s.turns(4);
  CAF_CHECK(s.counts() == (counts{1, 2, 2}));
  auto after = a.table.mine();
  CAF_CHECK(std::includes(before.begin(), before.end(), after.begin(), after.end()));
  s.turns(20);
  CAF_CHECK(a.table.mine() == after);
}

CAF_TEST(who is not heard of for long is dead and not before) {
  shared_stream s{4};
  s.join("a"), s.join("b");
  s.turns(3);
  s.processes[1]->paused = true;
  s.turns(8);
  CAF_CHECK_EQUAL(s.processes[0]->table.mine().size(), 2u);
  s.turns(5);
  CAF_CHECK_EQUAL(s.processes[0]->table.mine().size(), 4u);
}

CAF_TEST(who was taken for dead finds it out and begins with nothing) {
  shared_stream s{4};
  s.join("a"), s.join("b");
  s.turns(3);
  auto& b = *s.processes[1];
  b.paused = true;
  s.turns(15);
  CAF_CHECK_EQUAL(b.table.mine().size(), 2u); // as it still believes
  b.paused = false;
  s.hear(b);
  CAF_CHECK(b.table.mine().empty());
  s.turns(4);
  CAF_CHECK(s.counts() == (counts{2, 2}));
}

CAF_TEST(who leaves is not waited for) {
  shared_stream s{4};
  s.join("a"), s.join("b");
  s.turns(3);
  s.all.push_back(s.processes[1]->table.farewell());
  s.processes.pop_back();
  s.turns(2);
  CAF_CHECK(s.counts() == counts{4});
}

CAF_TEST(silence of the broker is nobodys death) {
  shared_stream s{4};
  s.join("a"), s.join("b");
  s.turns(3);
  s.now += 3600 * second;
  for (auto& x : s.processes) x->table.on_silence(s.now);
  s.turns(5);
  CAF_CHECK(s.counts() == (counts{2, 2}));
  for (auto& x : s.all) CAF_CHECK(x.dead.empty());
}

CAF_TEST(who reads only the end of the stream comes to the same) {
  shared_stream s{8};
  for (auto name : {"a", "b", "c"}) s.join(name);
  s.turns(30);
  work_table late{"d", 8, claim_after};
  for (auto i = s.all.size() - 12; i < s.all.size(); ++i) late.on_message(s.all[i], s.now);
  auto what = late.decide(s.now);
  CAF_REQUIRE(what.has_value());
  CAF_CHECK(what->holds.empty()); // nothing is free
  CAF_CHECK_EQUAL(late.workers(), 3);
}

CAF_TEST(all must count the same partitions) {
  work_table a{"a", 4, claim_after};
  a.on_message({.worker = "b", .partitions = 2, .dead = {}, .gives = {}, .holds = {0, 1}}, 0);
  auto why = a.contradiction(second);
  CAF_REQUIRE(why.has_value());
  CAF_CHECK(why->find("b has partitions: 2, this one has 4") != std::string::npos);
  CAF_CHECK(!a.contradiction(11 * second)); // it is gone
  CAF_CHECK_EQUAL(a.workers(), 0);
}

CAF_TEST(what others hold cannot be taken and what nobody counts is passed over) {
  work_table a{"a", 2, claim_after};
  a.on_message({.worker = "b", .partitions = 2, .dead = {}, .gives = {}, .holds = {0, 7}}, 0);
  a.on_message({.worker = "a", .partitions = 2, .dead = {}, .gives = {0}, .holds = {0, 1}}, 0);
  CAF_CHECK(a.mine() == std::set<std::uint16_t>{1});
}

// Processes come, pause, go on and leave at random. At no time do two hold the same partition by what is in the stream,
// and when all is quiet everyone has a share.
CAF_TEST(whatever happens each partition has one holder) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::minstd_rand random{seed + 1};
    auto chance = [&](unsigned n) { return random() % n == 0; };
    shared_stream s{static_cast<int>(1 + random() % 9)};
    int named = 0;
    for (int i = 0; i < 200; ++i) {
      if (s.processes.size() < 6 && chance(8)) s.join("p" + std::to_string(named++));
      for (auto& x : s.processes)
        if (chance(20)) x->paused = !x->paused;
      if (!s.processes.empty() && chance(25)) { // killed, or in order
        if (chance(2)) {
          s.hear(*s.processes.back());
          s.all.push_back(s.processes.back()->table.farewell());
        }
        s.processes.pop_back();
      }
      s.now += static_cast<nanoseconds>(random() % 3) * second;
      for (auto& x : s.processes)
        if (chance(2)) s.turn(*x);
      std::set<std::uint16_t> held;
      for (auto& x : s.processes) {
        if (x->read < s.all.size()) continue; // it would be refused if it wrote
        for (auto p : x->table.mine()) CAF_CHECK(held.insert(p).second);
      }
    }
    for (auto& x : s.processes) x->paused = false;
    if (s.processes.empty()) continue;
    s.turns(60);
    auto spread = s.counts();
    std::size_t sum = 0;
    for (auto n : spread) sum += n;
    CAF_CHECK_EQUAL(sum, static_cast<std::size_t>(s.partitions));
    CAF_CHECK(spread.back() - spread.front() <= 1);
  }
}
