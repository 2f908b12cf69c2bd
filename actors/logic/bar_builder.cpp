#include "actors/logic/bar_builder.hpp"

#include <algorithm>

namespace finstream {

bool bar_builder::add(const contribution& x) {
  notional sum;
  if (!checked_add(traded, multiply(x.close, x.volume), sum)) return false;
  traded = sum;
  volume += x.volume.units;
  if (trades++ == 0) {
    open = x.open, high = x.high, low = x.low, close = x.close;
    first = last = x.order;
    first_offset = last_offset = x.order.offset;
    return true;
  }
  if (last < x.order) last = x.order, close = x.close;
  if (x.order < first) first = x.order, open = x.open;
  high = std::max(high, x.high);
  low = std::min(low, x.low);
  first_offset = std::min(first_offset, x.order.offset);
  last_offset = std::max(last_offset, x.order.offset);
  return true;
}

void bar_builder::merge(const bar_builder& x) {
  if (trades == 0) {
    auto mine = start;
    *this = x;
    start = mine;
    return;
  }
  notional sum;
  overflowed = overflowed || x.overflowed || !checked_add(traded, x.traded, sum);
  traded = sum;
  volume += x.volume;
  trades += x.trades;
  if (x.first < first) first = x.first, open = x.open;
  if (last < x.last) last = x.last, close = x.close;
  high = std::max(high, x.high);
  low = std::min(low, x.low);
  first_offset = std::min(first_offset, x.first_offset);
  last_offset = std::max(last_offset, x.last_offset);
}

namespace {

void save_order(byte_writer& out, const event_order& x) {
  out.signed_number(x.src_ts);
  out.number(x.rank);
  out.signed_number(x.seq);
  out.number(x.offset);
}

event_order load_order(byte_reader& in) {
  event_order x;
  x.src_ts = in.signed_number();
  x.rank = static_cast<std::uint32_t>(in.number());
  x.seq = in.signed_number();
  x.offset = in.number();
  return x;
}

} // namespace

void bar_builder::save(byte_writer& out) const {
  out.signed_number(start);
  for (auto x : {open, high, low, close}) out.signed_number(x.units);
  out.wide_number(volume);
  out.wide_number(traded.units);
  out.number(trades);
  save_order(out, first);
  save_order(out, last);
  out.number(first_offset);
  out.number(last_offset);
  out.number(overflowed ? 1 : 0);
}

void bar_builder::load(byte_reader& in) {
  start = in.signed_number();
  for (auto* x : {&open, &high, &low, &close}) x->units = in.signed_number();
  volume = in.wide_number();
  traded.units = in.wide_number();
  trades = in.number();
  first = load_order(in);
  last = load_order(in);
  first_offset = in.number();
  last_offset = in.number();
  overflowed = in.number() != 0;
}

} // namespace finstream
