#define CAF_SUITE config_roles

#include "runtime/config/roles.hpp"
#include "tests/support/suite.hpp"

using namespace finstream;

CAF_TEST(roles are named in a list) {
  auto x = role_set::parse("gateway,ingest");
  CAF_REQUIRE(x.has_value());
  CAF_CHECK(x->has(role::ingest) && x->has(role::gateway));
  CAF_CHECK(!x->has(role::store) && !x->works() && !x->is_all());
  CAF_CHECK_EQUAL(x->text(), "ingest,gateway");
}

CAF_TEST(any of the three that are one step works on partitions) {
  for (auto name : {"window", "features", "infer"}) {
    auto x = role_set::parse(name);
    CAF_CHECK(x && x->works());
  }
}

CAF_TEST(all of them is all) {
  auto x = role_set::parse(role_set::all().text());
  CAF_CHECK(x && x->is_all() && *x == role_set::all());
}

CAF_TEST(what is no role is refused with the ones that are) {
  for (auto text : {"", ",", "window,", "windows", "WINDOW", "window, store"}) {
    auto x = role_set::parse(text);
    CAF_REQUIRE(!x.has_value());
    CAF_CHECK(x.error().code == errc::invalid_argument);
    CAF_CHECK(x.error().message.find("ingest,window,features,infer,store,gateway") != std::string::npos);
  }
  CAF_CHECK(role_set::parse("windows").error().message.find("did you mean window?") != std::string::npos);
}
