// What is printed can be loaded again, and the files in config/ are what is printed. After a change of the settings,
// run `FINSTREAM_REWRITE=1` with this suite to print them anew.
#define CAF_SUITE config_print

#include "runtime/config/load.hpp"
#include "runtime/config/options.hpp"
#include "tests/support/suite.hpp"

#include <cstdlib>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

using namespace finstream;

namespace {

// How many members an aggregate has: how many values it can be made of.
struct any_value {
  template <class T> operator T() const;
};
template <class T, class... Values> constexpr std::size_t members() {
  if constexpr (requires { T{Values{}..., any_value{}}; })
    return members<T, Values..., any_value>();
  else
    return sizeof...(Values);
}

const environment no_variables = [](const std::string&) -> std::optional<std::string> { return std::nullopt; };

// Texts that YAML, or the replacement of variables, could misread.
const std::vector<std::string> difficult_texts{"plain",      "",         " ",
                                               "a b",        "--option", "- a",
                                               "null",       "~",        "true",
                                               "No",         "5",        "1e3",
                                               ".5",         "a: b",     "a:",
                                               "#no",        "a #b",     "'",
                                               "\"",         "\\",       "a\\nb",
                                               "line\nline", "tab\t",    "${HOME}",
                                               "$$",         "$",        "{a}",
                                               "[a]",        "&a",       "*a",
                                               "!a",         "|",        ">",
                                               "%",          "@",        "`",
                                               "é",          "東京",     "\x01\x1b[0m\x7f",
                                               "<<",         "=",        "2026-11-21",
                                               "a,b",        "?",        "...",
                                               "---"};

// Gives an option another legal value, so that one that is not printed or not read is missed.
void change(const option& x, std::mt19937& random) {
  auto pick = [&](std::uint64_t least, std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>{least, most}(random);
  };
  auto any_text = [&] { return difficult_texts[pick(0, difficult_texts.size() - 1)]; };
  std::visit(
    [&]<class T>(T* member) {
      if constexpr (std::is_same_v<T, bool>) {
        *member = !*member;
      } else if constexpr (std::is_same_v<T, nanoseconds>) {
        constexpr auto unit =
          static_cast<std::uint64_t>(second); // a span of other lengths is not always written shortly
        *member = x.form == text_form::interval ? static_cast<nanoseconds>(30 * second)
                                                : static_cast<nanoseconds>(pick(x.least / unit, x.most / unit) * unit);
      } else if constexpr (std::is_integral_v<T>) {
        *member = static_cast<T>(pick(x.least, x.most));
      } else if constexpr (std::is_same_v<T, log::level>) {
        *member = static_cast<T>(pick(0, 4));
      } else if constexpr (std::is_same_v<T, durability> || std::is_same_v<T, raw_capture> ||
                           std::is_same_v<T, sasl_mechanism>) {
        *member = static_cast<T>(pick(0, 2));
      } else if constexpr (std::is_same_v<T, double>) {
        *member = static_cast<double>(pick(0, 1'000'000)) / 7e5 - 0.5;
      } else if constexpr (std::is_same_v<T, bus_driver>) {
        *member = static_cast<T>(pick(0, 3));
      } else if constexpr (std::is_same_v<T, rounding> || std::is_same_v<T, rsi_mode> || std::is_same_v<T, rule_emit> ||
                           std::is_same_v<T, framing> || std::is_same_v<T, compression> ||
                           std::is_same_v<T, overflow_policy>) {
        *member = static_cast<T>(pick(0, 1));
      } else if constexpr (std::is_same_v<T, window_kind>) {
        *member = static_cast<T>(pick(0, 11));
      } else if constexpr (std::is_same_v<T, std::string>) {
        if (x.form == text_form::any || x.form == text_form::free) *member = "x" + any_text();
        if (x.form == text_form::identifier) *member = "vol_" + std::to_string(pick(0, 1'000'000'000'000));
        if (x.form == text_form::name) *member = "n" + std::to_string(pick(0, 1'000'000'000'000));
        if (x.form == text_form::address) *member = "10.0.0." + std::to_string(pick(1, 254));
      } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
        auto unique = "p" + std::to_string(pick(0, 1'000'000'000'000));
        *member = {unique, unique + any_text(), unique + "-" + any_text() + "-"};
      } else if constexpr (std::is_same_v<T, std::vector<nanoseconds>>) {
        *member = {static_cast<nanoseconds>(3 * second), 30 * second, 1800 * second, 43'200 * second, 86'400 * second};
      } else if constexpr (std::is_same_v<T, std::vector<std::pair<std::string, std::string>>>) {
        *member = {{"A", any_text()}, {"B_2", any_text()}, {"_", any_text()}};
      } else {
        member->resize(pick(1, 3));
        for (auto& entry : *member)
          for (auto& inner : options_of(entry)) change(inner, random);
      }
    },
    x.value);
}

settings random_settings(unsigned seed) {
  std::mt19937 random{seed};
  settings x;
  for (auto& row : options_of(x)) change(row, random);
  for (auto& feed : x.feeds) feed.backoff.max_ms = std::max(feed.backoff.max_ms, feed.backoff.initial_ms);
  for (auto& provider : x.providers) provider.pacing.requests_per_s = 1 + std::abs(provider.pacing.requests_per_s);
  for (auto& feed : x.feeds) feed.paced_by = x.providers[0].name;
  for (auto& set : x.source_sets) // "p7" and "p7" + "" would be one provider twice
    if (set.providers[0] == set.providers[1]) set.providers[1] += "+";
  x.bus.broker.url = "tls://" + x.bus.broker.url;
  if (x.bus.type == bus_driver::redis) x.bus.broker.security = {};
  if (x.bus.type == bus_driver::kafka) x.bus.broker.security.credentials_file.clear();
  x.bus.broker.outputs_stream += " of outputs";
  x.bus.broker.work_stream += " of work";
  x.bus.broker.letters_stream += " of letters";
  x.bus.flow.types = {"tick", "features"};
  x.bus.buffer.retry_max_ms = std::max(x.bus.buffer.retry_max_ms, x.bus.buffer.retry_initial_ms);
  x.features.interval = x.windows.intervals[0];
  x.features.max_bars = 1'000'000;
  for (auto& window : x.features.windows) { // what cannot be together, and what is only one way legal
    window.bars = window.bars % 1000 + 1;
    window.horizon = static_cast<nanoseconds>(window.bars % 2) * window.horizon % 1000 * x.features.interval;
    if (window.horizon == 0) window.bars += window.bars == 0 ? 1 : 0;
    if (window.horizon != 0) window.bars = 0;
    if (window.kind != window_kind::rsi) window.mode = rsi_mode::wilder;
  }
  for (auto* model : {&x.inference.sklearn, &x.inference.xgboost})
    if (model->model_path.empty()) model->enabled = false;
  return x;
}

void check_file(const std::string& name, const std::string& printed) {
  auto path = std::string{FINSTREAM_SOURCE_DIR} + "/config/" + name;
  if (std::getenv("FINSTREAM_REWRITE") != nullptr) std::ofstream{path} << printed;
  std::ostringstream kept;
  kept << std::ifstream{path}.rdbuf();
  if (kept.str() != printed)
    CAF_ERROR("config/" << name << " is not what is printed now: run FINSTREAM_REWRITE=1 with this suite");
}

} // namespace

CAF_TEST(config / default.yaml and config / REFERENCE.md are what is printed) {
  check_file("default.yaml", settings_to_yaml({}, true));
  check_file("REFERENCE.md", settings_reference());
}

CAF_TEST(config / default.yaml holds every key and means the defaults) {
  auto path = std::string{FINSTREAM_SOURCE_DIR} + "/config/default.yaml";
  auto result = load_settings(path, no_variables);
  CAF_REQUIRE(result.has_value());
  CAF_CHECK(*result == settings{});
  std::ostringstream text;
  text << std::ifstream{path}.rdbuf();
  settings all;
  provider_settings provider;
  feed_settings feed;
  source_set_settings set;
  feature_window_settings window;
  for (auto& table : {options_of(all), options_of(provider), options_of(feed), options_of(set), options_of(window)})
    for (auto& x : table) {
      auto key = " " + std::string{x.path.substr(x.path.rfind('.') + 1)} + ":";
      if (("\n" + text.str()).find(key) == std::string::npos &&
          text.str().find("\n" + key.substr(1)) == std::string::npos)
        CAF_ERROR("not in config/default.yaml: " << std::string{x.path});
    }
}

CAF_TEST(what is printed can be loaded again) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    auto x = random_settings(seed);
    for (auto with_help : {false, true}) {
      auto again = parse_settings(settings_to_yaml(x, with_help), "printed", no_variables);
      if (!again) CAF_ERROR("seed " << seed << ": " << again.error().message);
      if (again && !(*again == x)) CAF_ERROR("seed " << seed << " reads back differently:\n" << settings_to_yaml(x));
    }
  }
}

CAF_TEST(every row of the table sets a member of its own) {
  auto lines_of = [](settings x) {
    x.feeds.clear(), x.providers.clear(), x.source_sets.clear(),
      x.features.windows.clear(); // so that every print has the same lines
    std::istringstream text{settings_to_yaml(x)};
    std::vector<std::string> out;
    for (std::string line; std::getline(text, line);) out.push_back(line);
    return out;
  };
  // Of the lines printed for the defaults, those that no random settings ever change.
  auto before = lines_of({});
  std::set<std::string> unchanged{before.begin(), before.end()};
  for (unsigned seed = 1; seed <= 50; ++seed) {
    auto after = lines_of(random_settings(seed));
    CAF_REQUIRE_EQUAL(before.size(), after.size());
    for (std::size_t i = 0; i < before.size(); ++i)
      if (before[i] != after[i] || before[i].back() == ':') unchanged.erase(before[i]);
  }
  // These have only one legal value as yet.
  std::set<std::string> expected{"version: 1", "source_sets: []", "providers: []", "feeds: []", "  windows: []"};
  CAF_CHECK_EQUAL(unchanged, expected);
}

CAF_TEST(every member of the settings has a row in the table) {
  auto rows = [](auto x, std::string_view section) {
    std::size_t n = 0;
    for (auto& row : options_of(x)) {
      auto dot = row.path.find('.');
      n += (dot == row.path.npos ? std::string_view{} : row.path.substr(0, dot)) == section ? 1u : 0u;
    }
    return n;
  };
  // Twelve members of `settings` are sections, one of `feed_settings` and one of `provider_settings` is.
  CAF_CHECK_EQUAL(members<settings>() - 12, rows(settings{}, ""));
  CAF_CHECK_EQUAL(members<feed_settings>() - 1, rows(feed_settings{}, ""));
  CAF_CHECK_EQUAL(members<provider_settings>() - 1, rows(provider_settings{}, ""));
  CAF_CHECK_EQUAL(members<pacing_settings>(), rows(provider_settings{}, "pacing"));
  CAF_CHECK_EQUAL(members<source_set_settings>(), rows(source_set_settings{}, ""));
  CAF_CHECK_EQUAL(members<backoff_settings>(), rows(feed_settings{}, "backoff"));
  CAF_CHECK_EQUAL(members<log_settings>(), rows(settings{}, "log"));
  CAF_CHECK_EQUAL(members<scheduler_settings>(), rows(settings{}, "scheduler"));
  CAF_CHECK_EQUAL(members<bus_settings>() - 3 + members<broker_settings>() - 1 + members<broker_security>() +
                    members<buffer_settings>() + members<flow_rules>(),
                  rows(settings{}, "bus"));
  CAF_CHECK_EQUAL(members<window_settings>(), rows(settings{}, "windows"));
  CAF_CHECK_EQUAL(members<feature_settings>(), rows(settings{}, "features"));
  CAF_CHECK_EQUAL(members<feature_window_settings>(), rows(feature_window_settings{}, ""));
  CAF_CHECK_EQUAL(members<rules_adapter_settings>() + 2 * members<model_adapter_settings>() +
                    members<model_limit_settings>(),
                  rows(settings{}, "inference"));
  CAF_CHECK_EQUAL(members<store_settings>() - 1 + members<postgres_settings>(), rows(settings{}, "stores"));
  CAF_CHECK_EQUAL(members<rule_settings>(), rows(rule_settings{}, ""));
  CAF_CHECK_EQUAL(members<checkpoint_settings>(), rows(settings{}, "checkpoint"));
  CAF_CHECK_EQUAL(members<supervisor_settings>(), rows(settings{}, "supervisor"));
  CAF_CHECK_EQUAL(members<gateway_settings>(), rows(settings{}, "gateway"));
  CAF_CHECK_EQUAL(members<backfill_settings>(), rows(settings{}, "backfill"));
  CAF_CHECK_EQUAL(members<limit_settings>(), rows(settings{}, "limits"));
}

CAF_TEST(the paths of the table are unique and each has a help sentence) {
  settings all;
  feed_settings feed;
  source_set_settings set;
  feature_window_settings window;
  rule_settings rule;
  provider_settings provider;
  for (auto& table : {options_of(all), options_of(provider), options_of(feed), options_of(set), options_of(window),
                      options_of(rule)}) {
    std::set<std::string_view> paths;
    for (auto& x : table) {
      CAF_CHECK(paths.insert(x.path).second);
      CAF_CHECK(x.help.ends_with('.'));
      for (auto dot = x.path.find('.'); dot != x.path.npos; dot = x.path.find('.', dot + 1))
        CAF_CHECK(!section_help(x.path.substr(0, dot)).empty());
    }
  }
}

CAF_TEST(the hash of what decides a bar never changes for the same settings) {
  // DO NOT CHANGE THIS VALUE: it is in every bar made with the defaults.
  CAF_CHECK_EQUAL(semantic_hash({}), 0x6181c26d20da2416u);
}

CAF_TEST(the hash of what decides a bar changes with that and with nothing else) {
  settings base;
  base.source_sets = {{"a", {"x", "y"}}, {"b", {"z"}}};
  auto with = [&](auto change_it) {
    auto x = base;
    change_it(x);
    return semantic_hash(x);
  };
  std::set<std::uint64_t> different{semantic_hash(base)};
  auto deciding = [&](auto change_it) { CAF_CHECK(different.insert(with(change_it)).second); };
  deciding([](auto& x) { x.windows.intervals.pop_back(); });
  deciding([](auto& x) { x.windows.allow_late_ms = 501; });
  deciding([](auto& x) { x.windows.flush_timeout_ms = 501; });
  deciding([](auto& x) { x.windows.resume_grace_ms = 501; });
  deciding([](auto& x) { x.windows.revise_for_ms = 501; });
  deciding([](auto& x) { x.partitions = 501; });
  deciding([](auto& x) { x.source_sets[0].name = "c"; });
  deciding([](auto& x) { std::swap(x.source_sets[0].providers[0], x.source_sets[0].providers[1]); });
  deciding([](auto& x) { x.source_sets[0].providers = {"x,1:y"}; });
  deciding([](auto& x) { x.source_sets.pop_back(); });
  auto same = [&](auto change_it) { CAF_CHECK_EQUAL(with(change_it), semantic_hash(base)); };
  same([](auto& x) { std::swap(x.source_sets[0], x.source_sets[1]); });
  same([](auto& x) { std::swap(x.windows.intervals[0], x.windows.intervals[3]); });
  same([](auto& x) { x.node_name = "other", x.data_directory = "other", x.gateway.port = 1, x.log.json = true; });
  same([](auto& x) { x.feeds.emplace_back().name = "a"; });
  same([](auto& x) { x.features.windows.emplace_back().name = "vol_5m"; });
  same([](auto& x) { x.features.interval = 5 * second, x.inference.rules.enabled = true; });
}
