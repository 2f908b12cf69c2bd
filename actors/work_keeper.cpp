#include "actors/work_keeper.hpp"

#include "messages/codec/json.hpp"
#include "messages/codec/work_json.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace finstream {

namespace {
constexpr nanoseconds longest_pause = second; // between two looks at what the others say
constexpr int most_attempts = 10;             // to speak before another does
constexpr int most_refusals = 20;             // of a claim, one a pulse
constexpr std::size_t read_messages = 1000;
constexpr std::size_t read_bytes = 1u << 20;
constexpr std::uint64_t keep_messages = 2000; // each process says all it holds far more often
constexpr auto restart_deadline = std::chrono::seconds{1};
} // namespace

work_keeper_state::~work_keeper_state() {
  for (auto p : works_on_) {
    context_->figures->claimed.at(p) = false;
    sharing_.log->release(p);
  }
}

void work_keeper_state::prepare(node_context* context, work_sharing sharing) {
  context_ = context;
  sharing_ = std::move(sharing);
}

work_keeper_state::interface::behavior_type work_keeper_state::behavior() {
  auto opened = sharing_.open_broker();
  if (!opened) throw std::runtime_error("the broker: " + opened.error().message);
  broker_ = std::move(*opened);
  begin_anew();
  self_->send(self_, verb::pulse_v);
  return {
    [this](verb::pulse) { on_pulse(); },
    [this](verb::stop) { on_stop(); },
    [this](verb::status) { return status(); },
  };
}

void work_keeper_state::on_pulse() {
  auto pause = std::min(longest_pause, sharing_.claim_after / 8);
  self_->delayed_send(self_, std::chrono::nanoseconds{pause}, verb::pulse_v);
  auto done = hear().and_then([this] { return speak(); });
  if (!done && done.error().code == errc::conflict) throw std::runtime_error(done.error().message);
  if (!done && !std::exchange(said_not_to_hear_, true))
    log::warning("/work", "{}. Until this is mended, this process works on what it has and takes nothing more",
                 done.error().message);
  if (!done) {
    hears_ = false;
    return;
  }
  if (std::exchange(said_not_to_hear_, false)) log::info("/work", "who works on what is known again");
  settle();
}

void work_keeper_state::begin_anew() {
  table_.emplace(sharing_.me, context_->config->partitions, sharing_.claim_after);
  last_.reset();
}

expected<void> work_keeper_state::hear() {
  if (!hears_)
    if (auto open = broker_->open_stream(sharing_.stream); !open) return open;
  while (true) {
    auto messages = broker_->read(sharing_.stream, last_, read_messages, read_bytes);
    if (!messages && messages.error().code == errc::trimmed && last_) { // far behind
      begin_anew();
      continue;
    }
    if (!messages) return tl::unexpected{messages.error()};
    auto now = context_->time->monotonic();
    for (auto& x : *messages) {
      if (x.log_id != sharing_.log->log_id())
        return fail(errc::conflict, fmt::format("stream {} of the broker is of another log; set "
                                                "bus.broker.work_stream to one of its own",
                                                sharing_.stream));
      last_ = x.number;
      if (auto what = parse_work_message(x.body))
        table_->on_message(*what, now);
      else
        log::warning("/work", "stream {} at {}: {}; passed over", sharing_.stream, x.number.transaction,
                     what.error().message);
    }
    if (!messages->empty()) continue;
    if (!std::exchange(hears_, true)) table_->on_silence(now);
    return {};
  }
}

expected<void> work_keeper_state::speak() {
  if (auto why = table_->contradiction(context_->time->monotonic())) return fail(errc::config_invalid, *why);
  for (int i = 0; i < most_attempts; ++i) {
    auto what = table_->decide(context_->time->monotonic());
    if (!what) return {};
    for (auto p : what->gives) let_go(p); // before others may take it
    auto said = say(*what);
    if (!said) return tl::unexpected{said.error()};
    auto before = last_;
    if (auto heard = hear(); !heard) return heard; // this one, too
    if (!*said && last_ == before) {               // nobody has: the broker has forgotten the last that was said
      log::warning("/work", "stream {} ends before what was heard: it is gone over from its beginning",
                   sharing_.stream);
      begin_anew();
      if (auto heard = hear(); !heard) return heard;
    }
    if (!*said) continue;
    for (auto& worker : what->dead) log::warning("/work", "{} was not heard of and counts as dead", worker);
  }
  return {};
}

expected<bool> work_keeper_state::say(const work_message& what) {
  broker_message message;
  message.number = {last_ ? last_->transaction + 1 : 1, 0};
  message.log_id = sharing_.log->log_id();
  message.type = "work";
  message.body = to_json(what);
  auto done = broker_->publish(sharing_.stream, last_, std::span{&message, 1});
  if (!done && done.error().code == errc::conflict) return false;
  if (!done) return tl::unexpected{done.error()};
  auto number = message.number.transaction;
  if (number % keep_messages == 0)
    if (auto trimmed = broker_->trim(sharing_.stream, {number - keep_messages / 2, 0}); !trimmed)
      log::warning("/work", "stream {} cannot be trimmed: {}", sharing_.stream, trimmed.error().message);
  return true;
}

// What this process does follows what the table says.
void work_keeper_state::settle() {
  auto mine = table_->mine();
  for (auto p : std::set<std::uint16_t>{works_on_})
    if (!mine.contains(p)) let_go(p);
  for (auto p : mine)
    if (!works_on_.contains(p) && !take_up(p)) return;
}

// The one who had it may still write; after that many attempts it is this process's copy that is not as it should be.
bool work_keeper_state::take_up(std::uint16_t partition) {
  auto claimed = sharing_.log->claim(partition);
  if (!claimed) {
    auto [at, is_first] = refused_.try_emplace(partition, 0);
    if (is_first) log::warning("/work", "partition {} cannot be claimed yet: {}", partition, claimed.error().message);
    auto code = claimed.error().code;
    if (is_temporary(code) || code == errc::config_invalid) return false; // who is not let in today may be tomorrow
    if (++at->second > most_refusals) throw std::runtime_error(claimed.error().message);
    return true;
  }
  refused_.erase(partition);
  works_on_.insert(partition);
  context_->figures->claimed.at(partition) = true;
  log::info("/work", "this process works on partition {}; {} share {}", partition, table_->workers(),
            context_->config->partitions);
  start_again(partition);
  return true;
}

void work_keeper_state::let_go(std::uint16_t partition) {
  if (works_on_.erase(partition) == 0) return;
  context_->figures->claimed.at(partition) = false;
  sharing_.log->release(partition);
  log::info("/work", "this process no longer works on partition {}", partition);
  start_again(partition);
}

// The partition's actors find out what they are to do when they are started.
void work_keeper_state::start_again(std::uint16_t partition) {
  auto supervisor = context_->where->find_as<supervisor_actor>("/partitions");
  if (!supervisor) return; // it starts them itself, or the node ends
  self_->request(supervisor, restart_deadline, verb::restart_v, "/partitions/" + std::to_string(partition))
    .then([](bool) {}, [](const caf::error&) {});
}

// The others need not wait until this process counts as dead.
void work_keeper_state::on_stop() {
  for (auto p : std::set<std::uint16_t>{works_on_}) let_go(p);
  for (int i = 0; i < most_attempts; ++i) {
    auto said = hear().and_then([this] { return say(table_->farewell()); });
    if (!said || *said) break;
  }
  self_->quit();
}

status_report work_keeper_state::status() const {
  std::string out = R"({"me":)";
  append_json_string(out, sharing_.me);
  out +=
    fmt::format(R"(,"works_on":[{}],"workers":{},"hears":{}}})", fmt::join(works_on_, ","), table_->workers(), hears_);
  return {"/work", out};
}

} // namespace finstream
