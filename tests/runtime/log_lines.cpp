// Where the lines of the log go, in which order, and what happens when nobody takes them.
#define CAF_SUITE log_lines

#include "runtime/log/log.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/temp_dir.hpp"

#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <thread>
#include <unistd.h>

using namespace finstream;

namespace {

// Standard error goes somewhere else as long as this lives.
class redirected {
public:
  explicit redirected(int target) : before_{dup(STDERR_FILENO)} { dup2(target, STDERR_FILENO); }
  ~redirected() {
    dup2(before_, STDERR_FILENO);
    close(before_);
  }
  redirected(const redirected&) = delete;
  redirected& operator=(const redirected&) = delete;

private:
  int before_;
};

// What `f` writes to standard error, without the times.
std::string written_by(const std::function<void()>& f) {
  test::temp_dir directory;
  auto path = directory.path() + "/log";
  auto file = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_APPEND, 0600);
  {
    redirected guard{file};
    f();
    log::stop();
  }
  close(file);
  std::ostringstream text;
  text << std::ifstream{path}.rdbuf();
  static const std::regex time{R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} )"};
  return std::regex_replace(text.str(), time, "");
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream{text};
  std::vector<std::string> out;
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

std::string read_all(int from) {
  std::string out;
  char buffer[4096];
  for (ssize_t n; (n = read(from, buffer, sizeof buffer)) > 0;) out.append(buffer, static_cast<std::size_t>(n));
  return out;
}

// Lines "line N end" that arrived whole.
std::size_t whole_lines(const std::string& text) {
  static const std::regex whole{".* line \\d+ x* ?end"};
  std::size_t n = 0;
  for (auto& line : lines_of(text)) n += std::regex_match(line, whole) ? 1 : 0;
  return n;
}

} // namespace

// The first test, because nothing may have started the log before it.
CAF_TEST(a line before the start is written by its caller) {
  auto text = written_by([] {
    log::info("node", "starting {}", 1);
    log::debug("node", "not shown");
    log::error("node", "no config");
  });
  CAF_CHECK_EQUAL(text, "INFO  node  starting 1\nERROR node  no config\n");
}

CAF_TEST(lines come in the order in which they were written) {
  auto text = written_by([] {
    log::start({});
    for (int i = 0; i < 1000; ++i) log::info("node", "line {} end", i);
    log::debug("node", "not shown");
  });
  auto lines = lines_of(text);
  CAF_REQUIRE_EQUAL(lines.size(), 1000u);
  for (std::size_t i = 0; i < lines.size(); ++i)
    CAF_CHECK_EQUAL(lines[i], "INFO  node  line " + std::to_string(i) + " end");
}

CAF_TEST(the threshold can be changed while it runs) {
  auto text = written_by([] {
    log::start({.threshold = log::level::warning});
    log::info("a", "no");
    log::warning("a", "yes");
    log::start({.threshold = log::level::debug});
    log::debug("a", "yes");
    log::write(log::level::trace, "a", "no");
    log::start({});
    log::debug("a", "no");
  });
  CAF_CHECK_EQUAL(text, "WARN  a  yes\nDEBUG a  yes\n");
  CAF_CHECK(log::enabled(log::level::info));
  CAF_CHECK(!log::enabled(log::level::debug));
}

CAF_TEST(a line after the stop is written by its caller) {
  auto text = written_by([] {
    log::start({});
    log::info("a", "one");
    log::stop();
    log::info("a", "two");
    log::stop();
    log::start({});
    log::info("a", "three");
  });
  CAF_CHECK_EQUAL(text, "INFO  a  one\nINFO  a  two\nINFO  a  three\n");
}

CAF_TEST(json lines are whole objects) {
  auto text = written_by([] {
    log::start({.json = true});
    log::info("feeds/a", "said \"{}\"", "x\ny");
    log::stop();
    log::start({});
  });
  auto parsed = nlohmann::json::parse(text, nullptr, false);
  CAF_REQUIRE(parsed.is_object());
  CAF_CHECK_EQUAL(parsed["level"].get<std::string>(), "info");
  CAF_CHECK_EQUAL(parsed["component"].get<std::string>(), "feeds/a");
  CAF_CHECK_EQUAL(parsed["text"].get<std::string>(), "said \"x\ny\"");
  CAF_CHECK(
    std::regex_match(parsed["ts"].get<std::string>(), std::regex{R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z)"}));
}

CAF_TEST(a status line is erased before each line) {
  auto text = written_by([] {
    log::start({});
    log::info("a", "before");
    log::stop();
    log::set_line_prefix("\r\x1b[K");
    log::start({});
    log::info("a", "one");
    log::info("a", "two");
    log::stop();
    log::set_line_prefix("");
    log::info("a", "after");
  });
  CAF_CHECK_EQUAL(text, "INFO  a  before\n\r\x1b[KINFO  a  one\n\r\x1b[KINFO  a  two\nINFO  a  after\n");
}

CAF_TEST(a long text is shortened) {
  auto text = written_by([] {
    log::start({});
    log::info("a", "{}", std::string(1'000'000, 'x'));
  });
  CAF_CHECK_EQUAL(text, "INFO  a  " + std::string(8192, 'x') + " ... (991808 bytes more)\n"); // 1000000 - 8192
}

CAF_TEST(only a terminal gets colours) {
  auto terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  CAF_REQUIRE(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
  auto screen = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
  CAF_REQUIRE(screen >= 0);
  unsetenv("NO_COLOR");
  auto shown = [&](log::options options) {
    {
      redirected guard{screen};
      log::start(options);
      log::info("a", "text");
      log::stop();
    }
    char buffer[4096];
    auto n = read(terminal, buffer, sizeof buffer);
    return std::string{buffer, n > 0 ? static_cast<std::size_t>(n) : 0};
  };
  CAF_CHECK(shown({}).find("\x1b[32mINFO \x1b[0m a  text") != std::string::npos);
  CAF_CHECK(shown({.json = true}).find('\x1b') == std::string::npos);
  setenv("NO_COLOR", "1", 1);
  CAF_CHECK(shown({}).find(" INFO  a  text") != std::string::npos);
  unsetenv("NO_COLOR");
  close(screen);
  close(terminal);
}

CAF_TEST(a flood that nobody reads drops lines and counts them and holds nobody up) {
  constexpr std::size_t total = 20'000; // the queue holds 4096
  int ends[2];
  CAF_REQUIRE_EQUAL(pipe2(ends, O_CLOEXEC), 0);
  auto dropped_before = log::dropped();
  std::string text;
  std::thread reader;
  {
    redirected guard{ends[1]};
    log::start({});
    // Nobody reads yet: that this comes to an end is the point.
    for (std::size_t i = 0; i < total; ++i) log::info("a", "line {} {} end", i, std::string(100, 'x'));
    reader = std::thread{[&] { text = read_all(ends[0]); }};
    log::stop();
  }
  close(ends[1]);
  reader.join();
  close(ends[0]);
  auto dropped = log::dropped() - dropped_before;
  CAF_CHECK(dropped > 0);
  CAF_CHECK_EQUAL(whole_lines(text) + dropped, total);
  // The log itself says how many are missing.
  std::size_t told = 0;
  static const std::regex notice{"WARN  log  (\\d+) lines are missing here"};
  for (std::sregex_iterator i{text.begin(), text.end(), notice}, end; i != end; ++i) told += std::stoul((*i)[1]);
  CAF_CHECK_EQUAL(told, dropped);
}

CAF_TEST(a reader that never comes back does not keep the log from stopping) {
  int ends[2];
  CAF_REQUIRE_EQUAL(pipe2(ends, O_CLOEXEC), 0);
  auto dropped_before = log::dropped();
  {
    redirected guard{ends[1]};
    log::start({});
    for (int i = 0; i < 2000; ++i) log::info("a", "line {} {} end", i, std::string(100, 'x'));
    log::stop();
  }
  close(ends[1]);
  auto text = read_all(ends[0]);
  close(ends[0]);
  CAF_CHECK_EQUAL(whole_lines(text) + (log::dropped() - dropped_before), 2000u);
  CAF_CHECK(log::dropped() > dropped_before);
}

CAF_TEST(a closed reader costs lines and not the process) {
  int ends[2];
  CAF_REQUIRE_EQUAL(pipe2(ends, O_CLOEXEC), 0);
  close(ends[0]);
  auto dropped_before = log::dropped();
  {
    redirected guard{ends[1]};
    log::start({});
    for (int i = 0; i < 10; ++i) log::info("a", "nobody hears {}", i);
    log::stop();
  }
  close(ends[1]);
  CAF_CHECK_EQUAL(log::dropped() - dropped_before, 10u);
}

CAF_TEST(many threads write whole lines through stops and starts) {
  constexpr int threads = 4;
  constexpr int rounds = 2000;
  auto dropped_before = log::dropped();
  auto text = written_by([] {
    std::atomic<int> working{threads};
    std::vector<std::thread> writers;
    for (int t = 0; t < threads; ++t)
      writers.emplace_back([&working, t] {
        for (int i = 0; i < rounds; ++i) log::info("a", "line {} end", t * rounds + i);
        --working;
      });
    while (working > 0) {
      log::start({});
      log::stop();
    }
    for (auto& writer : writers) writer.join();
  });
  CAF_CHECK_EQUAL(whole_lines(text) + (log::dropped() - dropped_before), std::size_t{threads} * rounds);
}
