#define CAF_SUITE rest_rows

#include "actors/rest.hpp"
#include "runtime/store/feature_store.hpp"
#include "runtime/store/signal_store.hpp"
#include "tests/support/rules.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

using query = std::map<std::string, std::string>;

signal signal_at(std::int64_t n, const std::string& name, const std::string& provider = "nyse") {
  signal x;
  x.provider = provider, x.symbol = "SPY", x.name = name;
  x.ts = first_start + n * second;
  x.signal_id = name + "-" + provider + "-" + std::to_string(n);
  return x;
}

// Vectors of two providers, of one second and of a minute; and signals of two rules.
struct rows_world : world {
  rows_world() {
    transaction tx;
    for (int i = 0; i < 6; ++i) {
      tx.writes.push_back(feature_write(vector_at(i, {{"rsi_14", 50.5}})));
      if (i % 2 == 0) tx.writes.push_back(feature_write(vector_at(i, {{"rsi_14", {}}}, "SPY", "arca")));
    }
    auto minute = vector_at(0, {{"rsi_14", 1}});
    minute.interval = 60 * second;
    tx.writes.push_back(feature_write(minute));
    tx.writes.push_back(feature_write(vector_at(0, {{"rsi_14", 1}}, "QQQ")));
    for (auto& x : {signal_at(1, "low"), signal_at(1, "high"), signal_at(1, "mid"), signal_at(2, "low"),
                    signal_at(2, "low", "arca"), signal_at(5, "low")}) {
      tx.writes.push_back(signal_write(x));
      tx.writes.push_back(signal_id_write(x));
    }
    ensure(log.write(std::move(tx)).has_value(), "rows are stored");
  }
  http_response features(query q) { return answer_features(context, {"GET", "/v1/features", std::move(q), ""}); }
  http_response signals(query q) { return answer_signals(context, {"GET", "/v1/signals", std::move(q), ""}); }
};

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t out = 0;
  for (auto i = text.find(what); i != std::string::npos; i = text.find(what, i + 1)) ++out;
  return out;
}
bool has(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

// The rows between the brackets, page after page.
template <class Ask> std::string paged(const Ask& ask, const std::string& limit) {
  std::string all, from;
  for (;;) {
    auto page = ask({{"symbol", "SPY"}, {"limit", limit}, {"from", from}}).body;
    auto begin = page.find('[') + 1, end = page.rfind("],\"rows\"");
    all += (all.empty() ? "" : ",\n") + page.substr(begin, end - begin);
    auto next = page.find(R"("next_from":")");
    if (next == std::string::npos) return all;
    next += 13;
    from = page.substr(next, page.find('"', next) - next);
  }
}

} // namespace

CAF_TEST(features are answered by symbol and interval and provider and time) {
  rows_world w;
  auto type = R"("type":"features")";
  CAF_CHECK_EQUAL(count(w.features({{"symbol", "SPY"}}).body, type), 10u); // of every interval
  CAF_CHECK_EQUAL(count(w.features({{"symbol", "SPY"}, {"interval", "1s"}}).body, type), 9u);
  CAF_CHECK_EQUAL(count(w.features({{"symbol", "SPY"}, {"interval", "60s"}}).body, type), 1u);
  CAF_CHECK_EQUAL(count(w.features({{"symbol", "SPY"}, {"provider", "arca"}}).body, type), 3u);
  CAF_CHECK_EQUAL(count(w.features({{"symbol", "QQQ"}}).body, type), 1u);
  auto shown = to_string(first_start + 2 * second);
  auto between = w.features({{"symbol", "SPY"}, {"from", shown}, {"to", to_string(first_start + 4 * second)}});
  CAF_CHECK_EQUAL(count(between.body, type), 3u); // 2 and 3 of nyse, 2 of arca
  CAF_CHECK(has(between.body, R"("rsi_14":{"value":50.5,)"));
  CAF_CHECK(has(w.features({{"symbol", "NONE"}}).body, R"({"features":[],"rows":0,"truncated":false})"));
}

CAF_TEST(signals are answered by symbol and provider and name and time) {
  rows_world w;
  auto type = R"("type":"signal")";
  CAF_CHECK_EQUAL(count(w.signals({{"symbol", "SPY"}}).body, type), 6u);
  CAF_CHECK_EQUAL(count(w.signals({{"symbol", "SPY"}, {"name", "low"}}).body, type), 4u);
  CAF_CHECK_EQUAL(count(w.signals({{"symbol", "SPY"}, {"name", "low"}, {"provider", "arca"}}).body, type), 1u);
  auto from = to_string(first_start + 2 * second), to = to_string(first_start + 5 * second);
  CAF_CHECK_EQUAL(count(w.signals({{"symbol", "SPY"}, {"from", from}, {"to", to}}).body, type), 2u);
  CAF_CHECK(has(w.signals({{"symbol", "NONE"}}).body, R"({"signals":[],"rows":0,"truncated":false})"));
}

CAF_TEST(page after page gives every vector and every signal once) {
  rows_world w;
  auto features = [&](query q) { return w.features(std::move(q)); };
  auto signals = [&](query q) { return w.signals(std::move(q)); };
  CAF_CHECK_EQUAL(count(paged(features, "1000"), R"("type":"features")"), 10u);
  CAF_CHECK_EQUAL(count(paged(signals, "1000"), R"("type":"signal")"), 6u);
  for (auto limit : {"1", "2", "3", "4", "5"}) {
    CAF_CHECK_EQUAL(paged(features, limit), paged(features, "1000"));
    CAF_CHECK_EQUAL(paged(signals, limit), paged(signals, "1000"));
  }
}

CAF_TEST(a signal is answered by its id) {
  rows_world w;
  auto found = answer_signal(w.context, "mid-nyse-1");
  CAF_CHECK_EQUAL(found.status, 200);
  CAF_CHECK(has(found.body, R"("signal_id":"mid-nyse-1")"));
  auto missing = answer_signal(w.context, "none");
  CAF_CHECK_EQUAL(missing.status, 404);
  CAF_CHECK_EQUAL(missing.content_type, "application/problem+json");
  CAF_CHECK(has(missing.body, "not_found") && has(missing.body, "/v1/signals?symbol="));
}

CAF_TEST(what cannot be asked of features and signals is answered with what is wrong with it) {
  rows_world w;
  w.config.gateway.max_rows = 50;
  auto check = [](const http_response& answer, const std::string& word) {
    CAF_CHECK_EQUAL(answer.status, 400);
    CAF_CHECK_EQUAL(answer.content_type, "application/problem+json");
    CAF_CHECK(has(answer.body, word));
  };
  check(w.features({}), "Say /v1/features?symbol=SPY");
  check(w.features({{"symbol", "SPY"}, {"name", "low"}}), "symbol, interval, provider, from, to and limit");
  check(w.features({{"symbol", "SPY"}, {"interval", "soon"}}), "interval: ");
  check(w.features({{"symbol", "SPY"}, {"to", "soon"}}), "to: ");
  check(w.signals({}), "Say /v1/signals?symbol=SPY");
  check(w.signals({{"symbol", "SPY"}, {"interval", "1s"}}), "symbol, provider, name, from, to and limit");
  check(w.signals({{"symbol", "SPY"}, {"limit", "51"}}), "1 to 50");
}
