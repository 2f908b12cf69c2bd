// What a real process writes is what comes out, at the pace that credit allows.
#define CAF_SUITE process_output
#include "tests/support/suite.hpp"

#include "tests/runtime/process_support.hpp"

#include <algorithm>

using namespace finstream;
using namespace finstream::test;

CAF_TEST(lines arrive whole and the last one needs no newline) {
  recorder run{shell("echo one; printf 'tw'; sleep 0.05; printf 'o\\nthree\\nrest'")};
  CAF_REQUIRE(run.wait_for_exit());
  CAF_CHECK_EQUAL(run.output(), "one\ntwo\nthree\nrest");
  for (std::size_t i = 0; i + 1 < run.chunks.size(); ++i) CAF_CHECK_EQUAL(run.chunks[i].back(), '\n');
  CAF_CHECK_EQUAL(run.chunks.back(), "rest");
  CAF_CHECK_EQUAL(run.exit->describe(), "exit code 0");
}

CAF_TEST(a line is handed on while the process goes on without waiting for more) {
  recorder run{shell("echo first; read answer")};
  CAF_CHECK(run.wait_for([&] { return run.chunks.size() == 1; }));
  CAF_CHECK_EQUAL(run.output(), "first\n");
  CAF_CHECK(!run.exit);
}

CAF_TEST(a process hears what is said to it until it no longer reads) {
  recorder run{shell("read a; read b; echo \"$b $a\"; exec sleep 1000")};
  CAF_CHECK(run.process->say("one"));
  CAF_CHECK(run.process->say("two"));
  CAF_CHECK(run.wait_for([&] { return run.chunks.size() == 1; }));
  CAF_CHECK_EQUAL(run.output(), "two one\n");
  auto said = 0;
  while (said < 1000 && run.process->say(std::string(1000, 'x'))) ++said; // a pipe holds 64 KiB
  CAF_CHECK(said > 10 && said < 1000);
  run.process->kill();
  CAF_REQUIRE(run.wait_for_exit());
  CAF_CHECK(!run.process->say("three"));
}

CAF_TEST(a line beyond the limit is given up and the lines around it arrive) {
  // Longer than a chunk, so that it can never be seen whole.
  recorder run{shell("echo before; head -c 700000 /dev/zero | tr '\\0' x; echo; echo after")};
  CAF_REQUIRE(run.wait_for_exit());
  CAF_CHECK_EQUAL(run.output(), "before\nafter\n");
  CAF_REQUIRE_EQUAL(run.long_lines.size(), 1u);
  CAF_CHECK_EQUAL(run.long_lines[0].second, 700'000u);
  CAF_CHECK_EQUAL(run.long_lines[0].first, std::string(4096, 'x'));
}

CAF_TEST(five megabytes arrive complete when credit is given back slowly) {
  constexpr int lines = 600'000; // of 7 to 9 bytes
  recorder run{shell("seq 100000 " + std::to_string(100'000 + lines - 1)), false};
  std::size_t answered = 0;
  while (!run.exit) {
    CAF_REQUIRE(run.wait_for([&] { return run.exit || run.chunks.size() > answered; }));
    // The reader holds no more than the credit it was given.
    std::lock_guard guard{run.mutex};
    CAF_CHECK(run.chunks.size() <= answered + 2);
    for (; answered < run.chunks.size(); ++answered) {
      CAF_CHECK(run.chunks[answered].size() <= 256u * 1024);
      run.process->grant();
    }
  }
  std::string want;
  for (int i = 100'000; i < 100'000 + lines; ++i) want += std::to_string(i) + "\n";
  CAF_CHECK(run.output() == want);
}

CAF_TEST(without credit the process waits in its write and for how long is known) {
  recorder run{shell("yes 'a line of some length to fill the pipe with'"), false};
  CAF_REQUIRE(run.poll_until([&] { return run.process->blocked_for() > 0; }));
  auto earlier = run.process->blocked_for();
  CAF_CHECK(run.poll_until([&] { return run.process->blocked_for() > earlier + 20 * millisecond; }));
  {
    std::lock_guard guard{run.mutex};
    CAF_CHECK_EQUAL(run.chunks.size(), 2u); // the credit at the start
  }
  run.process->grant(3);
  CAF_CHECK(run.wait_for([&] { return run.chunks.size() == 5; }));
  CAF_CHECK(run.poll_until([&] { return run.process->blocked_for() > 0; }));
}

CAF_TEST(a silent process without credit is not blocked) {
  auto options = shell("echo one; read answer; echo two");
  options.initial_credit = 1;
  recorder run{options, false};
  CAF_REQUIRE(run.wait_for([&] { return run.chunks.size() == 1; }));
  CAF_CHECK_EQUAL(run.process->blocked_for(), 0);
}

CAF_TEST(what is left in the pipe when the process has ended is handed on as credit comes) {
  auto options = shell("seq 1 50000; printf rest");
  options.initial_credit = 0;
  options.chunk_bytes = 64 * 1024;
  recorder run{options, false};
  std::string want;
  for (int i = 1; i <= 50'000; ++i) want += std::to_string(i) + "\n";
  want += "rest";
  // It fits into the pipe, so the process ends on its own, unread.
  CAF_REQUIRE(run.poll_until([&] { return run.process->blocked_for() > 0; }));
  CAF_CHECK(!run.exit);
  for (std::size_t chunks = 1; run.output().size() < want.size(); ++chunks) {
    run.process->grant();
    CAF_REQUIRE(run.wait_for([&] { return run.chunks.size() >= chunks; }));
  }
  CAF_REQUIRE(run.wait_for_exit());
  CAF_CHECK(run.output() == want);
  CAF_CHECK_EQUAL(run.process->blocked_for(), 0);
}

CAF_TEST(standard error arrives as lines beside the output) {
  recorder run{shell("echo out; echo 'warning: one' >&2; printf 'two' >&2")};
  CAF_REQUIRE(run.wait_for_exit());
  CAF_CHECK_EQUAL(run.output(), "out\n");
  CAF_CHECK_EQUAL(run.error_lines, (std::vector<std::string>{"warning: one", "two"}));
}

CAF_TEST(a flood on standard error does not hold up the output) {
  recorder run{shell("yes error >&2 & seq 1 300000; kill $!; wait $! 2>/dev/null; exit 4")};
  CAF_REQUIRE(run.wait_for_exit());
  auto output = run.output();
  CAF_CHECK_EQUAL(std::count(output.begin(), output.end(), '\n'), 300'000);
  CAF_CHECK_EQUAL(run.exit->code, 4);
  CAF_CHECK(run.error_lines.size() > 1);
  bool told = false;
  for (auto& line : run.error_lines) told = told || line.find("were dropped") != std::string::npos;
  CAF_CHECK(told);
}

CAF_TEST(without credit standard error is read all the same) {
  auto options = shell("echo held; echo heard >&2; read answer");
  options.initial_credit = 0;
  recorder run{options, false};
  CAF_CHECK(run.wait_for([&] { return run.error_lines.size() == 1; }));
  CAF_CHECK_EQUAL(run.chunks.size(), 0u);
}
