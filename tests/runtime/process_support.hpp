// What the tests of child processes share: a record of everything a child said, and waiting for it with a deadline.
#pragma once

#include "runtime/process/child.hpp"

#include <chrono>
#include <condition_variable>
#include <dirent.h>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace finstream::test {

inline child_options shell(std::string script) {
  child_options options;
  options.command = {"sh", "-c", std::move(script)};
  return options;
}

// Starts a child and notes all its events. With `give_back`, each chunk's credit is returned at once.
class recorder {
public:
  explicit recorder(const child_options& options, bool give_back = true) {
    child_events events;
    events.on_lines = [this, give_back](std::string lines) {
      note([&] { chunks.push_back(std::move(lines)); });
      if (give_back) grant();
    };
    events.on_long_line = [this](std::string first, std::uint64_t total) {
      note([&] { long_lines.emplace_back(std::move(first), total); });
    };
    events.on_error_line = [this](std::string line) { note([&] { error_lines.push_back(std::move(line)); }); };
    events.on_exit = [this](child_exit how) { note([&] { exit = how; }); };
    auto started = start_child(options, std::move(events));
    if (!started) {
      error = started.error();
      return;
    }
    process = std::move(*started);
    note([this] { granting = process.get(); });
  }

  template <class F> void note(F change) {
    std::lock_guard guard{mutex};
    change();
    changed.notify_all();
  }

  // The child may speak before start_child() has returned it.
  void grant() {
    std::unique_lock guard{mutex};
    changed.wait(guard, [this] { return granting != nullptr; });
    granting->grant();
  }

  // Waits until `condition` is true of what was noted; false after a deadline that only a fault reaches.
  template <class F> bool wait_for(F condition) {
    std::unique_lock guard{mutex};
    return changed.wait_for(guard, std::chrono::seconds{60}, condition);
  }
  bool wait_for_exit() {
    return wait_for([this] { return exit.has_value(); });
  }
  // For what is seen from outside only.
  template <class F> bool poll_until(F condition) {
    for (int i = 0; i < 6000; ++i) {
      if (condition()) return true;
      std::unique_lock guard{mutex};
      changed.wait_for(guard, std::chrono::milliseconds{10});
    }
    return false;
  }

  std::string output() {
    std::lock_guard guard{mutex};
    std::string all;
    for (auto& chunk : chunks) all += chunk;
    return all;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> chunks;
  std::vector<std::pair<std::string, std::uint64_t>> long_lines;
  std::vector<std::string> error_lines;
  std::optional<child_exit> exit;
  std::optional<failure> error;
  child* granting = nullptr;      // the child as its own thread sees it: valid until that thread has ended
  std::unique_ptr<child> process; // last: it goes first
};

inline std::size_t count_entries(const char* directory) {
  std::size_t count = 0;
  auto opened = opendir(directory);
  while (readdir(opened) != nullptr) ++count;
  closedir(opened);
  return count;
}

} // namespace finstream::test
