#include "actors/letter_sender.hpp"

#include "actors/set_aside.hpp"
#include "messages/codec/msgpack.hpp"
#include "messages/value/excerpt.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <stdexcept>
#include <utility>

namespace finstream {

namespace {
constexpr auto pulse_every = std::chrono::milliseconds{500};
constexpr nanoseconds ask_again_after = 30 * second;
constexpr std::size_t most_at_once = 100;                // messages
constexpr nanoseconds forgotten_after = 600 * second;    // by who waited; that one asks with every pulse of its own
constexpr int most_attempts = 10;                        // to speak before another does
constexpr std::size_t reason_share = 4, bytes_share = 2; // of what a message may have
} // namespace

tl::unexpected<failure> of_another_log(const letter_stream& stream) {
  return fail(errc::config_invalid, fmt::format("stream {} of the broker is about another log; set "
                                                "bus.broker.letters_stream to one of its own, or remove that one",
                                                stream.name));
}

expected<stream_ends> open_letters(broker& there, const letter_stream& stream) {
  auto ends = there.open_stream(stream.name).and_then([&] { return there.ends(stream.name); });
  if (ends && ends->last && ends->log_id != stream.log_id) return of_another_log(stream);
  return ends;
}

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
  x.heard_at = context_->time->monotonic();
}

void letter_sender_state::on_pulse() {
  self_->delayed_send(self_, pulse_every, verb::pulse_v);
  auto due = look_after();
  auto done = due ? ask(std::move(*due)) : tl::unexpected{due.error()};
  context_->metrics->set_aside_requests().set(static_cast<double>(waiting_.size()));
  if (!done && !std::exchange(said_not_to_ask_, true))
    log::warning(letters_path, "the process with the role ingest cannot be asked to write a dead letter: {}",
                 done.error().message);
  if (done) said_not_to_ask_ = false;
}

expected<std::vector<letter_sender_state::request*>> letter_sender_state::look_after() {
  std::vector<request*> due;
  auto now = context_->time->monotonic();
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    auto& [key, x] = *at;
    auto done = is_set_aside(*context_->log, *x.what);
    auto never = is_dealt_with(*context_->log, *x.what);
    if (!done || !never) return tl::unexpected{done ? never.error() : done.error()};
    if (*done || *never) self_->send(x.from, verb::set_aside_v, key, *done);
    if (*done || *never || now - x.heard_at > forgotten_after) {
      at = waiting_.erase(at);
      continue;
    }
    if (now >= x.ask_at && due.size() < most_at_once) due.push_back(&x);
    ++at;
  }
  return due;
}

expected<void> letter_sender_state::ask(std::vector<request*> due) {
  if (due.empty()) return {};
  auto ends = open_letters(*broker_, stream_);
  if (!ends) return tl::unexpected{ends.error()};
  if (auto told = leave_out_waiting(due, *ends); !told) return told;
  auto said = due.empty() ? expected<void>{} : publish(due, *ends);
  if (!said)
    for (auto* x : due) x->ask_at = 0;
  return said;
}

// Of what was said before, what nobody has taken yet need not be said again.
expected<void> letter_sender_state::leave_out_waiting(std::vector<request*>& due, const stream_ends& ends) {
  std::optional<message_number> first_waiting = ends.first; // nobody has taken any
  if (std::ranges::any_of(due, [](const request* x) { return x->said.has_value(); })) {
    auto groups = broker_->groups(stream_.name);
    if (!groups) return tl::unexpected{groups.error()};
    auto by = std::ranges::find(*groups, letter_group, &group_state::group);
    if (by != groups->end()) first_waiting = by->first_needed;
  }
  for (auto* x : due) x->ask_at = context_->time->monotonic() + ask_again_after;
  std::erase_if(due, [&](const request* x) {
    return x->said && ends.last && *x->said <= *ends.last && first_waiting && *x->said >= *first_waiting;
  });
  return {};
}

expected<void> letter_sender_state::publish(const std::vector<request*>& due, stream_ends ends) {
  std::vector<broker_message> messages;
  for (auto* x : due) messages.push_back(message_about(*x->what));
  for (int i = 0; i < most_attempts; ++i) {
    auto next = ends.last ? ends.last->transaction + 1 : 1;
    for (auto& x : messages) x.number = {next++, 0};
    auto sent = broker_->publish(stream_.name, ends.last, messages);
    if (sent) {
      for (std::size_t n = 0; n < due.size(); ++n) due[n]->said = messages[n].number;
      log::warning(letters_path, "the process with the role ingest is asked to set aside {}, the first of {}: {}",
                   place_of(*due[0]->what), due.size(), due[0]->what->letter.reason);
    }
    if (sent || sent.error().code != errc::conflict) return sent;
    auto again = open_letters(*broker_, stream_);
    if (!again) return tl::unexpected{again.error()};
    ends = *again;
  }
  return fail(errc::overloaded, "others write to stream " + stream_.name + " without end");
}

broker_message letter_sender_state::message_about(const set_aside_request& what) const {
  auto most_bytes = broker_->capabilities().max_message_bytes;
  auto fitting = what;
  auto& letter = fitting.letter;
  letter.bytes.resize(std::min(letter.bytes.size(), most_bytes / bytes_share));
  letter.reason = std::string{cut_text(what.letter.reason, most_bytes / reason_share)};
  broker_message out;
  out.log_id = stream_.log_id;
  out.type = "letter";
  out.body = to_msgpack(fitting);
  return out;
}

status_report letter_sender_state::status() const {
  return {letters_path, fmt::format(R"({{"asks_for":{}}})", waiting_.size())};
}

} // namespace finstream
