#include "tests/simulation/simulated_feed.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace finstream::simulation {

// ---- the venue

simulated_feed::simulated_feed(std::string its_name, std::uint64_t seed, const clock& time)
  : name{std::move(its_name)}, chance_{seed}, time_{time} {}

simulated_feed::~simulated_feed() { ensure(running_ == nullptr, "a node ends before its feeds"); }

void simulated_feed::happen(int lines) {
  for (int i = 0; i < lines; ++i) {
    auto odd = chance_.below(100);
    if (odd < 6 && !tape_.empty()) { // the same event again
      auto again = tape_[tape_.size() - 1 - chance_.below(std::min<std::size_t>(tape_.size(), 20))];
      tape_.push_back(again.what == tape_line::kind::event ? again : next_event());
    } else if (odd < 10) {
      tape_.push_back({tape_line::kind::bad, R"({"symbol":"AAA","price":)", ""});
    } else if (odd < 12) {
      auto until = time_.now() - second;
      tape_.push_back({tape_line::kind::gap,
                       fmt::format(R"({{"type":"gap","provider":"{}","from":"{}","to":"{}",)", name,
                                   to_string(until - second), to_string(until)),
                       ""});
    } else if (odd < 16) {
      tape_.push_back({tape_line::kind::heartbeat,
                       fmt::format(R"({{"type":"heartbeat","provider":"{}","src_ts":"{}"}})", name,
                                   to_string(time_.now() - 200 * millisecond)),
                       ""});
    } else {
      tape_.push_back(next_event());
    }
  }
}

// Most come in order or nearly so; some are late for their bars.
tape_line simulated_feed::next_event() {
  static const std::vector<std::string> symbols{"AAA", "BBB", "CCC", "DDD"};
  auto delay = chance_.one_in(12) ? chance_.between(600, 4000) : chance_.between(0, 300);
  auto& symbol = chance_.of(symbols);
  auto when = time_.now() - delay * millisecond;
  tape_line out;
  out.text = event_text(symbol, when, ++last_seq_);
  out.event_id = name + "|" + symbol + "|" + to_string(when) + "|" + std::to_string(last_seq_);
  return out;
}

std::string simulated_feed::event_text(const std::string& symbol, timestamp when, std::int64_t seq) {
  auto head =
    fmt::format(R"({{"provider":"{}","symbol":"{}","src_ts":"{}","seq":{},)", name, symbol, to_string(when), seq);
  auto price = 100 + chance_.below(4);
  if (chance_.one_in(8)) return head + fmt::format(R"("bid":{},"ask":{}.5,"bid_size":1,"ask_size":2,)", price, price);
  return head + fmt::format(R"("price":{}.25,"size":{},)", price, 1 + chance_.below(9));
}

bool simulated_feed::told_all() const {
  return running_ != nullptr && !running_->ended_ && running_->greeted_ && running_->next_ == tape_.size() &&
         running_->credit_ == running_->all_credit_;
}

// The ingestor's limit is all the credit there is: what is not given to a new process is out for chunks of an old one.
expected<std::unique_ptr<child>> simulated_feed::start(const child_options& options, child_events events) {
  if (std::exchange(fails_to_start, false)) return fail(errc::start_failed, "no such program, the simulation says");
  return std::make_unique<simulated_process>(*this, options, std::move(events), most_chunks_underway);
}

// ---- the process

simulated_process::simulated_process(simulated_feed& feed, const child_options& options, child_events events,
                                     int all_credit)
  : feed_{feed}, events_{std::move(events)}, run_{++feed.runs_}, credit_{options.initial_credit}, all_credit_{
                                                                                                    all_credit} {
  ensure(feed_.running_ == nullptr, "a feed has one process");
  feed_.running_ = this;
  std::string token;
  for (auto& [key, value] : options.environment)
    if (key == "FINSTREAM_RESUME_TOKEN") token = value;
  if (token != feed_.token_in_log())
    feed_.on_broken_rule(fmt::format("{} run {} is told to go on at {}, and the log says {}", feed_.name, run_,
                                     token.empty() ? "the beginning" : token, feed_.token_in_log()));
  resumes_ = !token.empty();
  next_ = resumes_ ? std::stoul(token) : 0;
  ensure(next_ <= feed_.tape_.size(), "a token is of a line that was printed");
  if (feed_.goes_back) next_ -= std::min<std::size_t>(next_, feed_.chance_.below(30));
}

simulated_process::~simulated_process() {
  if (feed_.running_ == this) feed_.running_ = nullptr;
}

// The token of a line is the number of lines up to it. What is wrong with a line, and a gap's reason, are of this run
// alone: so it can be seen whether the log has one of them twice.
void simulated_process::print(int lines) {
  if (ended_ || hangs_) return;
  auto last = std::min(next_ + static_cast<std::size_t>(lines), feed_.tape_.size());
  if (last == next_ && greeted_) return;
  if (credit_ <= 0) {
    if (blocked_since_ == 0) blocked_since_ = feed_.time_.monotonic();
    return;
  }
  std::string chunk;
  auto& ids = underway_.emplace_back();
  if (!std::exchange(greeted_, true))
    chunk += fmt::format("{{\"type\":\"hello\",\"provider\":\"{}\",\"resumed\":{}}}\n", feed_.name, resumes_);
  for (; next_ < last; ++next_) {
    auto& line = feed_.tape_[next_];
    chunk += line.text;
    if (line.what == tape_line::kind::event) {
      chunk += fmt::format("\"resume\":\"{}\"}}", next_ + 1);
      ids.push_back(line.event_id);
    } else if (line.what == tape_line::kind::bad) {
      chunk += fmt::format("{} line {} run {}", feed_.name, next_, run_);
    } else if (line.what == tape_line::kind::gap) {
      chunk += fmt::format("\"reason\":\"line {} run {}\"}}", next_, run_);
    }
    chunk += '\n';
  }
  --credit_;
  events_.on_lines(std::move(chunk));
}

void simulated_process::grant(int chunks) {
  credit_ += chunks;
  blocked_since_ = 0;
  check_confirmed();
}

// Confirmed is what is in the log: of so many chunks, each event.
void simulated_process::check_confirmed() {
  std::erase_if(underway_, [&](auto& ids) {
    return std::all_of(ids.begin(), ids.end(), [&](auto& id) { return feed_.is_in_log(id); });
  });
  if (static_cast<int>(underway_.size()) > all_credit_ - credit_)
    feed_.on_broken_rule(fmt::format("{} run {}: credit came back for a chunk that is not in the log: it holds {}",
                                     feed_.name, run_, underway_.front().empty() ? "" : underway_.front().front()));
  if (credit_ > all_credit_)
    feed_.on_broken_rule(fmt::format("{} run {}: {} chunks of credit, more than there are", feed_.name, run_, credit_));
}

nanoseconds simulated_process::blocked_for() const {
  return blocked_since_ == 0 ? 0 : feed_.time_.monotonic() - blocked_since_;
}

void simulated_process::stop(nanoseconds grace) {
  if (!hangs_) return die(0, 0);
  if (end_by_ == 0) end_by_ = feed_.time_.monotonic() + grace;
}

void simulated_process::look_at_time() {
  if (end_by_ != 0 && feed_.time_.monotonic() >= end_by_) kill();
}

void simulated_process::die(int code, int signal) {
  if (std::exchange(ended_, true)) return;
  events_.on_exit({code, signal});
}

} // namespace finstream::simulation
