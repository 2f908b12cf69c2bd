#define CAF_SUITE supervisor

#include "actors/supervisor.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

#include <caf/event_based_actor.hpp>

#include <set>

using namespace finstream;
using namespace finstream::test;

namespace {

// What a child does: it says in `diary` that it has started and how it ended.
enum class manner { obedient, deaf }; // deaf: to being told to stop

struct family : world {
  std::vector<std::string> diary;
  std::multiset<std::string> living;
  bool two_at_once = false; // of one path, ever

  ~family() { end_all(); } // while there is a diary
  supervised_child child(const std::string& id, restart_kind restart = restart_kind::permanent,
                         manner how = manner::obedient) {
    return {{id, restart, second}, [=, this](caf::actor_system& system, const std::string& path) {
              auto handle = system.spawn([=, this](caf::event_based_actor* self) -> caf::behavior {
                self->set_exception_handler([](std::exception_ptr& what) { return describe_exception(what); });
                self->attach_functor([=, this] {
                  living.erase(path);
                  diary.push_back("-" + id);
                });
                return {
                  [=](verb::stop) {
                    if (how == manner::obedient) self->quit();
                  },
                  [=](verb::status) {
                    return status_report{path, "{}"};
                  },
                  [](const std::string& what) { throw std::runtime_error(what); },
                };
              });
              two_at_once = two_at_once || living.count(path) != 0;
              living.insert(path);
              diary.push_back("+" + id);
              where.enter(path, caf::actor_cast<caf::strong_actor_ptr>(handle), std::make_shared<actor_gauge>());
              return handle;
            }};
  }
  supervisor_plan plan(strategy how, std::vector<supervised_child> children) {
    supervisor_plan out;
    out.on_crash = how;
    out.max_restarts = 3;
    out.period = 10 * second;
    out.children = std::move(children);
    return out;
  }
  supervised_child branch(const std::string& id, supervisor_plan of) {
    return {{id, restart_kind::permanent, 10 * second}, [=, this](caf::actor_system& system, const std::string& path) {
              return spawn_supervisor(system, &context, path, of);
            }};
  }
  void start(supervisor_plan of) {
    root = spawn_supervisor(system(), &context, "/", std::move(of));
    settle();
  }
  // What happened since it was asked the last time: "+a +b -a".
  std::string news() {
    std::string out;
    for (auto& line : diary) out += (out.empty() ? "" : " ") + line;
    diary.clear();
    return out;
  }
  void crash(const std::string& path, const std::string& why = "boom") { tell(find<caf::actor>(path), why); }
  void leave(const std::string& path) { tell(find<caf::actor>(path), verb::stop_v); }
  std::string status_of(const std::string& path) { return status(path).value_or("no answer"); }
  void restart(const std::string& path) { tell(caf::actor_cast<supervisor_actor>(root), verb::restart_v, path); }

  caf::actor root;
};

struct three : family {
  explicit three(strategy how) {
    start(plan(how, {child("a"), child("b"), child("c")}));
    news();
  }
};

} // namespace

CAF_TEST(children are started in order and stopped in reverse order) {
  family f;
  f.start(f.plan(strategy::one_for_one, {f.child("a"), f.child("b"), f.child("c")}));
  CAF_CHECK_EQUAL(f.news(), "+a +b +c");
  f.tell(f.root, verb::stop_v);
  CAF_CHECK_EQUAL(f.news(), "-c -b -a");
  CAF_CHECK(!f.alive(f.root.address()));
}

CAF_TEST(one_for_one starts the one that crashed) {
  three f{strategy::one_for_one};
  f.crash("/b");
  CAF_CHECK_EQUAL(f.news(), "-b +b");
  CAF_CHECK_EQUAL(f.counted("finstream_actor_restarts_total{actor=\"/b\"}"), 1u);
}

CAF_TEST(rest_for_one starts it and those after it once they are all gone) {
  three f{strategy::rest_for_one};
  f.crash("/b");
  CAF_CHECK_EQUAL(f.news(), "-b -c +b +c");
  f.crash("/c");
  CAF_CHECK_EQUAL(f.news(), "-c +c");
}

CAF_TEST(one_for_all starts all of them once they are all gone) {
  three f{strategy::one_for_all};
  f.crash("/b");
  CAF_CHECK_EQUAL(f.news(), "-b -c -a +a +b +c");
}

CAF_TEST(the reason of a crash is kept in its own words) {
  three f{strategy::one_for_one};
  f.crash("/a", "the disk is on fire");
  CAF_CHECK(f.status_of("/").find("the disk is on fire") != std::string::npos);
  CAF_CHECK(f.status_of("/").find(R"("path":"/a","running":true,"starts":2)") != std::string::npos);
}

CAF_TEST(a transient child comes back after a crash only and a temporary one never) {
  family f;
  f.start(f.plan(strategy::one_for_one,
                 {f.child("p"), f.child("tr", restart_kind::transient), f.child("te", restart_kind::temporary)}));
  f.news();
  f.crash("/tr");
  CAF_CHECK_EQUAL(f.news(), "-tr +tr");
  f.leave("/tr");
  CAF_CHECK_EQUAL(f.news(), "-tr");
  f.crash("/te");
  CAF_CHECK_EQUAL(f.news(), "-te");
  f.leave("/p");
  CAF_CHECK_EQUAL(f.news(), "-p +p");
  f.tell(f.root, verb::stop_v);
  CAF_CHECK_EQUAL(f.news(), "-p");
  CAF_CHECK(!f.alive(f.root.address()));
}

CAF_TEST(more crashes than the intensity allows end the supervisor and all its children) {
  three f{strategy::one_for_one};
  for (int i = 0; i < 3; ++i) f.crash("/b");
  CAF_CHECK_EQUAL(f.news(), "-b +b -b +b -b +b");
  f.crash("/b");
  CAF_CHECK(f.living.empty());
  CAF_CHECK(!f.alive(f.root.address()));
}

CAF_TEST(crashes that are far apart are no reason to give up) {
  three f{strategy::one_for_one};
  for (int i = 0; i < 20; ++i) {
    f.crash("/b");
    f.pass(4 * second); // three in ten seconds
  }
  CAF_CHECK(f.alive(f.root.address()));
  CAF_CHECK_EQUAL(f.living.size(), 3u);
}

CAF_TEST(what is too much for a supervisor is a crash to its parent and its children have one life at a time) {
  family f;
  auto inner = f.plan(strategy::rest_for_one, {f.child("writer"), f.child("reader")});
  f.start(f.plan(strategy::one_for_one, {f.branch("branch", inner), f.child("other")}));
  f.news();
  for (int i = 0; i < 4; ++i) f.crash("/branch/writer");
  CAF_CHECK(f.alive(f.root.address()));
  CAF_CHECK_EQUAL(f.living.count("/branch/writer"), 1u);
  CAF_CHECK_EQUAL(f.living.count("/branch/reader"), 1u);
  CAF_CHECK_EQUAL(f.living.count("/other"), 1u);
  CAF_CHECK(!f.two_at_once);
  CAF_CHECK(f.status_of("/").find("/branch/writer: ") != std::string::npos); // the reason names the child
}

CAF_TEST(a supervisor that crashes takes its children with it before its successor starts them again) {
  family f;
  auto inner =
    f.plan(strategy::one_for_one, {f.child("writer"), f.child("busy", restart_kind::permanent, manner::deaf)});
  f.start(f.plan(strategy::one_for_one, {f.branch("branch", inner)}));
  f.news();
  CAF_CHECK(f.where.ask_crash("/branch"));
  f.settle();
  CAF_CHECK_EQUAL(f.living.size(), 2u);
  CAF_CHECK(!f.two_at_once);
  CAF_CHECK_EQUAL(f.news(), "-writer -busy +writer +busy");
  CAF_CHECK(f.status_of("/").find("crash asked for by the admin hook") != std::string::npos);
}

CAF_TEST(a tree of three levels comes back from a crash at the top of a branch) {
  family f;
  auto innermost = f.plan(strategy::rest_for_one, {f.child("writer"), f.child("reader")});
  auto inner = f.plan(strategy::one_for_one, {f.branch("0", innermost), f.branch("1", innermost)});
  f.start(f.plan(strategy::one_for_one, {f.branch("partitions", inner), f.child("hub")}));
  for (auto path : {"/partitions", "/partitions/0", "/partitions", "/partitions/1"}) {
    CAF_CHECK(f.where.ask_crash(path));
    f.settle();
    CAF_CHECK_EQUAL(f.living.size(), 5u);
    CAF_CHECK(!f.two_at_once);
    f.pass(5 * second);
  }
  f.tell(f.root, verb::stop_v);
  CAF_CHECK(f.living.empty());
  CAF_CHECK(!f.alive(f.root.address()));
}

CAF_TEST(a child that does not stop in its time is killed) {
  family f;
  f.start(f.plan(strategy::one_for_one, {f.child("a"), f.child("deaf", restart_kind::permanent, manner::deaf)}));
  f.news();
  f.tell(f.root, verb::stop_v);
  f.pass(900 * millisecond);
  CAF_CHECK_EQUAL(f.news(), "");
  f.pass(200 * millisecond); // its patience is a second
  CAF_CHECK_EQUAL(f.news(), "-deaf -a");
  CAF_CHECK(!f.alive(f.root.address()));
}

CAF_TEST(nobody is started again while the tree is being stopped) {
  family f;
  f.start(f.plan(strategy::one_for_one,
                 {f.child("a"), f.child("b"), f.child("deaf", restart_kind::permanent, manner::deaf)}));
  f.news();
  f.tell(f.root, verb::stop_v);
  f.crash("/a");
  f.restart("/b");
  f.pass(2 * second);
  CAF_CHECK(f.living.empty());
  CAF_CHECK(!f.alive(f.root.address()));
}

CAF_TEST(a child is started again by hand whether it is well or gone) {
  family f;
  f.start(f.plan(strategy::one_for_one, {f.child("a"), f.child("once", restart_kind::temporary)}));
  f.news();
  f.restart("/a");
  CAF_CHECK_EQUAL(f.news(), "-a +a");
  f.crash("/once");
  f.restart("/once");
  CAF_CHECK_EQUAL(f.news(), "-once +once");
  f.restart("/nobody");
  CAF_CHECK_EQUAL(f.news(), "");
}

CAF_TEST(a child that is asked to start again twice at once has one life at a time) {
  three f{strategy::one_for_one};
  caf::anon_send(caf::actor_cast<supervisor_actor>(f.root), verb::restart_v, std::string{"/a"});
  caf::anon_send(caf::actor_cast<supervisor_actor>(f.root), verb::restart_v, std::string{"/a"});
  f.settle();
  CAF_CHECK(!f.two_at_once);
  CAF_CHECK_EQUAL(f.living.size(), 3u);
}

CAF_TEST(crashes that overlap start each child once) {
  three f{strategy::rest_for_one};
  caf::anon_send(f.find<caf::actor>("/b"), std::string{"first"});
  caf::anon_send(f.find<caf::actor>("/a"), std::string{"second"});
  f.settle();
  CAF_CHECK(!f.two_at_once);
  CAF_CHECK_EQUAL(f.living.size(), 3u);
  f.tell(f.root, verb::stop_v);
  CAF_CHECK(f.living.empty());
}

CAF_TEST(an actor that nobody knows cannot be made to crash) {
  three f{strategy::one_for_one};
  CAF_CHECK(!f.where.ask_crash("/nobody"));
}

CAF_TEST(children that do not need each other are told to finish together) {
  family f;
  auto plan = f.plan(strategy::one_for_one, {f.child("a", restart_kind::permanent, manner::deaf), f.child("b"),
                                             f.child("c", restart_kind::permanent, manner::deaf)});
  plan.independent = true;
  f.start(plan);
  f.news();
  f.tell(f.root, verb::stop_v);
  CAF_CHECK_EQUAL(f.news(), "-b");
  f.pass(1100 * millisecond); // the deaf ones' patience is a second, and passes for both at once
  CAF_CHECK(f.living.empty());
  CAF_CHECK(!f.alive(f.root.address()));
}
