#include "runtime/process/spawn.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char** environ; // NOLINT: POSIX declares it nowhere

namespace finstream {

namespace {

struct pipe_ends {
  descriptor read;
  descriptor write;
};

// What the new process needs, made before it exists: between vfork and exec nothing may be allocated.
struct launch_plan {
  std::vector<std::string> candidates; // paths to try, in order
  std::vector<std::string> environment;
  std::vector<const char*> candidate_pointers, argument_pointers, environment_pointers;
  const char* working_directory = nullptr;
  int input = -1, output = -1, errors = -1, report = -1;
  pid_t parent = -1;
};

// How far the new process came, and why no further; sent through a pipe that exec closes.
struct launch_report {
  enum step_type : int { change_directory, execute } step;
  int error;
};

// Above the three standard streams, so that moving one end into place never closes another.
expected<pipe_ends> make_pipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0)
    return fail(errc::start_failed, std::string{"no pipe could be made: "} + std::strerror(errno));
  for (auto& fd : fds) {
    if (fd > STDERR_FILENO) continue;
    auto moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    ::close(fd);
    fd = moved;
  }
  return pipe_ends{descriptor{fds[0]}, descriptor{fds[1]}};
}

void set_nonblocking(const descriptor& fd) { fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK); }

// This process's environment with the options' on top.
std::vector<std::string> merge_environment(const child_options& options) {
  std::vector<std::string> merged;
  for (auto entry = environ; *entry != nullptr; ++entry) {
    std::string_view text{*entry};
    bool replaced = false;
    for (auto& [name, value] : options.environment)
      replaced = replaced || (text.substr(0, name.size()) == name && text.substr(name.size(), 1) == "=");
    if (!replaced) merged.emplace_back(text);
  }
  for (auto& [name, value] : options.environment) merged.push_back(name + "=" + value);
  return merged;
}

// Where the program may be: a name with a slash is a path, any other is looked for in PATH.
std::vector<std::string> find_candidates(const std::string& program, const std::vector<std::string>& environment) {
  if (program.find('/') != std::string::npos) return {program};
  std::string_view path = "/usr/local/bin:/usr/bin:/bin";
  for (auto& entry : environment)
    if (entry.rfind("PATH=", 0) == 0) path = std::string_view{entry}.substr(5);
  std::vector<std::string> candidates;
  for (;;) {
    auto end = path.find(':');
    auto directory = path.substr(0, end);
    candidates.push_back((directory.empty() ? "." : std::string{directory}) + "/" + program);
    if (end == std::string_view::npos) return candidates;
    path.remove_prefix(end + 1);
  }
}

std::vector<const char*> pointers(const std::vector<std::string>& strings) {
  std::vector<const char*> result;
  for (auto& s : strings) result.push_back(s.c_str());
  result.push_back(nullptr);
  return result;
}

// In the new process, which shares our memory until exec: system calls only.
[[noreturn]] void become_program(const launch_plan& plan) {
  launch_report report{launch_report::execute, ENOENT};
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != plan.parent) _exit(127); // we died before the line above took hold
  setpgid(0, 0);
  dup2(plan.input, STDIN_FILENO);
  dup2(plan.output, STDOUT_FILENO);
  dup2(plan.errors, STDERR_FILENO);
  syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  // Defaults before the mask is lifted: no handler of ours may run here.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int s = 1; s < NSIG; ++s) sigaction(s, &standard, nullptr);
  sigset_t nothing;
  sigemptyset(&nothing);
  sigprocmask(SIG_SETMASK, &nothing, nullptr);
  if (plan.working_directory != nullptr && chdir(plan.working_directory) != 0) {
    report = {launch_report::change_directory, errno};
  } else {
    for (auto path = plan.candidate_pointers.data(); *path != nullptr; ++path) {
      execve(*path, const_cast<char* const*>(plan.argument_pointers.data()),
             const_cast<char* const*>(plan.environment_pointers.data()));
      // As a shell does: look on, but remember a program that was there and could not be run.
      if (errno != ENOENT && errno != ENOTDIR) report.error = errno;
      if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
    }
  }
  auto written = write(plan.report, &report, sizeof report);
  _exit(written == sizeof report ? 127 : 126);
}

pid_t launch(const launch_plan& plan) {
  // No signal may be handled while the new process runs in our memory.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  auto pid = vfork();
  if (pid == 0) become_program(plan);
  auto error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

tl::unexpected<failure> explain_failure(const launch_plan& plan, const child_options& options, launch_report report) {
  auto& program = options.command.front();
  auto sentence = [&](const std::string& why) {
    return fail(errc::start_failed, "\"" + program + "\" could not be started: " + why);
  };
  if (report.step == launch_report::change_directory)
    return sentence("its working directory \"" + options.working_directory +
                    "\" cannot be entered: " + std::strerror(report.error));
  bool is_path = program.find('/') != std::string::npos;
  struct stat found {};
  bool exists = is_path && options.working_directory.empty() && stat(plan.candidates.front().c_str(), &found) == 0;
  switch (report.error) {
  case ENOENT:
  case ENOTDIR:
    if (exists) return sentence("the interpreter named in its first line does not exist");
    return sentence(is_path ? "no such program" : "no such program in PATH");
  case EACCES:
    if (exists && S_ISDIR(found.st_mode)) return sentence("it is a directory");
    return sentence("permission denied: it must be a file that this user may execute");
  case ENOEXEC: return sentence("not an executable format: a script needs a first line such as #!/bin/sh");
  case E2BIG: return sentence("its arguments and environment are too long");
  default: return sentence(std::strerror(report.error));
  }
}

} // namespace

expected<spawned> spawn(const child_options& options) {
  if (options.command.empty() || options.command.front().empty())
    return fail(errc::start_failed, "no program could be started: the command is empty, name a program");
  auto input = make_pipe(), output = make_pipe(), errors = make_pipe(), report = make_pipe();
  for (auto made : {&input, &output, &errors, &report})
    if (!*made) return tl::unexpected{made->error()};
  set_nonblocking(output->read);
  set_nonblocking(errors->read);
  fcntl(output->read.get(), F_SETPIPE_SZ,
        output_pipe_bytes); // refused where this user's share is used up: smaller will do

  launch_plan plan;
  plan.environment = merge_environment(options);
  plan.candidates = find_candidates(options.command.front(), plan.environment);
  plan.candidate_pointers = pointers(plan.candidates);
  plan.argument_pointers = pointers(options.command);
  plan.environment_pointers = pointers(plan.environment);
  if (!options.working_directory.empty()) plan.working_directory = options.working_directory.c_str();
  plan.input = input->read.get();
  plan.output = output->write.get();
  plan.errors = errors->write.get();
  plan.report = report->write.get();
  plan.parent = getpid();

  auto pid = launch(plan);
  if (pid < 0) return fail(errc::start_failed, std::string{"no process could be made: "} + std::strerror(errno));
  report->write.reset();
  launch_report outcome{};
  ssize_t n;
  do n = read(report->read.get(), &outcome, sizeof outcome);
  while (n < 0 && errno == EINTR);
  auto bury = [pid] {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  };
  if (n != 0) {
    bury();
    return explain_failure(plan, options, outcome);
  }
  spawned result;
  result.pid = pid;
  result.process.reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!result.process.open()) {
    auto error = errno;
    ::kill(-pid, SIGKILL);
    bury();
    return fail(errc::start_failed,
                std::string{"a process could not be watched (pidfd_open): "} + std::strerror(error));
  }
  result.input = std::move(input->write);
  result.output = std::move(output->read);
  result.errors = std::move(errors->read);
  return result;
}

} // namespace finstream
