#define CAF_SUITE job_keeper

#include "actors/job_keeper.hpp"
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
