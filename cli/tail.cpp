// finstream tail: what a channel publishes, an object a line.
#include "cli/commands.hpp"

#include "messages/codec/json.hpp"
#include "runtime/server/stream_client.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <fmt/core.h>
#include <memory>

namespace finstream {

namespace {

struct options {
  std::string config, url;
  std::vector<std::string> channels;
  std::uint64_t limit = 0;
  bool all = false;
};

struct target {
  std::string host;
  std::uint16_t port = 0;
};

expected<target> where(const options& o) {
  if (!o.url.empty()) {
    auto colon = o.url.rfind(':');
    auto port = colon == std::string::npos ? 0 : std::atoi(o.url.c_str() + colon + 1);
    if (port <= 0 || port > 65535) return fail(errc::invalid_argument, "--node: say HOST:PORT, such as 127.0.0.1:8080");
    return target{o.url.substr(0, colon), static_cast<std::uint16_t>(port)};
  }
  auto config = settings_from(o.config);
  if (!config) return tl::unexpected{config.error()};
  return target{config->gateway.address == "0.0.0.0" ? "127.0.0.1" : config->gateway.address,
                static_cast<std::uint16_t>(config->gateway.port)};
}

int follow(const options& o) {
  auto node = where(o);
  if (!node) return report(node.error());
  nlohmann::json command{{"action", "subscribe"}, {"id", 1}, {"channels", o.channels}};
  std::uint64_t printed = 0;
  std::optional<failure> refused;
  auto done = follow_stream(node->host, node->port, "/v1/stream", command.dump(), [&](std::string_view text) {
    auto objects = nlohmann::ordered_json::parse(text.begin(), text.end(), nullptr, false);
    if (!objects.is_array()) return true;
    for (auto& object : objects) {
      auto type = object.value("type", "");
      if (type == "error") return refused = failure{errc::bad_command, object.value("message", "")}, false;
      if (!o.all && (type == "hello" || type == "subscribed" || type == "end_of_interval")) continue;
      fmt::print("{}\n", object.dump());
      if (o.limit != 0 && ++printed == o.limit) return false;
    }
    std::fflush(stdout);
    return std::ferror(stdout) == 0;
  });
  std::fflush(stdout);
  if (refused) return report(*refused);
  return done ? 0 : report(done.error());
}

} // namespace

void add_tail(CLI::App& app, chosen_command& chosen) {
  auto o = std::make_shared<options>();
  auto* verb = app.add_subcommand("tail", "Follow channels of a running node, an object a line");
  add_config_option(*verb, o->config);
  verb->add_option("channel", o->channels, "Such as ticks.SPY, 'bars.1s.*', 'features.*', 'signals.*' or status")
    ->required();
  verb->add_option("--node", o->url, "HOST:PORT of the node; without it, the config's gateway")->type_name("HOST:PORT");
  verb->add_option("-n,--limit", o->limit, "End after this many objects; 0 = never")->capture_default_str();
  verb->add_flag("--all", o->all, "Also hello, subscribed and end_of_interval objects");
  verb->footer("Example:\n  finstream tail 'bars.1s.*' --node 127.0.0.1:8080");
  verb->callback([o, &chosen] { chosen = [o] { return follow(*o); }; });
}

} // namespace finstream
