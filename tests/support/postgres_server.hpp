// A PostgreSQL of the tests' own: in a directory that is gone afterwards, reached by a socket in it and nothing else.
// It is missing nowhere: .ci/packages.txt has it, and a test that cannot start it fails.
#pragma once

#include "tests/support/suite.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <pqxx/pqxx>
#include <pwd.h>
#include <sstream>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace finstream::test {

class postgres_server {
public:
  postgres_server() {
    find_programs();
    find_user();
    std::filesystem::create_directory(data());
    if (user_ != geteuid()) {
      CAF_REQUIRE(chown(directory_.path().c_str(), user_, group_) == 0);
      CAF_REQUIRE(chown(data().c_str(), user_, group_) == 0);
    }
    auto made = run({programs_ + "/initdb", "-D", data(), "-U", "finstream", "-A", "trust", "-E", "UTF8", "--no-locale",
                     "--no-sync"});
    int status = 0;
    waitpid(made, &status, 0);
    if (status != 0) CAF_FAIL("initdb failed: " + said());
    start();
  }
  postgres_server(const postgres_server&) = delete;
  postgres_server& operator=(const postgres_server&) = delete;
  ~postgres_server() {
    if (process_ <= 0) return;
    ::kill(process_, SIGQUIT); // at once, its children with it; nobody needs the data
    waitpid(process_, nullptr, 0);
  }

  void start() {
    process_ = run({programs_ + "/postgres", "-D", data(), "-k", directory_.path(), "-c", "listen_addresses=", "-c",
                    "fsync=off", "-c", "max_connections=30", "-c", "shared_buffers=32MB"});
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    for (;;) {
      try {
        pqxx::connection probe{connection("postgres")};
        return;
      } catch (const std::exception& e) {
        if (std::chrono::steady_clock::now() > deadline || waitpid(process_, nullptr, WNOHANG) == process_)
          CAF_FAIL("PostgreSQL does not start: " + said() + e.what());
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
      }
    }
  }

  // As a machine ends that is switched off: the server and all that it has started, at once.
  void kill() {
    auto all = children();
    all.insert(all.begin(), process_);
    for (auto pid : all) ::kill(pid, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = 0;
    // The others are not our children: they are gone when /proc no longer has them.
    for (auto pid : all)
      while (std::filesystem::exists("/proc/" + std::to_string(pid)) && ::kill(pid, 0) == 0)
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }

  std::string connection(const std::string& database) const {
    return "host=" + directory_.path() + " user=finstream dbname=" + database;
  }
  // A new and empty database, and how to connect to it.
  std::string database(const std::string& settings = "") {
    auto name = "test" + std::to_string(++databases_);
    execute("postgres", "CREATE DATABASE " + name + " " + settings);
    return connection(name);
  }
  void execute(const std::string& database, const std::string& sql) {
    pqxx::connection to{connection(database)};
    pqxx::nontransaction{to}.exec(sql);
  }

private:
  std::string data() const { return directory_.path() + "/data"; }

  void find_programs() {
    std::error_code none;
    for (auto& x : std::filesystem::directory_iterator{"/usr/lib/postgresql", none})
      if (auto here = x.path().string() + "/bin"; std::filesystem::exists(here + "/initdb"))
        programs_ = std::max(programs_, here);
    if (programs_.empty())
      CAF_FAIL("there is no PostgreSQL server to test with: apt-get install postgresql (.ci/packages.txt, [test])");
  }

  // PostgreSQL refuses to run as root.
  void find_user() {
    user_ = geteuid(), group_ = getegid();
    if (user_ != 0) return;
    auto* entry = getpwnam("postgres");
    if (entry == nullptr) CAF_FAIL("there is no user postgres: apt-get install postgresql (.ci/packages.txt, [test])");
    user_ = entry->pw_uid, group_ = entry->pw_gid;
  }

  pid_t run(const std::vector<std::string>& words) const {
    std::vector<char*> arguments;
    for (auto& x : words) arguments.push_back(const_cast<char*>(x.c_str()));
    arguments.push_back(nullptr);
    auto output = directory_.path() + "/output";
    auto parent = getpid();
    auto child = fork();
    if (child != 0) return child;
    auto file = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(file, 1), dup2(file, 2);
    if (geteuid() != user_ && (setgid(group_) != 0 || setuid(user_) != 0)) _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT); // whatever ends the test
    if (getppid() != parent) _exit(125);
    chdir("/") == 0 ? execv(arguments[0], arguments.data()) : 0;
    _exit(127);
  }

  std::string said() const {
    std::ostringstream out;
    out << std::ifstream{directory_.path() + "/output"}.rdbuf();
    return out.str();
  }

  std::vector<pid_t> children() const {
    auto self = std::to_string(process_);
    std::ifstream file{"/proc/" + self + "/task/" + self + "/children"};
    std::vector<pid_t> out;
    for (pid_t pid = 0; file >> pid;) out.push_back(pid);
    return out;
  }

  temp_dir directory_;
  std::string programs_;
  uid_t user_ = 0;
  gid_t group_ = 0;
  pid_t process_ = 0;
  int databases_ = 0;
};

} // namespace finstream::test
