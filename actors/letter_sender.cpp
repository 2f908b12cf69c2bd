#include "actors/letter_sender.hpp"

#include "actors/set_aside.hpp"
#include "messages/codec/msgpack.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <stdexcept>
#include <utility>

namespace finstream {

namespace {
constexpr auto pulse_every = std::chrono::milliseconds{500};
constexpr nanoseconds ask_again_after = 30 * second; // longer than it takes, with the other process started again
constexpr int most_attempts = 10;                    // to speak before another does
} // namespace

void letter_sender_state::prepare(node_context* context, letter_stream stream) {
  context_ = context;
  stream_ = std::move(stream);
}

letter_sender_state::interface::behavior_type letter_sender_state::behavior() {
  auto opened = stream_.open_broker();
  if (!opened) throw std::runtime_error("the broker: " + opened.error().message);
  broker_ = std::move(*opened);
  self_->delayed_send(self_, pulse_every, verb::pulse_v);
  return {
    [this](verb::set_aside, const set_aside_ptr& what, const set_aside_listener& from) { on_request(what, from); },
    [this](verb::pulse) { on_pulse(); },
    [this](verb::stop) { self_->quit(); },
    [this](verb::status) { return status(); },
  };
}

void letter_sender_state::on_request(const set_aside_ptr& what, const set_aside_listener& from) {
  auto& x = waiting_[what->key];
  x.what = what;
  x.from = from;
}

void letter_sender_state::on_pulse() {
  self_->delayed_send(self_, pulse_every, verb::pulse_v);
  auto done = look_after();
  context_->metrics->set_aside_requests().set(static_cast<double>(waiting_.size()));
  if (!done && !std::exchange(said_not_to_ask_, true))
    log::warning(letters_path, "the process with the role ingest cannot be asked to write a dead letter: {}",
                 done.error().message);
  if (done) said_not_to_ask_ = false;
}

expected<void> letter_sender_state::look_after() {
  auto now = context_->time->monotonic();
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    auto& [key, x] = *at;
    auto done = is_set_aside(*context_->log, *x.what);
    if (!done) return tl::unexpected{done.error()};
    if (*done) {
      self_->send(x.from, verb::set_aside_v, key, true);
      at = waiting_.erase(at);
      continue;
    }
    if (now >= x.ask_at) {
      if (auto asked = ask(*x.what); !asked) return asked;
      x.ask_at = now + ask_again_after;
    }
    ++at;
  }
  return {};
}

expected<void> letter_sender_state::ask(const set_aside_request& what) {
  if (auto open = broker_->open_stream(stream_.name); !open) return open;
  auto fitting = what;
  auto& bytes = fitting.letter.bytes;
  bytes.resize(std::min(bytes.size(), broker_->capabilities().max_message_bytes / 2)); // room for the rest of it
  broker_message message;
  message.log_id = stream_.log_id;
  message.type = "letter";
  message.body = to_msgpack(fitting);
  for (int i = 0; i < most_attempts; ++i) {
    auto ends = broker_->ends(stream_.name);
    if (!ends) return tl::unexpected{ends.error()};
    message.number = {ends->last ? ends->last->transaction + 1 : 1, 0};
    auto sent = broker_->publish(stream_.name, ends->last, std::span{&message, 1});
    if (sent)
      log::warning(letters_path, "the process with the role ingest is asked to set aside {}: {}", place_of(what),
                   what.letter.reason);
    if (sent || sent.error().code != errc::conflict) return sent;
  }
  return fail(errc::overloaded, "others write to stream " + stream_.name + " without end");
}

status_report letter_sender_state::status() const {
  return {letters_path, fmt::format(R"({{"asks_for":{}}})", waiting_.size())};
}

} // namespace finstream
