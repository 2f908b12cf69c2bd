// A server of the tests' own: in a directory that is gone afterwards, on a free port of this machine and no other, and
// ended with the test, whatever ends that: it ends with the thread that has started it.
#pragma once

#include "tests/support/suite.hpp"
#include "tests/support/temp_dir.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <netinet/in.h>
#include <set>
#include <sstream>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace finstream::test {

// A port that nobody has now. Between this and its use somebody may take it, if only for a connection of his own.
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

// Whether this process listens there. That somebody answers is not enough: tests run side by side.
inline bool listens(pid_t process, int port) {
  std::set<std::string> sockets;
  std::string line, field;
  for (std::ifstream table{"/proc/net/tcp"}; std::getline(table, line);) {
    std::istringstream in{line};
    std::vector<std::string> fields;
    while (in >> field) fields.push_back(field);
    auto is_listening = fields.size() > 9 && fields[3] == "0A";
    if (is_listening && std::stoi(fields[1].substr(fields[1].find(':') + 1), nullptr, 16) == port)
      sockets.insert("socket:[" + fields[9] + "]");
  }
  std::error_code gone;
  for (auto& file : std::filesystem::directory_iterator{"/proc/" + std::to_string(process) + "/fd", gone})
    if (sockets.contains(std::filesystem::read_symlink(file, gone).string())) return true;
  return false;
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
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    for (process_ = run(command_(port_, directory_.path())); !listens(process_, port_);) {
      auto has_ended = waitpid(process_, nullptr, WNOHANG) == process_;
      if (std::chrono::steady_clock::now() > deadline)
        CAF_FAIL("the server does not start (" + package_ + " of .ci/packages.txt, [test]): " + said());
      std::this_thread::sleep_for(std::chrono::milliseconds{2});
      if (!has_ended) continue;
      if (!was_started_) port_ = free_port(); // somebody may have been quicker
      process_ = run(command_(port_, directory_.path()));
    }
    was_started_ = true;
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
  bool was_started_ = false; // clients know the port
  pid_t process_ = 0;
};

} // namespace finstream::test
