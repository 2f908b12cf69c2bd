#define CAF_SUITE rest

#include "actors/rest.hpp"
#include "runtime/store/bar_store.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

// Nine bars of SPY and one each of two others, a second apart.
struct rest_world : world {
  rest_world() {
    transaction tx;
    for (int i = 0; i < 9; ++i) tx.writes.push_back(bar_write(make("SPY", i)));
    tx.writes.push_back(bar_write(make("QQQ", 0)));
    tx.writes.push_back(bar_write(make("SPY", 0, "arca")));
    ensure(log.write(std::move(tx)).has_value(), "bars are stored");
  }
  static bar make(const std::string& symbol, int n, const std::string& provider = "nyse") {
    bar out;
    out.provider = provider, out.symbol = symbol, out.interval = second;
    out.start = at("09:30:00") + n * second, out.end = out.start + second;
    out.open = out.high = out.low = out.close = price{{units("10")}};
    return out;
  }
  http_response bars(std::map<std::string, std::string> query) {
    return answer_bars(context, {"GET", "/v1/bars", std::move(query), ""});
  }
};

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t out = 0;
  for (auto i = text.find(what); i != std::string::npos; i = text.find(what, i + 1)) ++out;
  return out;
}
bool has(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

} // namespace

CAF_TEST(bars are answered by symbol and provider and time) {
  rest_world w;
  CAF_CHECK_EQUAL(count(w.bars({{"symbol", "SPY"}}).body, R"("type":"bar")"), 10u);
  CAF_CHECK_EQUAL(count(w.bars({{"symbol", "SPY"}, {"provider", "arca"}}).body, R"("type":"bar")"), 1u);
  CAF_CHECK_EQUAL(count(w.bars({{"symbol", "SPY"}, {"interval", "5s"}}).body, R"("type":"bar")"), 0u);
  auto some =
    w.bars({{"symbol", "SPY"}, {"provider", "nyse"}, {"from", "2026-01-05T09:30:02Z"}, {"to", "2026-01-05T09:30:05Z"}});
  CAF_CHECK_EQUAL(some.status, 200);
  CAF_CHECK_EQUAL(count(some.body, R"("type":"bar")"), 3u); // 2, 3 and 4: `to` is not in it
  CAF_CHECK(has(some.body, R"("rows":3,"truncated":false)"));
  CAF_CHECK(has(w.bars({{"symbol", "NONE"}}).body, R"({"bars":[],"rows":0,"truncated":false})"));
}

CAF_TEST(an answer that was cut short says so) {
  rest_world w;
  auto cut = w.bars({{"symbol", "SPY"}, {"limit", "4"}});
  CAF_CHECK_EQUAL(count(cut.body, R"("type":"bar")"), 4u);
  CAF_CHECK(has(cut.body, R"("rows":4,"truncated":true)"));
  CAF_CHECK(has(w.bars({{"symbol", "QQQ"}, {"limit", "1"}}).body, R"("truncated":false)"));
}

CAF_TEST(page after page gives every bar of every provider once) {
  rest_world w;
  transaction tx;
  for (int i : {0, 3, 4, 9}) tx.writes.push_back(bar_write(rest_world::make("SPY", i, "bats")));
  for (int i : {8, 9, 10}) tx.writes.push_back(bar_write(rest_world::make("SPY", i, "zeta")));
  CAF_REQUIRE(w.log.write(std::move(tx)).has_value());
  auto whole = w.bars({{"symbol", "SPY"}}).body;
  CAF_CHECK_EQUAL(count(whole, R"("type":"bar")"), 17u);
  for (auto limit : {"1", "2", "3", "5", "16", "17"}) {
    std::string all, from = "2026-01-05";
    for (auto more = true; more;) {
      auto page = w.bars({{"symbol", "SPY"}, {"limit", limit}, {"from", from}}).body;
      auto begin = page.find('[') + 1, end = page.find("],\"rows\"");
      all += (all.empty() ? "" : ",\n") + page.substr(begin, end - begin);
      more = has(page, R"("truncated":true)");
      auto last = page.rfind(R"("end":")") + 7; // the next bar may start where this one ends
      from = page.substr(last, page.find('"', last) - last);
    }
    CAF_CHECK_EQUAL("{\"bars\":[" + all + "],\"rows\":17,\"truncated\":false}\n", whole);
  }
}

CAF_TEST(a query that makes no sense is answered with what is wrong with it) {
  rest_world w;
  w.config.gateway.max_rows = 50;
  using query = std::map<std::string, std::string>;
  for (auto& [wrong, word] :
       std::vector<std::pair<query, std::string>>{{{}, "which symbol"},
                                                  {{{"symbol", ""}}, "which symbol"},
                                                  {{{"symbol", "SPY"}, {"interval", "7 parsecs"}}, "interval"},
                                                  {{{"symbol", "SPY"}, {"interval", "-1s"}}, "interval"},
                                                  {{{"symbol", "SPY"}, {"from", "yesterday"}}, "from"},
                                                  {{{"symbol", "SPY"}, {"from", "2026-01-05T09:30:00 01:00"}}, "%2B"},
                                                  {{{"symbol", "SPY"}, {"form", "2026-01-05"}}, "no parameter"},
                                                  {{{"symbol", "SPY"}, {"to", "2026-13-01T00:00:00Z"}}, "to"},
                                                  {{{"symbol", "SPY"}, {"limit", "0"}}, "limit"},
                                                  {{{"symbol", "SPY"}, {"limit", "51"}}, "limit"},
                                                  {{{"symbol", "SPY"}, {"limit", "-1"}}, "limit"},
                                                  {{{"symbol", "SPY"}, {"limit", "ten"}}, "limit"},
                                                  {{{"symbol", "SPY"}, {"limit", ""}}, "limit"},
                                                  {{{"symbol", "SPY"}, {"limit", "99999999999999999999"}}, "limit"}}) {
    auto answer = w.bars(wrong);
    CAF_CHECK_EQUAL(answer.status, 400);
    CAF_CHECK_EQUAL(answer.content_type, "application/problem+json");
    CAF_CHECK(has(answer.body, word));
    CAF_CHECK(has(answer.body, "invalid_argument"));
  }
}

CAF_TEST(the node is healthy while its log can be written) {
  rest_world w;
  CAF_CHECK_EQUAL(answer_health(w.context).status, 200);
  w.log.refuse(errc::disk_full);
  auto ill = answer_health(w.context);
  CAF_CHECK_EQUAL(ill.status, 503);
  CAF_CHECK(has(ill.body, "disk_full"));
}

CAF_TEST(the node is ready when every partition has caught up and until it drains) {
  rest_world w;
  w.config.partitions = 2;
  CAF_CHECK(has(answer_readiness(w.context).body, "0 of 2 partitions have read their log's end"));
  w.figures.partitions_recovered = 2;
  CAF_CHECK(has(answer_readiness(w.context).body, "0 of 2 partitions have caught up"));
  w.figures.partitions_caught_up = 2;
  CAF_CHECK_EQUAL(answer_readiness(w.context).status, 200);
  w.figures.draining = true;
  CAF_CHECK_EQUAL(answer_readiness(w.context).status, 503);
  w.figures.draining = false;
  w.log.refuse(errc::io_failure);
  CAF_CHECK_EQUAL(answer_readiness(w.context).status, 503);
}

CAF_TEST(a partition that was restarted does not stand in for one that is missing) {
  world w;
  w.config.partitions = 2;
  for (int i = 0; i < 2; ++i) {
    w.start_appender(0);
    w.start_window(0);
    w.kill("/partitions/0/window");
    w.kill("/partitions/0/appender");
  }
  CAF_CHECK_EQUAL(answer_readiness(w.context).status, 503);
}

CAF_TEST(metrics are answered in the text format) {
  rest_world w;
  w.metrics.http_requests().add(3);
  auto answer = answer_metrics(w.context);
  CAF_CHECK(has(answer.content_type, "text/plain"));
  CAF_CHECK(has(answer.body, "finstream_http_requests_total 3\n"));
}

CAF_TEST(a line of the tree has the gauge of the actor and its own words or null) {
  actor_gauge gauge;
  gauge.path = "/a \"b\"";
  gauge.on_enqueue(1'000'000), gauge.on_enqueue(1'000'000);
  gauge.on_start(3'000'000);
  CAF_CHECK_EQUAL(tree_line(gauge, "", 6'000'000),
                  R"({"path":"/a \"b\"","mailbox":2,"wait_us":2000,"longest_wait_us":2000,"handled":0,)"
                  R"("mean_us":0.0,"longest_us":0,"busy_ms":3,"state":null})");
  gauge.on_finish(7'000'000);
  CAF_CHECK_EQUAL(tree_line(gauge, R"({"x":1})", 9'000'000),
                  R"({"path":"/a \"b\"","mailbox":1,"wait_us":2000,"longest_wait_us":2000,"handled":1,)"
                  R"("mean_us":4000.0,"longest_us":4000,"busy_ms":0,"state":{"x":1}})");
}
