// Metrics: what Prometheus reads is exactly what was counted.
#define CAF_SUITE metrics

#include "runtime/metrics/metrics.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/temp_dir.hpp"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace finstream;
using namespace finstream::metrics;

namespace {

// Whether `f` stops the process as a bug of ours does.
bool is_bug(const std::function<void()>& f) {
  auto child = fork();
  if (child == 0) {
    auto nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDERR_FILENO);
    f();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

// One of each kind, as a program with good manners has them.
void fill(registry& r) {
  r.make_counter("finstream_events_total", "Events read, by feed.", {"feed", "kind"}, {"b", "bar"}).add(2);
  r.make_counter("finstream_events_total", "Events read, by feed.", {"feed", "kind"}, {"a", "tick"}).add(40);
  r.make_counter("finstream_events_total", "Events read, by feed.", {"feed", "kind"}, {"a", "bar"});
  r.make_gauge("finstream_clients", "Clients connected now.").set(2.5);
  auto& lag = r.make_histogram("finstream_lag_seconds", "From reading to writing.", {0.25, 1});
  for (auto x : {0.25, 0.5, 3.0}) lag.observe(x);
}

} // namespace

CAF_TEST(the exposition is sorted and has a header for each metric) {
  registry r;
  fill(r);
  CAF_CHECK_EQUAL(r.exposition(), R"(# HELP finstream_clients Clients connected now.
# TYPE finstream_clients gauge
finstream_clients 2.5
# HELP finstream_events_total Events read, by feed.
# TYPE finstream_events_total counter
finstream_events_total{feed="a",kind="bar"} 0
finstream_events_total{feed="a",kind="tick"} 40
finstream_events_total{feed="b",kind="bar"} 2
# HELP finstream_lag_seconds From reading to writing.
# TYPE finstream_lag_seconds histogram
finstream_lag_seconds_bucket{le="0.25"} 1
finstream_lag_seconds_bucket{le="1"} 2
finstream_lag_seconds_bucket{le="+Inf"} 3
finstream_lag_seconds_sum 3.75
finstream_lag_seconds_count 3
)");
}

CAF_TEST(a registry without metrics exposes nothing) {
  registry r;
  CAF_CHECK_EQUAL(r.exposition(), "");
}

CAF_TEST(what could break a line is escaped) {
  registry r;
  r.make_counter("a_total", "Back\\slash, line\nand \"quote\".", {"x"}, {"Back\\slash, line\nand \"quote\""}).add();
  CAF_CHECK_EQUAL(r.exposition(), "# HELP a_total Back\\\\slash, line\\nand \"quote\".\n"
                                  "# TYPE a_total counter\n"
                                  "a_total{x=\"Back\\\\slash, line\\nand \\\"quote\\\"\"} 1\n");
}

CAF_TEST(numbers are written so that they read back exactly) {
  registry r;
  auto& x = r.make_gauge("x", "Any number.");
  auto shown = [&](double value) {
    x.set(value);
    auto text = r.exposition();
    return text.substr(text.rfind(' ') + 1);
  };
  CAF_CHECK_EQUAL(shown(0.1), "0.1\n");
  CAF_CHECK_EQUAL(shown(-3), "-3\n");
  CAF_CHECK_EQUAL(shown(1e300), "1e+300\n");
  CAF_CHECK_EQUAL(shown(std::numeric_limits<double>::infinity()), "+Inf\n");
  CAF_CHECK_EQUAL(shown(-std::numeric_limits<double>::infinity()), "-Inf\n");
  CAF_CHECK_EQUAL(shown(std::numeric_limits<double>::quiet_NaN()), "NaN\n");
  auto third = 1.0 / 3.0;
  CAF_CHECK_EQUAL(std::strtod(shown(third).c_str(), nullptr), third);
  r.make_counter("y_total", "The largest.").add(std::numeric_limits<std::uint64_t>::max());
  CAF_CHECK(has_line(r.exposition(), "y_total 18446744073709551615"));
}

CAF_TEST(the same name and labels give the same handle) {
  registry r;
  auto& first = r.make_counter("a_total", "Help.", {"x"}, {"1"});
  auto& other = r.make_counter("a_total", "Help.", {"x"}, {"2"});
  CAF_CHECK(&first == &r.make_counter("a_total", "Help.", {"x"}, {"1"}));
  CAF_CHECK(&first != &other);
  // Handles stay where they are, however many come after them.
  for (int i = 0; i < 10'000; ++i) r.make_counter("a_total", "Help.", {"x"}, {"n" + std::to_string(i)}).add();
  first.add(7);
  CAF_CHECK(has_line(r.exposition(), "a_total{x=\"1\"} 7"));
}

CAF_TEST(one name for two things is a bug) {
  registry r;
  r.make_counter("a_total", "Help.", {"x"}, {"1"});
  r.make_histogram("b", "Help.", {1, 2});
  CAF_CHECK(!is_bug([&] { r.make_counter("a_total", "Help.", {"x"}, {"2"}); }));
  CAF_CHECK(is_bug([&] { r.make_gauge("a_total", "Help.", {"x"}, {"1"}); }));
  CAF_CHECK(is_bug([&] { r.make_counter("a_total", "Other help.", {"x"}, {"1"}); }));
  CAF_CHECK(is_bug([&] { r.make_counter("a_total", "Help.", {"y"}, {"1"}); }));
  CAF_CHECK(is_bug([&] { r.make_counter("a_total", "Help.", {"x", "y"}, {"1", "2"}); }));
  CAF_CHECK(is_bug([&] { r.make_counter("a_total", "Help."); }));
  CAF_CHECK(is_bug([&] { r.make_histogram("b", "Help.", {1, 3}); }));
}

CAF_TEST(names and bounds that Prometheus would not read are bugs) {
  registry r;
  for (auto* name : {"", "1a", "a-b", "a b", "é"}) CAF_CHECK(is_bug([&] { r.make_gauge(name, "Help."); }));
  CAF_CHECK(!is_bug([&] { r.make_gauge("a:b_C9", "Help."); }));
  CAF_CHECK(is_bug([&] { r.make_gauge("a", "Help.", {"le"}, {"1"}); }));
  CAF_CHECK(is_bug([&] { r.make_gauge("a", "Help.", {"__a"}, {"1"}); }));
  CAF_CHECK(is_bug([&] { r.make_gauge("a", "Help.", {"a:b"}, {"1"}); }));
  CAF_CHECK(is_bug([&] { r.make_gauge("a", "Help.", {"a"}, {}); }));
  CAF_CHECK(is_bug([] { histogram{{}}; }));
  CAF_CHECK(is_bug([] { histogram{{1, 1}}; }));
  CAF_CHECK(is_bug([] { histogram{{2, 1}}; }));
  CAF_CHECK(is_bug([] { histogram{{1, std::numeric_limits<double>::infinity()}}; }));
}

CAF_TEST(a value on a bound belongs to the bucket below it) {
  histogram h{{1, 2, 5}};
  for (auto x : {-1.0, 1.0, 1.5, 2.0, 5.0, 5.1, 1e9}) h.observe(x);
  h.observe(std::numeric_limits<double>::quiet_NaN()); // counts nowhere
  CAF_CHECK_EQUAL(h.cumulative(), (std::vector<std::uint64_t>{2, 4, 5, 7}));
  CAF_CHECK_EQUAL(h.count(), 7u);
  CAF_CHECK_EQUAL(h.sum(), -1.0 + 1.0 + 1.5 + 2.0 + 5.0 + 5.1 + 1e9);
}

CAF_TEST(a quantile is interpolated inside its bucket) {
  histogram empty{{1, 2}};
  CAF_CHECK_EQUAL(empty.quantile(0.5), 0.0);
  // 4 in (0, 1], none in (1, 2], 4 in (2, 4], 2 beyond
  histogram h{{1, 2, 4}};
  for (auto x : {0.5, 0.5, 0.5, 0.5, 3.0, 3.0, 3.0, 3.0, 9.0, 9.0}) h.observe(x);
  CAF_CHECK_EQUAL(h.quantile(0), 0.0);
  CAF_CHECK_EQUAL(h.quantile(0.2), 0.5); // rank 2 of 10: halfway through the 4 of the first bucket
  CAF_CHECK_EQUAL(h.quantile(0.4), 1.0); // rank 4: its end
  CAF_CHECK_EQUAL(h.quantile(0.6), 3.0); // rank 6: 2 of the 4 between 2 and 4
  CAF_CHECK_EQUAL(h.quantile(0.8), 4.0);
  CAF_CHECK_EQUAL(h.quantile(0.99), 4.0); // beyond the last bound: nothing more is known
  CAF_CHECK_EQUAL(h.quantile(7), 4.0);
  histogram below{{-2, -1}};
  below.observe(-5);
  CAF_CHECK_EQUAL(below.quantile(0.5), -2.0); // there is no lower end to interpolate from
}

CAF_TEST(the ready-made bounds are good for a histogram) {
  CAF_CHECK_EQUAL(histogram{latency_bounds_seconds()}.count(), 0u);
  CAF_CHECK_EQUAL(histogram{latency_bounds_ms()}.count(), 0u);
  CAF_CHECK_EQUAL(latency_bounds_seconds().size(), latency_bounds_ms().size());
}

CAF_TEST(a collector runs before each exposition and may register) {
  registry r;
  int runs = 0;
  r.before_exposition([&] { r.make_gauge("runs", "Expositions so far.").set(++runs); });
  CAF_CHECK(has_line(r.exposition(), "runs 1"));
  CAF_CHECK(has_line(r.exposition(), "runs 2"));
}

CAF_TEST(the reference lists every metric once) {
  registry r;
  fill(r);
  r.make_gauge("z", "One | other.");
  CAF_CHECK_EQUAL(r.reference(), R"(| name | type | labels | meaning |
| --- | --- | --- | --- |
| `finstream_clients` | gauge |  | Clients connected now. |
| `finstream_events_total` | counter | `feed`, `kind` | Events read, by feed. |
| `finstream_lag_seconds` | histogram |  | From reading to writing. |
| `z` | gauge |  | One \| other. |
)");
}

CAF_TEST(many threads count without losing one) {
  constexpr int threads = 4;
  constexpr int rounds = 20'000;
  registry r;
  std::atomic<int> working{threads};
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&r, &working, t] {
      auto& all = r.make_counter("all_total", "Help.");
      auto& spread = r.make_histogram("spread", "Help.", {1, 2, 3});
      for (int i = 0; i < rounds; ++i) {
        all.add();
        spread.observe(i % 4 + 0.5);
        if (i % 1000 == 0)
          r.make_counter("own_total", "Help.", {"x"}, {std::to_string(t) + "/" + std::to_string(i)}).add();
      }
      --working;
    });
  // Whatever is read meanwhile agrees with itself: the last bucket is the count.
  do {
    auto text = r.exposition();
    std::istringstream lines{text};
    std::string all, count;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("spread_bucket{le=\"+Inf\"} ")) all = line.substr(line.rfind(' '));
      if (line.starts_with("spread_count ")) count = line.substr(line.rfind(' '));
    }
    CAF_CHECK_EQUAL(all, count);
  } while (working > 0);
  for (auto& worker : workers) worker.join();
  auto text = r.exposition();
  CAF_CHECK(has_line(text, "all_total 80000")); // 4 * 20000
  CAF_CHECK(has_line(text, "spread_count 80000"));
  CAF_CHECK(has_line(text, "spread_bucket{le=\"1\"} 20000"));
  CAF_CHECK(has_line(text, "spread_sum 160000")); // 20000 * (0.5 + 1.5 + 2.5 + 3.5)
  CAF_CHECK(has_line(text, "own_total{x=\"3/19000\"} 1"));
}

CAF_TEST(promtool finds nothing to say) {
  if (std::system("command -v promtool > /dev/null 2>&1") != 0) {
    CAF_MESSAGE("skipped: promtool (Debian package prometheus) is not installed");
    return;
  }
  registry r;
  fill(r);
  r.make_counter("odd_labels_total", "Back\\slash\nline.", {"x"}, {"a\\b\"c\nd|e é"}).add();
  r.make_gauge("odd_number", "Not a number.").set(std::numeric_limits<double>::quiet_NaN());
  r.make_histogram("latency_seconds", "Latency.", latency_bounds_seconds(), {"stage"}, {"parse"}).observe(0.003);
  test::temp_dir directory;
  auto path = directory.path() + "/metrics.txt", said = directory.path() + "/said.txt";
  std::ofstream{path} << r.exposition();
  auto status = std::system(("promtool check metrics < " + path + " > " + said + " 2>&1").c_str());
  std::ostringstream text;
  text << std::ifstream{said}.rdbuf();
  if (status != 0 || !text.str().empty()) CAF_ERROR("promtool: " << text.str());
}
