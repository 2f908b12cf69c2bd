// ONE LIFE OF A NODE in a simulation: the tree of actors that a node has, without a door to the outside, over the
// simulated disk and the simulated feeds. Who of those that have something to do is next is drawn by chance, one
// message at a time, so a seed is also an order in which things happen. It can end in the midst of them.
#pragma once

#include "tests/simulation/chance.hpp"
#include "tests/simulation/simulated_archive.hpp"
#include "tests/simulation/simulated_disk.hpp"
#include "tests/simulation/simulated_feed.hpp"
#include "tests/support/world.hpp"

#include <memory>
#include <string>
#include <vector>

namespace finstream::simulation {

// The machine's: it outlives nodes. What it calls UTC may step back; a span of it never does.
class simulated_clock : public clock {
public:
  timestamp now() const override { return start_ + elapsed_ + step_; }
  nanoseconds monotonic() const override { return elapsed_; }
  void advance(nanoseconds span) { elapsed_ += span; }
  void set_step(nanoseconds span) { step_ = span; }

private:
  timestamp start_ = test::at("09:30:00");
  nanoseconds elapsed_ = second; // 0 is "never" to those who measure
  nanoseconds step_ = 0;
};

struct node_parts {
  settings config;
  simulated_disk* disk = nullptr;
  bus* log = nullptr;            // the disk, or what stands before it
  std::function<void()> on_time; // some has passed
  simulated_clock* time = nullptr;
  std::vector<simulated_feed*> feeds;
  stage_rules rules;
};

class simulated_node : public test::world {
public:
  simulated_node(node_parts parts, std::uint64_t seed);
  ~simulated_node();

  void run(std::uint64_t messages); // as many, or until nobody has any
  bool run_all();                   // until nobody has any; false: there is no end to it
  void pass(nanoseconds span);      // everybody keeps up
  void end_actor(const std::string& path);
  void obey(stage_rules rules);
  void post(simulated_archive& past); // what it has to post now
  bool is_healing();                  // the past, still
  void stop();                        // in order, as SIGTERM does
  bool is_alive() const;              // a tree that gave up, or has stopped, is not
  std::vector<std::string> paths() const;
  std::uint64_t longest_queue(); // of what appenders have yet to write

private:
  caf::actor spawn_tree();

  node_parts parts_;
  chance chance_;
  nanoseconds owed_ = 0; // time that passed within a message
  caf::actor root_;
};

} // namespace finstream::simulation
