// A server of the tests' own: in a directory that is gone afterwards, on a free port of this machine and no other, and
// ended with the test, whatever ends that: it ends with the thread that has started it.
#pragma once

#include "tests/support/suite.hpp"
#include "tests/support/temp_dir.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <netinet/in.h>
#include <sstream>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace finstream::test {

// A port that nobody has now. Between this and its use somebody may take it: then the server says so and the test
// fails.
inline int free_port() {
  auto socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CAF_REQUIRE(bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0);
  CAF_REQUIRE(getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(socket);
  return ntohs(address.sin_port);
}

inline bool accepts(int port) {
  auto socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto outcome = connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address);
  close(socket);
  return outcome == 0;
}

class broker_process {
public:
  using words = std::vector<std::string>;

  // `command` makes the words from a port and a directory; `package` is where the program is from.
  broker_process(std::function<words(int port, const std::string& directory)> command, std::string package)
    : command_{std::move(command)}, package_{std::move(package)} {
    start();
  }
  broker_process(const broker_process&) = delete;
  broker_process& operator=(const broker_process&) = delete;
  ~broker_process() { kill(); }

  void start() {
    process_ = run(command_(port_, directory_.path()));
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (!accepts(port_)) {
      if (std::chrono::steady_clock::now() > deadline || waitpid(process_, nullptr, WNOHANG) == process_)
        CAF_FAIL("the server does not start (" + package_ + " of .ci/packages.txt, [test]): " + said());
      std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
  }
  // At once, as where the power fails.
  void kill() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = 0;
  }
  // It takes what is sent to it and answers nothing; and on again.
  void freeze() const {
    ::kill(process_, SIGSTOP);
    siginfo_t what{};
    waitid(P_PID, static_cast<id_t>(process_), &what, WSTOPPED | WNOWAIT);
  }
  void thaw() const { ::kill(process_, SIGCONT); }

  int port() const { return port_; }
  const std::string& directory() const { return directory_.path(); }
  std::string said() const {
    std::ostringstream out;
    out << std::ifstream{directory_.path() + "/output"}.rdbuf();
    return out.str();
  }

private:
  pid_t run(const words& command) const {
    std::vector<char*> arguments;
    for (auto& x : command) arguments.push_back(const_cast<char*>(x.c_str()));
    arguments.push_back(nullptr);
    auto output = directory_.path() + "/output";
    auto parent = getpid();
    auto child = fork();
    if (child != 0) return child;
    auto file = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(file, 1), dup2(file, 2);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(125);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }

  std::function<words(int, const std::string&)> command_;
  std::string package_;
  temp_dir directory_;
  int port_ = free_port();
  pid_t process_ = 0;
};

} // namespace finstream::test
