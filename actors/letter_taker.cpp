#include "actors/letter_taker.hpp"

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
constexpr std::size_t most_underway = 100;   // the others wait with the broker
constexpr std::uint32_t most_deliveries = 5; // of a message: whoever took it crashed
constexpr nanoseconds hand_on_again_after = 5 * second;
constexpr nanoseconds claim_every = 10 * second;
constexpr nanoseconds forget_consumers_after = 3600 * second; // there is one for each start of this process
constexpr std::uint64_t keep_messages = 1000;                 // for who wants to look
} // namespace

void letter_taker_state::prepare(node_context* context, letter_stream stream) {
  context_ = context;
  stream_ = std::move(stream);
}

letter_taker_state::interface::behavior_type letter_taker_state::behavior() {
  auto opened = stream_.open_broker();
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

void letter_taker_state::on_pulse() {
  self_->delayed_send(self_, pulse_every, verb::pulse_v);
  auto done = listen()
                .and_then([this] { return acknowledge(); })
                .and_then([this] { return keep(); })
                .and_then([this] { return claim(); })
                .and_then([this] { return take(); });
  context_->metrics->set_aside_requests().set(static_cast<double>(underway_.size()));
  listens_ = done.has_value();
  if (!done && !std::exchange(said_not_to_listen_, true))
    log::warning(letters_path, "what other processes ask to set aside cannot be heard: {}", done.error().message);
  if (done && std::exchange(said_not_to_listen_, false))
    log::info(letters_path, "what other processes ask to set aside is heard again");
  for (auto& [key, x] : underway_)
    if (context_->time->monotonic() >= x.hand_on_at) hand_on(x);
}

expected<void> letter_taker_state::listen() {
  if (listens_) return {};
  return open_letters(*broker_, stream_).and_then([this](const stream_ends&) {
    return broker_->ensure_group(stream_.name, letter_group);
  });
}

expected<void> letter_taker_state::take() {
  if (underway_.size() >= most_underway) return {};
  auto taken = broker_->take(stream_.name, letter_group, stream_.me, most_underway - underway_.size(), 0);
  if (!taken) return tl::unexpected{taken.error()};
  for (auto& x : *taken)
    if (auto read = on_message(x); !read) return read;
  return {};
}

expected<void> letter_taker_state::claim() {
  auto now = context_->time->monotonic();
  if (now < claim_at_) return {};
  auto stale = broker_->claim_stale(stream_.name, letter_group, stream_.me, most_underway);
  if (!stale) return tl::unexpected{stale.error()};
  for (auto& x : stale->messages)
    if (auto read = on_message(x); !read) return read;
  if (stale->lost > 0)
    log::warning(letters_path,
                 "{} requests were removed from stream {} before they were dealt with; they are made again",
                 stale->lost, stream_.name);
  auto forgotten = broker_->forget_idle_consumers(stream_.name, letter_group, forget_consumers_after);
  if (!forgotten) return tl::unexpected{forgotten.error()};
  auto ends = broker_->ends(stream_.name);
  if (!ends) return tl::unexpected{ends.error()};
  if (ends->last && ends->messages > 2 * keep_messages)
    if (auto trimmed = broker_->trim(stream_.name, {ends->last->transaction - keep_messages, 0}); !trimmed)
      return trimmed;
  claim_at_ = now + claim_every;
  return {};
}

// Or they would be handed out anew.
expected<void> letter_taker_state::keep() {
  std::vector<message_number> numbers;
  for (auto& [key, x] : underway_) numbers.insert(numbers.end(), x.numbers.begin(), x.numbers.end());
  return numbers.empty() ? expected<void>{} : broker_->keep(stream_.name, letter_group, stream_.me, numbers);
}

expected<void> letter_taker_state::acknowledge() {
  if (done_.empty()) return {};
  auto said = broker_->acknowledge(stream_.name, letter_group, done_);
  if (said) done_.clear();
  return said;
}

expected<void> letter_taker_state::on_message(const taken_message& x) {
  if (x.what.log_id != stream_.log_id) return of_another_log(stream_);
  auto asked = read(x);
  if (!asked) return tl::unexpected{asked.error()};
  auto& in = underway_[(*asked)->key];
  in.what = *asked;
  in.numbers.insert(x.what.number);
  hand_on(in);
  return {};
}

// What is asked for; or a letter about the message itself, where it cannot be met. Errors: those of the log.
expected<set_aside_ptr> letter_taker_state::read(const taken_message& x) const {
  auto asked = set_aside_request_from_msgpack(x.what.body);
  if (!asked) return letter_about(x, asked.error().code, asked.error().message);
  auto possible = is_possible(*asked);
  if (!possible) return tl::unexpected{possible.error()};
  if (!*possible) return letter_about(x, errc::invalid_argument, "it does not name what its letter is about");
  auto known = is_set_aside(*context_->log, *asked); // a message that is handed out again was dealt with, mostly
  if (!known) return tl::unexpected{known.error()};
  if (!*known && x.deliveries > most_deliveries)
    return letter_about(x, errc::not_acknowledged,
                        fmt::format("it was handed out {} times and not dealt with", x.deliveries - 1));
  auto& bytes = asked->letter.bytes;
  bytes.resize(std::min(bytes.size(), context_->config->limits.dead_letter_bytes));
  return std::make_shared<const set_aside_request>(std::move(*asked));
}

// A request comes from outside this process: nothing may be set aside by it that is not what its letter says.
expected<bool> letter_taker_state::is_possible(const set_aside_request& what) const {
  if (what.partition >= context_->config->partitions || !is_sound(what)) return false;
  if (!what.from) return true;
  auto kept = context_->log->range(topic::events, what.partition);
  if (!kept) return tl::unexpected{kept.error()};
  return what.letter.cause_offset >= kept->head && what.letter.cause_offset < kept->next;
}

set_aside_ptr letter_taker_state::letter_about(const taken_message& x, errc code, const std::string& why) const {
  auto number = fmt::format("{}.{}", x.what.number.transaction, x.what.number.part);
  dead_letter out;
  out.code = code;
  out.reason =
    fmt::format("request {} in stream {} to set something aside cannot be met: {}", number, stream_.name, why);
  out.attempts = x.deliveries;
  return letter_about_message(*context_, 0, stream_.name, number, std::move(out), x.what.body);
}

void letter_taker_state::hand_on(request& x) {
  x.hand_on_at = context_->time->monotonic() + hand_on_again_after;
  if (auto setter = find_aside_setter(*context_, x.what->partition))
    self_->send(setter, verb::set_aside_v, x.what, set_aside_listener{self_});
}

// Refused or done, there is nothing more to do.
void letter_taker_state::on_set_aside(const std::string& key) {
  auto at = underway_.find(key);
  if (at == underway_.end()) return;
  done_.insert(done_.end(), at->second.numbers.begin(), at->second.numbers.end());
  underway_.erase(at);
}

status_report letter_taker_state::status() const {
  return {letters_path, fmt::format(R"({{"listens":{},"sets_aside":{}}})", listens_, underway_.size())};
}

} // namespace finstream
