#define CAF_SUITE metered

#include "actors/metered.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

struct worker_state {
  using interface = managed;
  static constexpr const char* name = "worker";
  explicit worker_state(actor_of<worker_state>* self) : self_{self} {}
  interface::behavior_type behavior() {
    return {
      [this](verb::stop) { self_->quit(); },
      [this](verb::status) {
        busy_when_asked = self_->gauge->busy_since_ns;
        return status_report{"/worker", "{}"};
      },
    };
  }
  actor_of<worker_state>* self_;
  static inline std::int64_t busy_when_asked = 0;
};

struct worker_world : world {
  managed worker = spawn_metered<worker_state>(system(), where, "/worker", [](worker_state&) {});
  std::shared_ptr<actor_gauge> gauge = where.gauges().at(0);
};

} // namespace

CAF_TEST(the depth of a mailbox is what has come and is not yet dealt with) {
  worker_world w;
  w.settle();
  CAF_CHECK_EQUAL(w.gauge->path, "/worker");
  CAF_CHECK_EQUAL(w.gauge->depth(), 0u);
  for (int i = 0; i < 5; ++i) caf::anon_send(w.worker, verb::status_v);
  CAF_CHECK_EQUAL(w.gauge->depth(), 5u);
  w.settle();
  CAF_CHECK_EQUAL(w.gauge->depth(), 0u);
  CAF_CHECK_EQUAL(w.gauge->handled.load(), 5u);
}

CAF_TEST(an actor is busy since the message it works on and idle after it) {
  worker_world w;
  auto before = system_clock().monotonic();
  w.tell(w.worker, verb::status_v);
  CAF_CHECK(worker_state::busy_when_asked >= before);
  CAF_CHECK_EQUAL(w.gauge->busy_since_ns.load(), 0);
  CAF_CHECK(w.gauge->longest_ns.load() > 0);
  CAF_CHECK(w.gauge->processing_ns.load() >= static_cast<std::uint64_t>(w.gauge->longest_ns.load()));
}

CAF_TEST(how long messages wait is sampled one message at a time) {
  actor_gauge gauge;
  gauge.on_enqueue(100); // the first is followed
  gauge.on_enqueue(110);
  gauge.on_enqueue(120);
  gauge.on_start(400);
  CAF_CHECK_EQUAL(gauge.wait_ns.load(), 300);
  gauge.on_finish(450);
  gauge.on_enqueue(460); // the next to be followed, behind two others
  gauge.on_start(500), gauge.on_finish(600);
  gauge.on_start(600), gauge.on_finish(700);
  CAF_CHECK_EQUAL(gauge.wait_ns.load(), 300);
  gauge.on_start(700);
  CAF_CHECK_EQUAL(gauge.wait_ns.load(), 240);
  CAF_CHECK_EQUAL(gauge.longest_wait_ns.load(), 300);
  gauge.on_finish(750);
  CAF_CHECK_EQUAL(gauge.processing_ns.load(), 50u + 100 + 100 + 50);
  CAF_CHECK_EQUAL(gauge.longest_ns.load(), 100);
}

CAF_TEST(the admin hook makes the next message throw and the reason says so) {
  worker_world w;
  w.settle();
  caf::error reason;
  w.worker->attach_functor([&](const caf::error& why) { reason = why; });
  CAF_CHECK(w.where.ask_crash("/worker"));
  w.settle();
  CAF_CHECK(!w.alive(w.worker.address()));
  CAF_CHECK(w.system().render(reason).find("crash asked for by the admin hook") != std::string::npos);
  CAF_CHECK_EQUAL(w.gauge->depth(), 0u);
  CAF_CHECK_EQUAL(w.gauge->busy_since_ns.load(), 0);
}

CAF_TEST(an exception keeps its own words) {
  world w;
  auto words = [&](auto thrown) {
    auto pointer = std::make_exception_ptr(thrown);
    return w.system().render(describe_exception(pointer));
  };
  CAF_CHECK(words(std::runtime_error("no space left")).find("no space left") != std::string::npos);
  CAF_CHECK(words(7).find("not a std::exception") != std::string::npos);
}

CAF_TEST(a path belongs to the last who entered it) {
  worker_world w;
  auto first = w.worker.address();
  auto second_worker = spawn_metered<worker_state>(w.system(), w.where, "/worker", [](worker_state&) {});
  w.where.leave("/worker", first); // comes too late to matter
  CAF_CHECK(w.where.find_as<managed>("/worker") == second_worker);
  w.where.leave("/worker", second_worker.address());
  CAF_CHECK(w.where.find_as<managed>("/worker") == nullptr);
  CAF_CHECK(!w.where.ask_crash("/worker"));
  for (auto& one : {w.worker, second_worker}) w.tell(one, verb::stop_v);
}

CAF_TEST(the directory is sorted by path) {
  world w;
  for (auto path : {"/hub", "/", "/partitions/0/window", "/feeds/x", "/partitions/0/appender"}) w.listen(path);
  std::vector<std::string> paths;
  for (auto& gauge : w.where.gauges()) paths.push_back(gauge->path);
  CAF_CHECK(
    (paths == std::vector<std::string>{"/", "/feeds/x", "/hub", "/partitions/0/appender", "/partitions/0/window"}));
}
