#include "tests/simulation/simulated_archive.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace finstream::simulation {

namespace {
constexpr nanoseconds answer_deadline = 10 * second; // as whoever posts over HTTP has
} // namespace

// Of a provider of its own, or of a feed that has made bars of that time already.
void simulated_archive::find_more() {
  static const std::vector<std::string> providers{"past", "feed0"}, symbols{"AAA", "BBB", "CCC", "DDD"};
  auto& post = posts_.emplace_back();
  auto end = time_.now() - chance_.between(6, 20) * second;
  for (auto count = chance_.between(1, 12); count > 0; --count) {
    auto &provider = chance_.of(providers), &symbol = chance_.of(symbols);
    auto when = end + chance_.between(0, 4000) * millisecond;
    auto seq = ++last_seq_;
    post.lines += fmt::format(R"({{"provider":"{}","symbol":"{}","src_ts":"{}","seq":{},"price":{},"size":1}})",
                              provider, symbol, to_string(when), seq, 100 + chance_.below(4)) +
                  "\n";
    post.event_ids.push_back(provider + "|" + symbol + "|" + to_string(when) + "|" + std::to_string(seq));
  }
  if (chance_.one_in(3)) posts_.push_back(post);
}

backfill_post_ptr simulated_archive::next() {
  auto now = time_.monotonic();
  auto awaits_an_answer = asked_in_ == life_ && now - asked_at_ < answer_deadline;
  if (!has_more() || awaits_an_answer || now < not_before_) return nullptr;
  asked_in_ = life_;
  asked_at_ = now;
  auto post = std::make_shared<backfill_post>();
  post->feed = "past";
  post->lines = posts_[done_].lines;
  post->answer = [this, which = done_, life = life_](const backfill_answer& answer) {
    if (life == life_) on_answer(which, answer);
  };
  return post;
}

void simulated_archive::on_answer(std::size_t which, const backfill_answer& answer) {
  asked_in_ = ~std::uint64_t{0};
  not_before_ = time_.monotonic() + answer.wait_ms * millisecond;
  if (answer.refused.code != errc::none) return;
  auto& post = posts_[which];
  post.left_alone = answer.trimmed != 0;
  done_ = which + 1;
  if (auto& ids = post.event_ids; !post.left_alone && !std::all_of(ids.begin(), ids.end(), is_in_log))
    on_broken_rule("a post of the past is taken, and not all of it is in the log: " + ids.front());
}

std::optional<std::string> simulated_archive::lost() const {
  for (std::size_t i = 0; i < done_; ++i)
    for (auto& id : posts_[i].event_ids)
      if (!posts_[i].left_alone && !is_in_log(id)) return id;
  return std::nullopt;
}

} // namespace finstream::simulation
