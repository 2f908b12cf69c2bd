// How processes start and end: errors of starting, exit codes and signals, stopping, and that nothing is left behind.
#define CAF_SUITE process_end
#include "tests/support/suite.hpp"

#include "tests/runtime/process_support.hpp"
#include "tests/support/temp_dir.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace finstream;
using namespace finstream::test;

namespace {

bool exists(int pid) {
  // A zombie that nobody has reaped yet is dead all the same.
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  std::string text;
  std::getline(file, text);
  auto after_name = text.rfind(')');
  return after_name != std::string::npos && text.substr(after_name + 2, 1) != "Z";
}

std::string start_error(const child_options& options) {
  recorder run{options};
  if (!run.error) return "it started";
  CAF_CHECK(run.error->code == errc::start_failed);
  return run.error->message;
}

child_options program(std::vector<std::string> command) {
  child_options options;
  options.command = std::move(command);
  return options;
}

void write_file(const std::string& path, const std::string& text, mode_t mode) {
  std::ofstream{path} << text;
  chmod(path.c_str(), mode);
}

} // namespace

CAF_TEST(exit codes and signals are described) {
  for (auto& [script, want] :
       {std::pair{"exit 0", "exit code 0"}, std::pair{"exit 125", "exit code 125"},
        std::pair{"kill -SEGV $$", "killed by SIGSEGV"}, std::pair{"kill -9 $$", "killed by SIGKILL"}}) {
    recorder run{shell(script)};
    CAF_REQUIRE(run.wait_for_exit());
    CAF_CHECK_EQUAL(run.exit->describe(), want);
  }
}

CAF_TEST(a process that cannot be started is an error with its reason) {
  temp_dir dir;
  CAF_CHECK_EQUAL(start_error(program({"no-such-program-anywhere"})),
                  "\"no-such-program-anywhere\" could not be started: no such program in PATH");
  CAF_CHECK_EQUAL(start_error(program({"/no/such/program"})),
                  "\"/no/such/program\" could not be started: no such program");
  CAF_CHECK(start_error(program({})).find("the command is empty") != std::string::npos);
  CAF_CHECK(start_error(program({"/"})).find("it is a directory") != std::string::npos);
  write_file(dir.path() + "/plain", "#!/bin/sh\n", 0644);
  CAF_CHECK(start_error(program({dir.path() + "/plain"})).find("permission denied") != std::string::npos);
  write_file(dir.path() + "/headless", "echo without a first line\n", 0755);
  CAF_CHECK(start_error(program({dir.path() + "/headless"})).find("not an executable format") != std::string::npos);
  write_file(dir.path() + "/orphan", "#!/no/such/interpreter\n", 0755);
  CAF_CHECK(start_error(program({dir.path() + "/orphan"})).find("interpreter") != std::string::npos);
  auto elsewhere = shell("pwd");
  elsewhere.working_directory = "/no/such/directory";
  CAF_CHECK(start_error(elsewhere).find("\"/no/such/directory\" cannot be entered") != std::string::npos);
}

CAF_TEST(the process gets its directory and its environment on top of ours) {
  setenv("FINSTREAM_TEST_KEPT", "kept", 1);
  setenv("FINSTREAM_TEST_CHANGED", "old", 1);
  auto options = shell("pwd; echo $FINSTREAM_TEST_KEPT $FINSTREAM_TEST_CHANGED $FINSTREAM_RESUME_TOKEN");
  options.working_directory = "/usr";
  options.environment = {{"FINSTREAM_TEST_CHANGED", "new"}, {"FINSTREAM_RESUME_TOKEN", "7 a=b"}};
  recorder run{options};
  CAF_REQUIRE(run.wait_for_exit());
  CAF_CHECK_EQUAL(run.output(), "/usr\nkept new 7 a=b\n");
}

CAF_TEST(the process gets no descriptor of ours and no signal blocked or ignored) {
  auto leaky = open("/dev/null", O_RDONLY); // on purpose without O_CLOEXEC
  sigset_t terminate, before;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &terminate, &before);
  auto pipe_handler = std::signal(SIGPIPE, SIG_IGN);
  recorder descriptors{program({"ls", "/proc/self/fd"})};
  recorder signals{program({"grep", "-E", "SigBlk|SigIgn", "/proc/self/status"})};
  std::signal(SIGPIPE, pipe_handler);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  close(leaky);
  CAF_REQUIRE(descriptors.wait_for_exit());
  CAF_CHECK_EQUAL(descriptors.output(), "0\n1\n2\n3\n"); // the last is the directory that ls itself reads
  CAF_REQUIRE(signals.wait_for_exit());
  CAF_CHECK_EQUAL(signals.output(), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

CAF_TEST(stopping closes standard input and asks the group to end) {
  recorder run{shell("trap 'echo asked; exit 7' TERM; echo ready; while read line; do :; done; echo closed; while :; "
                     "do sleep 0.01; done")};
  CAF_REQUIRE(run.wait_for([&] { return !run.chunks.empty(); }));
  run.process->stop(60 * second);
  CAF_REQUIRE(run.wait_for_exit());
  CAF_CHECK(run.output().find("asked\n") != std::string::npos);
  CAF_CHECK_EQUAL(run.exit->describe(), "exit code 7");
}

CAF_TEST(a process that only watches its standard input sees it close) {
  recorder run{shell("trap '' TERM; echo ready; while read line; do :; done; echo closed; exit 3")};
  CAF_REQUIRE(run.wait_for([&] { return !run.chunks.empty(); }));
  run.process->stop(60 * second);
  CAF_REQUIRE(run.wait_for_exit());
  CAF_CHECK_EQUAL(run.output(), "ready\nclosed\n");
  CAF_CHECK_EQUAL(run.exit->code, 3);
}

CAF_TEST(a process that ignores the wish to stop is killed after the grace period and not before) {
  recorder run{shell("trap '' TERM; echo ready; while :; do sleep 0.02; done")};
  CAF_REQUIRE(run.wait_for([&] { return !run.chunks.empty(); }));
  auto start = std::chrono::steady_clock::now();
  run.process->stop(200 * millisecond);
  CAF_REQUIRE(run.wait_for_exit());
  CAF_CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds{200});
  CAF_CHECK_EQUAL(run.exit->describe(), "killed by SIGKILL");
}

CAF_TEST(killing ends a process that is held up in its write) {
  recorder run{shell("trap '' TERM; yes"), false};
  CAF_REQUIRE(run.poll_until([&] { return run.process->blocked_for() > 0; }));
  run.process->kill();
  run.process->grant(100); // its last output, at most one pipe full, is handed on before its end is told
  CAF_REQUIRE(run.wait_for_exit());
  CAF_CHECK_EQUAL(run.exit->describe(), "killed by SIGKILL");
}

CAF_TEST(stop and kill after the end do nothing) {
  recorder run{shell("exit 0")};
  CAF_REQUIRE(run.wait_for_exit());
  run.process->stop(0);
  run.process->kill();
  run.process->grant();
  CAF_CHECK_EQUAL(run.process->blocked_for(), 0);
}

CAF_TEST(grandchildren that hold the pipe are killed when the process ends) {
  recorder run{shell("sleep 1000 & echo $!; exit 5")};
  CAF_REQUIRE(run.wait_for_exit());
  CAF_CHECK_EQUAL(run.exit->code, 5);
  auto grandchild = std::stoi(run.output());
  CAF_CHECK(run.poll_until([&] { return !exists(grandchild); }));
}

CAF_TEST(a grandchild that left the group and holds the pipe does not keep the end from being told) {
  recorder run{shell("trap '' TERM; setsid sh -c 'echo $$; exec sleep 1000' & read line; exit 6")};
  CAF_REQUIRE(run.wait_for([&] { return !run.chunks.empty(); }));
  auto stray = std::stoi(run.output());
  run.process->stop(60 * second);
  CAF_CHECK(run.wait_for_exit());
  CAF_CHECK(exists(stray));
  ::kill(stray, SIGKILL);
  CAF_CHECK_EQUAL(run.exit->code, 6);
}

CAF_TEST(destroying a child kills its group and calls nothing afterwards) {
  int leader = 0, grandchild = 0;
  recorder watcher{shell("exit 0")};
  {
    recorder run{shell("trap '' TERM; sleep 1000 & echo $!; yes >/dev/null")};
    CAF_REQUIRE(run.wait_for([&] { return !run.chunks.empty(); }));
    leader = run.process->pid();
    grandchild = std::stoi(run.output());
    run.process.reset();
    CAF_CHECK(!run.exit);
  }
  CAF_CHECK_EQUAL(::kill(leader, 0), -1); // reaped, not only dead
  CAF_CHECK(watcher.poll_until([&] { return !exists(grandchild); }));
}

CAF_TEST(when the process that started a child is killed the child dies with it) {
  recorder keeper{program({FINSTREAM_PROCESS_KEEPER})};
  CAF_REQUIRE(keeper.wait_for([&] { return !keeper.chunks.empty(); }));
  auto kept = std::stoi(keeper.output());
  CAF_CHECK(exists(kept));
  ::kill(keeper.process->pid(), SIGKILL);
  CAF_CHECK(keeper.poll_until([&] { return !exists(kept); }));
}

CAF_TEST(two hundred starts leave no zombie no descriptor and no thread) {
  recorder{shell("exit 0")}.wait_for_exit();
  auto descriptors = count_entries("/proc/self/fd");
  auto threads = count_entries("/proc/self/task");
  for (int i = 0; i < 200; ++i) {
    // By turns: ended by itself, stopped, destroyed while it runs, never started.
    recorder run{i % 4 == 3 ? program({"/no/such/program"}) : shell(i % 4 == 0 ? "echo x; echo y >&2" : "read line")};
    if (i % 4 == 1) run.process->stop(second);
    if (i % 4 < 2) CAF_CHECK(run.wait_for_exit());
  }
  CAF_CHECK_EQUAL(count_entries("/proc/self/fd"), descriptors);
  CAF_CHECK_EQUAL(count_entries("/proc/self/task"), threads);
  CAF_CHECK_EQUAL(waitpid(-1, nullptr, WNOHANG), -1);
  CAF_CHECK_EQUAL(errno, ECHILD);
}
