// Starts one program with pipes on its three standard streams, as the leader of a process group of its own. The program
// gets nothing else of ours: no descriptor, no blocked or ignored signal. It is killed when the thread that started it
// ends, so call this from a thread that lives as long as the program (the kernel ties PR_SET_PDEATHSIG to the thread).
#pragma once

#include "runtime/process/child.hpp"

#include <unistd.h>
#include <utility>

namespace finstream {

// A file descriptor that closes itself.
class descriptor {
public:
  explicit descriptor(int fd = -1) : fd_{fd} {}
  descriptor(descriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  descriptor& operator=(descriptor&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~descriptor() { reset(); }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }

private:
  int fd_;
};

struct spawned {
  int pid = -1;
  descriptor process; // a pidfd: readable when the program has ended
  descriptor input;   // our ends of the pipes
  descriptor output;  // non-blocking
  descriptor errors;  // non-blocking
};

// The most that can wait in the output pipe: a node that is held up for a moment does not hold up the feed at once.
inline constexpr int output_pipe_bytes = 1024 * 1024;

// Errors: start_failed.
expected<spawned> spawn(const child_options& options);

} // namespace finstream
