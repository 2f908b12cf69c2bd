#include "actors/logic/feature_history.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

namespace finstream {

namespace {

constexpr std::uint64_t least_bar = 16 + 1 + 5 + 2 + 2; // bytes

void save_bar(byte_writer& out, const kept_bar& x) {
  out.wide_number(x.traded.units);
  out.signed_number(x.start.ns);
  for (auto units : {x.open.units, x.high.units, x.low.units, x.close.units, x.volume.units}) out.signed_number(units);
  for (auto n : {x.first_offset, x.last_offset}) out.number(n);
  for (auto n : {x.revision, x.vector_revision}) out.number(n);
}

kept_bar load_bar(byte_reader& in) {
  kept_bar x;
  x.traded.units = in.wide_number();
  x.start.ns = in.signed_number();
  for (auto* units : {&x.open.units, &x.high.units, &x.low.units, &x.close.units, &x.volume.units})
    *units = in.signed_number();
  for (auto* offset : {&x.first_offset, &x.last_offset}) *offset = in.number();
  for (auto* revision : {&x.revision, &x.vector_revision}) *revision = static_cast<std::uint32_t>(in.number());
  return x;
}

} // namespace

feature_needs::feature_needs(const feature_rules& rules)
  : interval{rules.interval}, revise_for{rules.revise_for}, max_bars{rules.max_bars} {
  for (auto& window : rules.windows) {
    horizon = std::max(horizon, window.horizon);
    bars = std::max<std::uint64_t>(bars, window.bars);
    if (window.kind == feature_kind::rsi && index_of_period(window.bars) == periods.size())
      periods.push_back(window.bars);
  }
}

std::size_t feature_needs::index_of_period(std::uint32_t period) const {
  return static_cast<std::size_t>(std::find(periods.begin(), periods.end(), period) - periods.begin());
}

const strength& feature_history::strength_at(std::size_t at, std::size_t period_index) const {
  return strengths_[(at - first_row()) * (strengths_.size() / rows_) + period_index];
}

std::size_t feature_history::find(timestamp start) const {
  auto at = std::lower_bound(bars_.begin(), bars_.end(), start, [](auto& x, auto t) { return x.start < t; });
  return static_cast<std::size_t>(at - bars_.begin());
}

bool feature_history::covers(timestamp start, nanoseconds interval) const {
  return first_start_ <= start && (dropped_ == 0 || newest_dropped_ + interval <= start);
}

void feature_history::append(const kept_bar& x, const feature_needs& needs) {
  while (!ahead_.empty() && ahead_.begin()->first <= x.start) {
    auto first = ahead_.extract(ahead_.begin());
    if (first.key() != x.start) take_in(first.mapped(), needs);
  }
  take_in(x, needs);
}

// No more than the vector of the bar behind the last of them can need.
void feature_history::keep_ahead(const kept_bar& x, const feature_needs& needs) {
  ahead_[x.start] = x;
  auto out_of_reach = ahead_.rbegin()->first - needs.horizon;
  auto is_needed = [&] { return ahead_.size() <= needs.bars + 1 || std::next(ahead_.begin())->first > out_of_reach; };
  while (ahead_.size() > 1 && (ahead_.size() > needs.max_bars || !is_needed())) ahead_.erase(ahead_.begin());
}

kept_bar* feature_history::find_ahead(timestamp start) {
  auto at = ahead_.find(start);
  return at == ahead_.end() ? nullptr : &at->second;
}

void feature_history::take_in(const kept_bar& x, const feature_needs& needs) {
  if (bars_.size() == 0) first_start_ = x.start;
  bars_.push_back(x);
  returns_.push_back(return_at(bars_.size() - 1));
  ++rows_;
  for (std::size_t k = 0; k < needs.periods.size(); ++k) strengths_.push_back({});
  follow(bars_.size() - 1, needs);
  trim(needs);
}

bool feature_history::reaches_back_to(std::size_t at) const {
  return at == 0 ? dropped_ == 0 && rows_ == bars_.size() : at > first_row();
}

void feature_history::replace(std::size_t at, const kept_bar& x, const feature_needs& needs) {
  bars_[at] = x;
  for (auto i = at; i < std::min(at + 2, bars_.size()); ++i) returns_[i] = return_at(i);
  follow(at, needs);
}

void feature_history::insert(std::size_t at, const kept_bar& x, const feature_needs& needs) {
  auto row = at - first_row();
  if (at == 0) first_start_ = x.start;
  bars_.insert(at, x);
  returns_.insert(at, 0);
  for (auto i = at; i < std::min(at + 2, bars_.size()); ++i) returns_[i] = return_at(i);
  ++rows_;
  for (std::size_t k = 0; k < needs.periods.size(); ++k) strengths_.insert(row * needs.periods.size(), {});
  follow(at, needs);
  trim(needs);
}

void feature_history::amend(const kept_bar& x, const feature_needs& needs) {
  auto at = find(x.start);
  auto is_known = bars_[at].start == x.start;
  if (reaches_back_to(at)) return is_known ? replace(at, x, needs) : insert(at, x, needs);
  if (at == 0 && !is_known && dropped_ != 0) return; // it lies before all that is kept
  if (is_known) {
    bars_[at] = x;
  } else {
    if (at == 0) first_start_ = x.start;
    bars_.insert(at, x);
    returns_.insert(at, 0);
  }
  for (auto i = at; i < std::min(at + 2, bars_.size()); ++i) returns_[i] = return_at(i);
  trim(needs);
}

// Against the bar before; of the oldest bar there is none.
double feature_history::return_at(std::size_t at) const {
  constexpr auto none = std::numeric_limits<double>::quiet_NaN();
  if (at == 0) return none;
  return log_return(as_double(bars_[at - 1].close), as_double(bars_[at].close)).value_or(none);
}

// The strengths from this bar on.
void feature_history::follow(std::size_t from, const feature_needs& needs) {
  auto width = needs.periods.size();
  for (auto at = from; at < bars_.size(); ++at) {
    auto row = (at - first_row()) * width;
    for (std::size_t k = 0; k < width; ++k)
      strengths_[row + k] = step(at == 0 ? nullptr : &strengths_[row - width + k], at, needs.periods[k]);
  }
}

strength feature_history::step(const strength* before, std::size_t at, std::uint32_t period) const {
  auto& x = bars_[at];
  if (before == nullptr) return {{}, x.start, x.revision};
  auto change = difference(bars_[at - 1].close, x.close);
  return {wilder_step(before->averages, change, period), before->since, std::max(before->revision, x.revision)};
}

// What no vector can need any more goes: the newest one needs its horizon and one bar before that, and so does the
// oldest that may still be revised. Strengths are kept for those and for the bar before them.
void feature_history::trim(const feature_needs& needs) {
  auto revisable = bars_.size() - find(newest().start - needs.revise_for);
  auto out_of_reach = newest().start - needs.horizon - needs.revise_for; // what starts before has ended by then
  std::size_t gone = 0;
  for (auto left = bars_.size(); left > 1; --left, ++gone) {
    auto needed = left <= revisable + needs.bars || bars_[gone + 1].start > out_of_reach;
    if (needed && left <= needs.max_bars) break;
  }
  if (gone != 0) {
    dropped_ += gone;
    newest_dropped_ = bars_[gone - 1].start;
    bars_.pop_front(gone);
    returns_.pop_front(gone);
  }
  auto rows = std::min({rows_, revisable + 1, bars_.size()});
  strengths_.pop_front((rows_ - rows) * needs.periods.size());
  rows_ = rows;
}

void feature_history::change(const feature_needs& before, const feature_needs& needs) {
  sliding<strength> old;
  std::swap(old, strengths_);
  auto width = needs.periods.size(), old_width = before.periods.size();
  for (std::size_t row = 0; row < rows_ * width; ++row) strengths_.push_back({});
  for (std::size_t k = 0; k < width; ++k) {
    auto old_index = before.index_of_period(needs.periods[k]);
    strength state;
    for (std::size_t at = 0; at < bars_.size(); ++at) {
      state = step(at == 0 ? nullptr : &state, at, needs.periods[k]);
      if (at < first_row()) continue;
      auto row = at - first_row();
      strengths_[row * width + k] = old_index < old_width ? old[row * old_width + old_index] : state;
    }
  }
  if (bars_.size() != 0) trim(needs);
}

void feature_history::save(byte_writer& out) const {
  out.number(dropped_);
  out.signed_number(newest_dropped_.ns);
  out.signed_number(first_start_.ns);
  out.number(bars_.size());
  for (auto& x : bars_) save_bar(out, x);
  out.number(rows_);
  for (auto& x : strengths_) {
    for (auto average : {x.averages.gain, x.averages.loss}) out.number(std::bit_cast<std::uint64_t>(average));
    out.number(x.averages.changes);
    out.signed_number(x.since.ns);
    out.number(x.revision);
  }
}

bool feature_history::load(byte_reader& in, const feature_needs& needs) {
  auto small = [&] { return static_cast<std::uint32_t>(in.number()); };
  dropped_ = in.number();
  newest_dropped_.ns = in.signed_number();
  first_start_.ns = in.signed_number();
  auto ascend = true;
  for (auto n = in.count(least_bar); n != 0; --n) {
    auto x = load_bar(in);
    ascend = ascend && is_reachable(x.start) && (bars_.size() == 0 || newest().start < x.start);
    bars_.push_back(x);
    returns_.push_back(return_at(bars_.size() - 1));
  }
  rows_ = in.number();
  if (!in.good() || !ascend || (rows_ == 0) != (bars_.size() == 0) || rows_ > bars_.size()) return false;
  auto sane = true;
  for (auto n = rows_ * needs.periods.size(); n != 0 && in.good(); --n) {
    strength x;
    for (auto* average : {&x.averages.gain, &x.averages.loss}) {
      *average = std::bit_cast<double>(in.number());
      sane = sane && std::isfinite(*average) && *average >= 0;
    }
    x.averages.changes = in.number();
    x.since.ns = in.signed_number();
    x.revision = small();
    strengths_.push_back(x);
  }
  return in.good() && sane;
}

void feature_history::save_ahead(byte_writer& out) const {
  out.number(ahead_.size());
  for (auto& [start, x] : ahead_) save_bar(out, x);
}

bool feature_history::load_ahead(byte_reader& in) {
  for (auto n = in.count(least_bar); n != 0 && in.good(); --n) {
    auto x = load_bar(in);
    if (!is_reachable(x.start) || (size() != 0 && x.start <= newest().start)) return false;
    ahead_[x.start] = x;
  }
  return in.good();
}

} // namespace finstream
