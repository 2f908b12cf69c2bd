// Letters where they are kept: found by name, counted, purged; and rows that a store refuses, which become letters.
#define CAF_SUITE letters

#include "actors/refused_rows.hpp"
#include "actors/rest.hpp"
#include "actors/set_aside.hpp"
#include "actors/store_writer.hpp"
#include "messages/codec/msgpack.hpp"
#include "runtime/store/letter_store.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

#include <set>

using namespace finstream;
using namespace finstream::test;

namespace {

dead_letter letter(const std::string& feed, errc code, timestamp seen = at("09:30:00")) {
  dead_letter x;
  x.feed = feed, x.seen_ts = seen, x.code = code, x.reason = "because", x.stage = "ingestor", x.bytes = "\\ \x01 x";
  return x;
}

struct letter_world : world {
  void put(topic in, const dead_letter& x) {
    transaction tx;
    tx.appends.push_back({in, 0, record_kind::dead_letter, 1, at("09:30:00"), to_msgpack(x)});
    CAF_REQUIRE(log.write(std::move(tx)).has_value());
  }
  std::uint64_t purge(const letter_query& query) { return *purge_letters(log, 1, query); }
  std::uint64_t head(topic of) const { return log.range(of, 0)->head; }
  std::vector<std::string> ids(const letter_query& query = {}) const {
    std::vector<std::string> out;
    CAF_CHECK(
      scan_letters(log, 1, query, [&](const kept_letter& x) { return out.push_back(id_of(x)), true; }).has_value());
    return out;
  }
};

// A store that refuses rows of some symbols, as a check in a database would. Everything else is the real one's.
class picky_store : public store {
public:
  picky_store(bus& log, const std::set<std::string>* refused) : inner_{open_embedded_store(log)}, refused_{refused} {}

  expected<store_receipt> apply(const store_batch& batch) override {
    for (auto& x : batch.bars)
      if (refused_->contains(x.symbol)) return fail(errc::invalid_argument, "no " + x.symbol + " here");
    for (auto& x : batch.dead_letters)
      if (refused_->contains("letters")) return fail(errc::invalid_argument, "no letters here: " + x.reason);
    return inner_->apply(batch);
  }
  expected<std::optional<std::uint64_t>> position(const log_stream& x) override { return inner_->position(x); }
  expected<void> health() override { return inner_->health(); }
  expected<void> bars(const bar_query& q, const std::function<bool(const bar&)>& v) override {
    return inner_->bars(q, v);
  }
  expected<void> features(const feature_query& q, const std::function<bool(const feature_vector&)>& v) override {
    return inner_->features(q, v);
  }
  expected<void> signals(const signal_query& q, const std::function<bool(const signal&)>& v) override {
    return inner_->signals(q, v);
  }
  expected<std::optional<signal>> find_signal(const std::string& id) override { return inner_->find_signal(id); }
  expected<void> job_runs(const std::function<bool(const job_run&)>& v) override { return inner_->job_runs(v); }
  expected<void> dead_letters(const std::function<bool(const dead_letter_entry&)>& v) override {
    return inner_->dead_letters(v);
  }
  expected<store_counts> counts() override { return inner_->counts(); }

private:
  std::unique_ptr<store> inner_;
  const std::set<std::string>* refused_;
};

bar bar_of(const std::string& symbol, int n) {
  bar x;
  x.provider = "nyse", x.symbol = symbol, x.interval = second;
  x.start = at("09:30:00") + n * second, x.end = x.start + second, x.config_hash = 7;
  return x;
}

struct refusing_world : world {
  refusing_world() { config.stores.poll_interval_ms = 10; }
  ~refusing_world() { end_all(); }
  void start() {
    appender = start_appender();
    writer = spawn_metered<store_writer_state>(system(), where, "/consumers/picky", [this](store_writer_state& state) {
      state.prepare(&context, "picky", [this] {
        return expected<std::unique_ptr<store>>{std::make_unique<picky_store>(*target, &refused)};
      });
    });
    settle();
  }
  void put(const std::vector<derived>& bars) {
    transaction tx;
    tx.appends.push_back(
      {topic::bars, 0, record_kind::outputs, static_cast<std::uint32_t>(bars.size()), time.now(), to_msgpack(bars)});
    CAF_REQUIRE(log.write(std::move(tx)).has_value());
  }
  std::uint64_t stored() { return picky_store{*target, &refused}.counts()->dead_letters; }
  std::size_t stored_bars() {
    std::size_t out = 0;
    for (auto* symbol : {"A", "B", "C", "BAD", "WORSE"}) {
      bar_query q;
      q.symbol = symbol, q.interval = second;
      CAF_CHECK(open_embedded_store(*target)->bars(q, [&](const bar&) { return ++out, true; }).has_value());
    }
    return out;
  }

  std::unique_ptr<bus> target = open_memory_bus();
  std::set<std::string> refused{"BAD", "WORSE"};
  appender_actor appender;
  store_writer_actor writer;
};

} // namespace

CAF_TEST(letters are found by filters and by their names) {
  letter_world w;
  w.put(topic::dead_letters, letter("a", errc::malformed_line, at("09:30:00")));
  w.put(topic::dead_letters, letter("b", errc::malformed_line, at("09:30:10")));
  w.put(topic::dead_letters, letter("a", errc::precision, at("09:30:20")));
  auto late = letter("a", errc::late, at("09:30:30"));
  late.stage = "window";
  w.put(topic::rejected, late);
  using list = std::vector<std::string>;
  CAF_CHECK_EQUAL(w.ids(), (list{"dead_letters/0/0", "dead_letters/0/1", "dead_letters/0/2", "rejected/0/0"}));
  letter_query q;
  q.feed = "a", q.code = errc::malformed_line;
  CAF_CHECK_EQUAL(w.ids(q), (list{"dead_letters/0/0"}));
  q = {}, q.stage = "window";
  CAF_CHECK_EQUAL(w.ids(q), (list{"rejected/0/0"}));
  q = {}, q.from = at("09:30:10"), q.before = at("09:30:20");
  CAF_CHECK_EQUAL(w.ids(q), (list{"dead_letters/0/1"}));
  CAF_CHECK(find_letter(w.log, "rejected/0/0")->what == late);
  for (auto* id : {"dead_letters/0/3", "rejected/1/0"})
    CAF_CHECK(find_letter(w.log, id).error().code == errc::not_found);
  for (auto* id : {"", "events/0/0", "dead_letters/0", "dead_letters/x/0", "dead_letters/0/1x", "bars/0/0"})
    CAF_CHECK(find_letter(w.log, id).error().code == errc::invalid_argument);
  CAF_CHECK(*parse_code("precision") == errc::precision && *parse_code("poison") == errc::poison);
  CAF_CHECK(!parse_code("none") && !parse_code("x"));
}

CAF_TEST(the newest letters are answered over HTTP with their filters and limits) {
  letter_world w;
  for (int i = 0; i < 700; ++i)
    w.put(topic::dead_letters,
          letter(i % 100 == 0 ? "rare" : "often", errc::malformed_line, at("09:30:00") + i * second));
  w.put(topic::rejected, letter("often", errc::late, at("09:31:00") + millisecond));
  auto ask = [&](std::map<std::string, std::string> query) {
    return answer_dead_letters(w.context, {"GET", "/v1/dead-letters", std::move(query), ""});
  };
  auto ids = [&](std::map<std::string, std::string> query) {
    auto body = ask(std::move(query)).body;
    std::string out;
    for (auto at = body.find("\"id\":\""); at != std::string::npos; at = body.find("\"id\":\"", at + 1)) {
      auto end = body.find('"', at + 6);
      out += body.substr(at + 6, end - at - 6) + " ";
    }
    return out;
  };
  CAF_CHECK_EQUAL(ids({{"limit", "2"}}), "dead_letters/0/698 dead_letters/0/699 ");
  CAF_CHECK_EQUAL(ids({{"feed", "rare"}, {"limit", "3"}}), "dead_letters/0/400 dead_letters/0/500 dead_letters/0/600 ");
  CAF_CHECK_EQUAL(ids({{"feed", "rare"}, {"before", "2026-01-05T09:31:41Z"}}), "dead_letters/0/0 dead_letters/0/100 ");
  CAF_CHECK_EQUAL(ids({{"since", "2026-01-05T09:31:00Z"}, {"before", "2026-01-05T09:31:02Z"}}),
                  "dead_letters/0/60 rejected/0/0 dead_letters/0/61 ");
  CAF_CHECK_EQUAL(ids({{"code", "late"}}), "rejected/0/0 ");
  CAF_CHECK(ask({}).body.ends_with("],\"rows\":100,\"complete\":true}\n"));
  for (auto& wrong : std::vector<std::map<std::string, std::string>>{
         {{"limit", "0"}}, {{"limit", "1001"}}, {{"code", "x"}}, {{"since", "x"}}, {{"what", "x"}}})
    CAF_CHECK_EQUAL(ask(wrong).status, 400);
  std::size_t little = 1000;
  auto cut = find_newest_letters(w.log, 1, {}, 0, little).value();
  CAF_CHECK(!cut.is_complete && cut.letters.size() == 256u);
  CAF_CHECK_EQUAL(answer_dead_letter(w.context, "dead_letters/0/17").status, 200);
  CAF_CHECK_EQUAL(answer_dead_letter(w.context, "dead_letters/0/1700").status, 404);
  CAF_CHECK_EQUAL(answer_dead_letter(w.context, "x").status, 400);
  CAF_CHECK_EQUAL(w.purge({}), 701u);
  CAF_CHECK_EQUAL(answer_dead_letter(w.context, "dead_letters/0/17").status, 410);
}

CAF_TEST(a purged letter is gone and the bytes of the oldest go with it) {
  letter_world w;
  for (int i = 0; i < 6; ++i)
    w.put(topic::dead_letters, letter("a", i % 2 == 0 ? errc::malformed_line : errc::precision));
  for (int i = 0; i < 2; ++i) w.put(topic::rejected, letter("a", errc::late));
  letter_query odd, even, all;
  odd.code = errc::precision, even.code = errc::malformed_line;
  CAF_CHECK_EQUAL(w.purge(odd), 3u);
  CAF_CHECK_EQUAL(w.purge(odd), 0u);
  CAF_CHECK_EQUAL(w.ids().size(), 5u);
  CAF_CHECK(find_letter(w.log, "dead_letters/0/1").error().code == errc::trimmed);
  CAF_CHECK_EQUAL(w.head(topic::dead_letters), 0u); // the oldest is still kept
  CAF_CHECK_EQUAL(w.purge(even), 3u);
  CAF_CHECK_EQUAL(w.head(topic::dead_letters), 6u);
  CAF_CHECK(w.saved("purged_letters", "at/dead_letters/0/0000000000000001").empty());
  CAF_CHECK_EQUAL(w.purge(all), 2u);
  CAF_CHECK_EQUAL(w.head(topic::rejected), 0u); // a replay compares them
  CAF_CHECK(w.ids().empty());
  w.put(topic::rejected, letter("a", errc::late));
  w.put(topic::dead_letters, letter("a", errc::late));
  CAF_CHECK_EQUAL(w.ids(), (std::vector<std::string>{"dead_letters/0/6", "rejected/0/2"}));
}

CAF_TEST(a letter of an earlier version is read with what its topic said) {
  letter_world w;
  // [feed, seen_ts, code, reason, line_number, byte_offset, bytes]
  std::string old = "\x97\xa1"
                    "a"
                    "\x05\x09\xa3"
                    "why";
  old += std::string{"\x00\x2a\xa1"
                     "x",
                     4};
  for (auto where : {topic::dead_letters, topic::rejected}) {
    transaction tx;
    tx.appends.push_back({where, 0, record_kind::dead_letter, 1, at("09:30:00"), old});
    CAF_REQUIRE(w.log.write(std::move(tx)).has_value());
  }
  auto line = find_letter(w.log, "dead_letters/0/0").value().what,
       late = find_letter(w.log, "rejected/0/0").value().what;
  CAF_CHECK_EQUAL(line.stage, "ingestor");
  CAF_CHECK(line.byte_offset == 42 && line.cause_topic.empty() && line.attempts == 1 &&
            first_seen(line) == timestamp{5});
  CAF_CHECK_EQUAL(late.stage, "window");
  CAF_CHECK(late.cause_topic == "events" && late.cause_offset == 42 && late.byte_offset == 0);
  // A replay of its log makes this letter now, and it is the same.
  auto now = late;
  now.config_hash = 7;
  CAF_CHECK(is_same_letter(topic::rejected, old, to_msgpack(now)));
  now.cause_offset = 43;
  CAF_CHECK(!is_same_letter(topic::rejected, old, to_msgpack(now)));
  CAF_CHECK(!is_same_letter(topic::rejected, to_msgpack(late), to_msgpack(now)));
}

CAF_TEST(bytes are shown so that each text stands for one sequence of bytes) {
  CAF_CHECK_EQUAL(printable("a\\x41\x1b[2J\xff"), "a\\x5cx41\\x1b[2J\\xff");
}

CAF_TEST(only so many letters are kept and their bytes are counted across a restart) {
  world w;
  w.config.limits.dead_letters = 20;
  auto appender = w.start_appender();
  auto listener = w.listen();
  auto send = [&](int number) {
    auto part = std::make_shared<chunk_part>();
    part->feed = "feed";
    part->dead_letters = {letter("feed", errc::malformed_line)};
    w.tell(appender, verb::append_v, chunk_part_ptr{part}, static_cast<std::uint64_t>(number),
           listener.as<append_listener>());
  };
  auto kept = [&] { return w.records(topic::dead_letters); };
  auto agree = [&] {
    std::size_t bytes = 0;
    for (auto& r : kept()) bytes += r.payload.size();
    CAF_CHECK_EQUAL(w.counted("finstream_dead_letters_kept{partition=\"0\"}"), kept().size());
    CAF_CHECK_EQUAL(w.counted("finstream_dead_letters_kept_bytes{partition=\"0\"}"), bytes);
  };
  for (int i = 1; i <= 50; ++i) send(i);
  CAF_CHECK(kept().size() >= 20 && kept().size() < 22);
  agree();
  w.kill("/partitions/0/appender");
  auto left = kept().size();
  CAF_CHECK(purge_letters(w.log, 1, letter_query{}) == left);
  appender = w.start_appender();
  agree();
  send(51);
  agree();
  CAF_CHECK_EQUAL(kept().size(), 1u);
}

CAF_TEST(rows that a store refuses become letters and all others are delivered) {
  refusing_world w;
  w.start();
  std::vector<derived> bars;
  for (int n = 0; n < 100; ++n) bars.push_back(bar_of(n == 17 ? "BAD" : n == 64 ? "WORSE" : n % 2 == 0 ? "A" : "B", n));
  w.put(bars);
  w.pass(20 * second);
  CAF_CHECK_EQUAL(w.stored_bars(), 98u);
  auto letters = w.letters(topic::dead_letters);
  CAF_REQUIRE_EQUAL(letters.size(), 2u);
  CAF_CHECK(letters[0].code == errc::undeliverable && letters[0].stage == "store/picky");
  CAF_CHECK(letters[0].cause_topic == "bars" && letters[0].cause_offset == 17 && letters[1].cause_offset == 64);
  CAF_CHECK_EQUAL(letters[0].attempts, 3u);
  CAF_CHECK_EQUAL(letters[0].config_hash, 7u);
  CAF_CHECK(letters[0].first_seen_ts && *letters[0].first_seen_ts < letters[0].seen_ts);
  CAF_CHECK_EQUAL(letters[0].reason, "picky refuses this bar: no BAD here");
  CAF_CHECK(letters[1].bytes.find("WORSE") != std::string::npos);
  CAF_CHECK_EQUAL(w.stored(), 2u); // the letters themselves are delivered too
  CAF_CHECK_EQUAL(w.counted("finstream_store_lag_items{store=\"picky\"}"), 0u);
  w.put({bar_of("C", 200)});
  w.pass(second);
  CAF_CHECK_EQUAL(w.stored_bars(), 99u);
}

CAF_TEST(a store does not pass a row whose letter nobody can write) {
  refusing_world w;
  w.context.duties.events = false;
  w.start();
  w.put({bar_of("A", 0), bar_of("BAD", 1), bar_of("B", 2)});
  w.pass(20 * second);
  CAF_CHECK(w.letters(topic::dead_letters).empty());
  CAF_CHECK(w.counted("finstream_store_lag_items{store=\"picky\"}") > 0u);
  w.kill("/partitions/0/appender");
  w.context.duties.events = true;
  w.appender = w.start_appender();
  w.pass(20 * second);
  CAF_CHECK_EQUAL(w.letters(topic::dead_letters).size(), 1u);
  CAF_CHECK_EQUAL(w.stored_bars(), 2u);
  CAF_CHECK_EQUAL(w.counted("finstream_store_lag_items{store=\"picky\"}"), 0u);
}

CAF_TEST(a row is set aside once though the writer is killed at every moment) {
  refusing_world w;
  w.start();
  w.put({bar_of("A", 0), bar_of("BAD", 1), bar_of("B", 2)});
  for (int i = 0; i < 40; ++i) {
    w.pass(200 * millisecond * i);
    w.kill("/consumers/picky");
    w.forget("/consumers/picky");
    w.writer =
      spawn_metered<store_writer_state>(w.system(), w.where, "/consumers/picky", [&](store_writer_state& state) {
        state.prepare(&w.context, "picky", [&] {
          return expected<std::unique_ptr<store>>{std::make_unique<picky_store>(*w.target, &w.refused)};
        });
      });
  }
  w.pass(20 * second);
  CAF_CHECK_EQUAL(w.letters(topic::dead_letters).size(), 1u);
  CAF_CHECK_EQUAL(w.stored_bars(), 2u);
}

CAF_TEST(what was set aside is forgotten when nobody meets it again) {
  world w;
  transaction tx, outputs;
  for (int i = 0; i < 4; ++i) {
    tx.appends.push_back({topic::events, 0, record_kind::clock, 1, at("09:30:00"), ""});
    outputs.appends.push_back(
      {topic::bars, 0, record_kind::outputs, 1, at("09:30:00"), to_msgpack(std::vector<derived>{})});
  }
  for (std::uint64_t offset : {1u, 3u}) {
    for (auto& key : {set_aside_key(0, offset), set_aside_key(1, offset), set_aside_key("pg", topic::bars, 0, offset)})
      tx.writes.push_back(set_aside_write({key, 0, {}, line_stage::features}, offset));
  }
  CAF_REQUIRE(w.log.write(std::move(tx)).has_value());
  CAF_REQUIRE(w.log.write(std::move(outputs)).has_value());
  auto keys = [&] {
    std::vector<std::string> out;
    CAF_CHECK(w.log
                .scan(set_aside_table, "", "",
                      [&](std::string_view key, std::string_view) { return out.emplace_back(key), true; })
                .has_value());
    return out;
  };
  CAF_CHECK(prune_set_aside(w.log, 0).has_value());
  CAF_CHECK_EQUAL(keys().size(), 6u);
  transaction passed;
  passed.commits.push_back({"pg", topic::bars, 0, 2});
  CAF_REQUIRE(w.log.write(std::move(passed)).has_value());
  CAF_REQUIRE(w.log.trim(topic::events, 0, 3).has_value());
  CAF_CHECK(prune_set_aside(w.log, 0).has_value());
  CAF_CHECK_EQUAL(keys(), (std::vector<std::string>{set_aside_key(0, 3), set_aside_key(1, 1), set_aside_key(1, 3),
                                                    set_aside_key("pg", topic::bars, 0, 3)}));
}

CAF_TEST(without its appender the writer waits and with it goes on) {
  refusing_world w;
  w.start();
  w.kill("/partitions/0/appender");
  w.forget("/partitions/0/appender");
  w.put({bar_of("BAD", 0), bar_of("A", 1)});
  w.pass(20 * second);
  CAF_CHECK_EQUAL(w.stored_bars(), 1u);
  auto before = picky_store(*w.target, &w.refused).position({w.log.recovery().epoch, topic::bars, 0});
  CAF_CHECK(before && !before->has_value());
  w.appender = w.start_appender();
  w.pass(20 * second);
  CAF_CHECK_EQUAL(w.letters(topic::dead_letters).size(), 1u);
  auto position = picky_store(*w.target, &w.refused).position({w.log.recovery().epoch, topic::bars, 0});
  CAF_CHECK(position && *position == 2u);
}

CAF_TEST(a letter that is refused itself is not written about) {
  refusing_world w;
  w.refused.insert("letters");
  w.start();
  w.put({bar_of("BAD", 0), bar_of("A", 1)});
  w.pass(60 * second);
  CAF_CHECK_EQUAL(w.letters(topic::dead_letters).size(), 1u);
  CAF_CHECK_EQUAL(w.stored(), 0u);
  CAF_CHECK_EQUAL(w.counted("finstream_store_lag_items{store=\"picky\"}"), 0u);
}
