#include "actors/given_up_taker.hpp"

#include "actors/set_aside.hpp"
#include "runtime/log/log.hpp"

#include <chrono>
#include <fmt/format.h>
#include <stdexcept>
#include <utility>

namespace finstream {

namespace {
constexpr auto pulse_every = std::chrono::seconds{5};
constexpr auto longest_pause = std::chrono::seconds{60}; // where it cannot be asked
constexpr std::size_t most_underway = 100;               // the others wait with the broker
} // namespace

void given_up_taker_state::prepare(node_context* context, given_up_source source) {
  context_ = context;
  source_ = std::move(source);
}

given_up_taker_state::interface::behavior_type given_up_taker_state::behavior() {
  auto opened = source_.open_broker();
  if (!opened) throw std::runtime_error("the broker: " + opened.error().message);
  broker_ = std::move(*opened);
  self_->send(self_, verb::pulse_v);
  return {
    [this](verb::pulse) { on_pulse(); },
    [this](verb::set_aside, const std::string& key, bool) { on_set_aside(key); },
    [this](verb::stop) { self_->quit(); },
    [this](verb::status) { return status(); },
  };
}

// Those that an appender has not answered for since the last pulse are handed to it again: it may have crashed.
void given_up_taker_state::on_pulse() {
  auto done = forget().and_then([this] { return take(); });
  if (!done && std::exchange(hears_, false))
    log::warning(path, "what consumers of others give up on cannot be heard of, the rest is well: {}",
                 done.error().message);
  if (done && !std::exchange(hears_, true)) log::info(path, "what consumers of others give up on is heard of again");
  for (auto& [key, x] : underway_)
    if (auto setter = find_aside_setter(*context_, x.what->partition))
      self_->send(setter, verb::set_aside_v, x.what, set_aside_listener{self_});
  self_->delayed_send(self_, done ? pulse_every : longest_pause, verb::pulse_v);
}

expected<void> given_up_taker_state::forget() {
  if (forgettable_.empty()) return {};
  auto done = broker_->forget_given_up(source_.kept_in, forgettable_);
  if (done) forgettable_.clear();
  return done;
}

expected<void> given_up_taker_state::take() {
  if (underway_.size() >= most_underway) return {};
  std::vector<std::string> streams;
  for (auto& [stream, partition] : source_.of_log) streams.push_back(stream);
  auto told = broker_->given_up(source_.kept_in, streams, most_underway - underway_.size());
  if (!told) return tl::unexpected{told.error()};
  for (auto& x : *told) {
    auto about = letter_about(x);
    underway_[about->key] = {about, x.id};
  }
  return {};
}

set_aside_ptr given_up_taker_state::letter_about(const given_up_message& x) const {
  auto what = x.what ? fmt::format("message {}.{}", x.what->number.transaction, x.what->number.part)
                     : std::string{"a message that is no longer there"};
  dead_letter out;
  out.code = errc::not_acknowledged;
  out.reason =
    fmt::format("consumer group {} of stream {} was handed {} {} times and did not acknowledge it: it is not "
                "handed to it any more",
                x.group, x.stream, what, x.deliveries);
  out.attempts = x.deliveries;
  auto at = source_.of_log.find(x.stream);
  return letter_about_message(*context_, at == source_.of_log.end() ? 0 : at->second, source_.kept_in, x.id,
                              std::move(out), x.what ? std::string_view{x.what->body} : std::string_view{});
}

void given_up_taker_state::on_set_aside(const std::string& key) {
  if (auto at = underway_.find(key); at != underway_.end()) {
    forgettable_.push_back(std::move(at->second.id));
    underway_.erase(at);
  }
}

status_report given_up_taker_state::status() const {
  return {path, fmt::format(R"({{"hears":{},"sets_aside":{}}})", hears_, underway_.size())};
}

} // namespace finstream
