// Starts a child that would live for ever, says its number, and waits to be killed: see process_end.cpp.
#include "runtime/process/child.hpp"

#include <cstdio>
#include <unistd.h>

int main() {
  finstream::child_options options;
  options.command = {"sh", "-c", "trap '' TERM PIPE; while :; do sleep 0.05; done"};
  auto started = finstream::start_child(options, {});
  if (!started) return 1;
  std::printf("%d\n", (*started)->pid());
  std::fflush(stdout);
  for (;;) pause();
}
