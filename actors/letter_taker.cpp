#include "actors/letter_taker.hpp"

#include "actors/set_aside.hpp"
#include "messages/codec/msgpack.hpp"
#include "runtime/log/log.hpp"

#include <chrono>
#include <fmt/format.h>
#include <stdexcept>
#include <utility>

namespace finstream {

namespace {
constexpr auto pulse_every = std::chrono::milliseconds{500};
constexpr const char* group = "ingest";
constexpr std::size_t most_underway = 100;   // the others wait with the broker
constexpr std::uint32_t most_deliveries = 5; // of a message: whoever took it crashed
constexpr nanoseconds hand_on_again_after = 5 * second;
constexpr nanoseconds claim_every = 10 * second, look_for_given_up_every = 5 * second;
constexpr nanoseconds forget_consumers_after = 3600 * second; // there is one for each start of this process
constexpr std::uint64_t keep_messages = 1000;                 // for who wants to look
} // namespace

void letter_taker_state::prepare(node_context* context, letter_stream stream, bool is_shared,
                                 std::map<std::string, std::uint16_t> of_log) {
  context_ = context;
  stream_ = std::move(stream);
  is_shared_ = is_shared;
  of_log_ = std::move(of_log);
  given_up_in_ = stream_.name + ".given_up";
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
  auto done = look();
  context_->metrics->set_aside_requests().set(static_cast<double>(underway_.size()));
  listens_ = done.has_value();
  if (!done && !std::exchange(said_not_to_listen_, true))
    log::warning(letters_path, "what others cannot get past cannot be heard of: {}", done.error().message);
  if (done && std::exchange(said_not_to_listen_, false))
    log::info(letters_path, "what others cannot get past is heard of again");
  for (auto& [key, x] : underway_)
    if (context_->time->monotonic() >= x.hand_on_at) hand_on(x);
}

expected<void> letter_taker_state::look() {
  if (is_shared_) {
    auto done = listen()
                  .and_then([this] { return acknowledge(); })
                  .and_then([this] { return keep(); })
                  .and_then([this] { return claim(); })
                  .and_then([this] { return take(); });
    if (!done) return done;
  }
  return take_given_up();
}

expected<void> letter_taker_state::listen() {
  if (listens_) return {};
  return broker_->open_stream(stream_.name).and_then([this] { return broker_->ensure_group(stream_.name, group); });
}

expected<void> letter_taker_state::take() {
  if (underway_.size() >= most_underway) return {};
  auto taken = broker_->take(stream_.name, group, stream_.me, most_underway - underway_.size(), 0);
  if (!taken) return tl::unexpected{taken.error()};
  for (auto& x : *taken) on_message(x);
  return {};
}

expected<void> letter_taker_state::claim() {
  auto now = context_->time->monotonic();
  if (now < claim_at_) return {};
  auto stale = broker_->claim_stale(stream_.name, group, stream_.me, most_underway);
  if (!stale) return tl::unexpected{stale.error()};
  for (auto& x : stale->messages) on_message(x);
  if (stale->lost > 0)
    log::warning(letters_path,
                 "{} requests were removed from stream {} before they were dealt with; they are made again",
                 stale->lost, stream_.name);
  auto forgotten = broker_->forget_idle_consumers(stream_.name, group, forget_consumers_after);
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
  return numbers.empty() ? expected<void>{} : broker_->keep(stream_.name, group, stream_.me, numbers);
}

expected<void> letter_taker_state::acknowledge() {
  if (done_.empty()) return {};
  auto said = broker_->acknowledge(stream_.name, group, done_);
  if (said) done_.clear();
  return said;
}

expected<void> letter_taker_state::take_given_up() {
  if (!forgettable_.empty()) {
    if (auto done = broker_->forget_given_up(given_up_in_, forgettable_); !done) return done;
    forgettable_.clear();
  }
  auto now = context_->time->monotonic();
  if (now < look_for_given_up_at_ || underway_.size() >= most_underway) return {};
  std::vector<std::string> streams;
  for (auto& [stream, partition] : of_log_) streams.push_back(stream);
  auto found = broker_->given_up(given_up_in_, streams, most_underway - underway_.size());
  if (!found) return tl::unexpected{found.error()};
  for (auto& x : *found) {
    auto& in = begin(letter_about(x));
    in.given_up.insert(x.id);
    hand_on(in);
  }
  look_for_given_up_at_ = now + look_for_given_up_every;
  return {};
}

void letter_taker_state::on_message(const taken_message& x) {
  auto& in = begin(read(x));
  in.numbers.insert(x.what.number);
  hand_on(in);
}

letter_taker_state::request& letter_taker_state::begin(const set_aside_ptr& what) {
  auto& out = underway_[what->key];
  out.what = what;
  return out;
}

// What is asked for; or a letter about the message itself, where it cannot be met.
set_aside_ptr letter_taker_state::read(const taken_message& x) const {
  if (x.deliveries > most_deliveries)
    return letter_about(x, errc::not_acknowledged,
                        fmt::format("it was handed out {} times and not dealt with", x.deliveries - 1));
  if (x.what.log_id != stream_.log_id) return letter_about(x, errc::incompatible, "it is about another log");
  auto asked = set_aside_request_from_msgpack(x.what.body);
  if (!asked) return letter_about(x, asked.error().code, asked.error().message);
  if (asked->partition >= context_->config->partitions || asked->key.empty())
    return letter_about(x, errc::corrupt_record, "it is about a partition that there is not, or nothing");
  return std::make_shared<const set_aside_request>(std::move(*asked));
}

set_aside_ptr letter_taker_state::letter_about(const taken_message& x, errc code, const std::string& why) const {
  auto number = fmt::format("{}.{}", x.what.number.transaction, x.what.number.part);
  dead_letter out;
  out.code = code;
  out.reason =
    fmt::format("request {} in stream {} to set something aside cannot be met: {}", number, stream_.name, why);
  out.attempts = x.deliveries;
  return letter_of(0, stream_.name, number, std::move(out), x.what.body);
}

set_aside_ptr letter_taker_state::letter_about(const given_up_message& x) const {
  auto what = x.what ? fmt::format("message {}.{}", x.what->number.transaction, x.what->number.part)
                     : std::string{"a message that is no longer there"};
  dead_letter out;
  out.code = errc::not_acknowledged;
  out.reason =
    fmt::format("consumer group {} of stream {} was handed {} {} times and did not acknowledge it: it is not "
                "handed to it any more",
                x.group, x.stream, what, x.deliveries);
  out.attempts = x.deliveries;
  auto at = of_log_.find(x.stream);
  return letter_of(at == of_log_.end() ? 0 : at->second, given_up_in_, x.id, std::move(out),
                   x.what ? std::string_view{x.what->body} : std::string_view{});
}

set_aside_ptr letter_taker_state::letter_of(std::uint16_t partition, const std::string& stream,
                                            const std::string& message, dead_letter what, std::string_view body) const {
  auto out = std::make_shared<set_aside_request>();
  out->key = set_aside_key(partition, stream, message);
  out->partition = partition;
  out->letter = std::move(what);
  out->letter.seen_ts = context_->time->now();
  out->letter.bytes = std::string{body.substr(0, context_->config->limits.dead_letter_bytes)};
  out->letter.stage = "broker";
  out->letter.config_hash = context_->config_hash;
  return out;
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
  forgettable_.insert(forgettable_.end(), at->second.given_up.begin(), at->second.given_up.end());
  underway_.erase(at);
}

status_report letter_taker_state::status() const {
  return {letters_path, fmt::format(R"({{"listens":{},"sets_aside":{}}})", listens_, underway_.size())};
}

} // namespace finstream
