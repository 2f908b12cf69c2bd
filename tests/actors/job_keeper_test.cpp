#define CAF_SUITE job_keeper

#include "actors/job_keeper.hpp"
#include "actors/rest.hpp"
#include "runtime/store/job_store.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

struct job_world : world {
  job_world() {
    context.config_hash = 7;
    keeper = spawn_metered<job_keeper_state>(system(), where, "/jobs",
                                             [this](job_keeper_state& state) { state.prepare(&context); });
    settle();
  }
  // "running 5, failed 0 it crashed": of each run, in their order.
  std::string jobs() const {
    std::string out;
    auto read = scan_jobs(log, [&](const job_run& x) {
      out += (out.empty() ? "" : ", ") + std::string{to_string(x.status)} + " " + std::to_string(x.rows);
      if (!x.detail.empty()) out += " " + x.detail;
      return true;
    });
    CAF_REQUIRE(read.has_value());
    return out;
  }
  job_keeper_actor keeper;
};

} // namespace

CAF_TEST(a run is kept from its beginning to its end) {
  job_world w;
  job_teller feed{&w.context, job_kind::produce, "/feeds/f"};
  feed.begin();
  w.settle();
  CAF_CHECK_EQUAL(w.jobs(), "running 0");
  w.pass(second);
  feed.go_on(100);
  w.settle();
  CAF_CHECK_EQUAL(w.jobs(), "running 0"); // it is told every ten seconds
  w.pass(10 * second);
  feed.go_on(500);
  w.settle();
  CAF_CHECK_EQUAL(w.jobs(), "running 500");
  feed.go_on(600);
  feed.end(job_status::done, "exit code 0");
  feed.end(job_status::failed, "an end comes once");
  w.settle();
  CAF_CHECK_EQUAL(w.jobs(), "done 600 exit code 0");
  auto read = scan_jobs(w.log, [&](const job_run& x) {
    CAF_CHECK_EQUAL(x.id, "2026-01-05T09:30:00Z /feeds/f");
    CAF_CHECK_EQUAL(*x.ended - x.started, 11 * second);
    CAF_CHECK_EQUAL(x.config_hash, 7u);
    return true;
  });
  CAF_CHECK(read.has_value());
}

CAF_TEST(what crashed is ended by its successor and by nobody else) {
  job_world w;
  for (auto* place : {"/partitions/0/window", "/partitions/1/window", "/partitions/0/window"}) {
    job_teller{&w.context, job_kind::micro_batch, place}.begin();
    w.pass(second);
  }
  CAF_CHECK_EQUAL(w.jobs(), "failed 0 it crashed, running 0, running 0");
}

CAF_TEST(a log that is full for a while has all runs in the end) {
  job_world w;
  w.log.refuse(errc::disk_full);
  job_teller one{&w.context, job_kind::produce, "/feeds/one"}, two{&w.context, job_kind::produce, "/feeds/two"};
  one.begin(), two.begin();
  one.end(job_status::failed, "gone");
  w.pass(5 * second);
  CAF_CHECK_EQUAL(w.jobs(), "");
  w.log.refuse(errc::none);
  w.pass(2 * second);
  CAF_CHECK_EQUAL(w.jobs(), "failed 0 gone, running 0");
}

CAF_TEST(a node that was killed is known to have ended when it starts again) {
  job_world w;
  job_teller feed{&w.context, job_kind::produce, "/feeds/f"}, other{&w.context, job_kind::produce, "/feeds/g"};
  feed.begin(), other.begin();
  other.end(job_status::done, "");
  w.settle();
  CAF_REQUIRE(settle_jobs(w.log).has_value());
  CAF_CHECK_EQUAL(w.jobs(), "failed 0 the node ended and it could not say how, done 0");
}

CAF_TEST(the newest runs are answered first and a wrong question is refused) {
  job_world w;
  for (auto* feed : {"a", "b", "c"}) {
    job_teller{&w.context, job_kind::produce, std::string{"/feeds/"} + feed}.begin();
    w.pass(second);
  }
  auto ask = [&](const std::string& key, const std::string& value) {
    http_request request;
    if (!key.empty()) request.query[key] = value;
    return answer_jobs(w.context, request);
  };
  auto all = ask("", "").body;
  CAF_CHECK(all.find("/feeds/c") < all.find("/feeds/b") && all.find("/feeds/b") < all.find("/feeds/a"));
  CAF_CHECK(all.ends_with("\"rows\":3}\n"));
  auto one = ask("limit", "1").body;
  CAF_CHECK(one.find("/feeds/c") != one.npos && one.find("/feeds/b") == one.npos);
  for (auto* wrong : {"0", "100001", "-1", "ten", "1x"}) CAF_CHECK_EQUAL(ask("limit", wrong).status, 400);
  CAF_CHECK_EQUAL(ask("symbol", "SPY").status, 400);
}

CAF_TEST(what cannot be written for long costs the oldest) {
  job_world w;
  w.log.refuse(errc::disk_full);
  for (int n = 0; n < 10'010; ++n) {
    w.time.advance(millisecond);
    job_teller{&w.context, job_kind::produce, "/feeds/" + std::to_string(n)}.begin();
    w.settle();
  }
  w.log.refuse(errc::none);
  w.pass(2 * second);
  std::vector<std::string> kept;
  CAF_REQUIRE(scan_jobs(w.log, [&](const job_run& x) { return kept.push_back(place_of(x)), true; }).has_value());
  CAF_CHECK_EQUAL(kept.size(), 10'000u);
  CAF_CHECK_EQUAL(kept.front(), "/feeds/10");
}
