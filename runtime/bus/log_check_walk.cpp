// What the files of a log hold, record by record. A walk goes on behind what cannot be read: offsets grow, so the first
// record behind it is found by seeking ahead in larger and larger steps and then back.
#include "runtime/bus/embedded_bus.hpp"
#include "runtime/bus/log_checker.hpp"
#include "runtime/bus/rules.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

namespace finstream {

namespace {

rocksdb::ReadOptions reading_once() {
  rocksdb::ReadOptions out;
  out.fill_cache = false;
  out.readahead_size = 2u << 20;
  return out;
}

std::string span_of(const std::string& place, std::uint64_t first, std::uint64_t end) {
  return end > first + 1 && end != std::numeric_limits<std::uint64_t>::max()
           ? fmt::format("{} at {} to {}", place, first, end - 1)
           : fmt::format("{} at {}", place, first);
}

// Of a refusal by the codec: why, without the position that is said before it and without what to do.
std::string reason_of(const failure& x) {
  auto begin = x.message.find(": "), end = x.message.rfind("; ");
  if (begin == std::string::npos) return x.message;
  return x.message.substr(begin + 2, end == std::string::npos || end < begin ? end : end - begin - 2);
}

} // namespace

log_damage log_checker::damage_of(log_damage::kind is, const lane& in, std::uint64_t first, std::uint64_t end,
                                  std::string why) const {
  log_damage out;
  out.is = is;
  out.where = span_of(place(in.where, in.partition), first, end);
  out.why = std::move(why);
  out.of = in.where;
  out.first = first;
  out.end = end;
  return out;
}

void log_checker::read_marker() {
  std::string format, epoch;
  auto status = db_->Get({}, meta_, "format", &format);
  if (status.ok()) status = db_->Get({}, meta_, "epoch", &epoch);
  if (status.ok() && format.size() == 8 && epoch.size() == 8)
    epoch_ = record_codec::get_big_endian(epoch.data(), 8);
  else if (!lanes_.empty())
    add(damage_of_file(log_damage::kind::marker, "the log's marker", "",
                       status.ok() ? "it has not the bytes of one" : status.ToString()));
}

void log_checker::read_heads() {
  if (!epoch_) return; // then the markers cannot be read either, and that is said
  for (auto& [where, x] : lanes_) {
    std::string kept;
    auto status = db_->Get({}, meta_, lane_key(x.where, x.partition), &kept);
    if (status.IsNotFound()) continue;
    if (status.ok() && kept.size() == 16)
      x.head = record_codec::get_big_endian(kept.data(), 8);
    else
      add(damage_of(log_damage::kind::marker, x, 0, 0,
                    "the marker of its head cannot be read: " + (status.ok() ? "its length" : status.ToString())));
  }
}

// ---- records

struct log_checker::walk {
  walk(rocksdb::DB& db, const lane& in) : from{db}, of{in} { seek(in.head); }

  // An iterator that has met damage may go on to say so wherever it is sent.
  void seek(std::uint64_t offset) {
    at.reset(from.NewIterator(reading_once(), of.family));
    at->Seek(slice(record_codec::encode_key(of.where, of.partition, offset)));
  }
  bool is_readable(std::uint64_t offset) {
    seek(offset);
    return at->status().ok();
  }
  // Stands at the first record from `offset` on that can be read, or at the end. False: there is none.
  bool seek_behind(std::uint64_t offset) {
    auto bad = offset;
    std::uint64_t step = 1;
    for (; !is_readable(bad + step); step *= 2) {
      bad += step;
      if (step > std::numeric_limits<std::uint64_t>::max() / 4 - bad) return false;
    }
    auto good = bad + step;
    while (bad + 1 < good) {
      auto middle = bad + (good - bad) / 2;
      (is_readable(middle) ? good : bad) = middle;
    }
    seek(good);
    return true;
  }

  rocksdb::DB& from;
  const lane& of;
  std::unique_ptr<rocksdb::Iterator> at;
};

void log_checker::check_records(const record_judge& sound) {
  for (auto& [where, x] : lanes_) check_records(x, sound);
  counts_.lanes = lanes_.size();
}

void log_checker::check_records(lane& in, const record_judge& sound) {
  in.next = in.head;
  in.last = earliest;
  walk w{*db_, in};
  std::optional<log_damage> bad; // where nothing whole has been met since; ends at the next whole record
  auto note = [&](log_damage::kind is, std::uint64_t first, std::string why) {
    if (bad) return;
    bad = damage_of(is, in, first, first, std::move(why));
    bad->after = in.last;
  };
  for (;;) {
    if (!w.at->Valid()) {
      if (w.at->status().ok()) break;
      note(log_damage::kind::record, in.next, w.at->status().ToString());
      if (!w.seek_behind(in.next)) break;
      continue;
    }
    auto found = record_codec::decode(view(w.at->key()), view(w.at->value()));
    if (!found) {
      auto key = view(w.at->key());
      auto offset = key.size() == record_codec::key_bytes ? record_codec::get_big_endian(key.data() + 4, 8) : in.next;
      note(log_damage::kind::record, offset, reason_of(found.error()));
      w.at->Next();
      continue;
    }
    if (found->offset != in.next && !bad)
      note(log_damage::kind::hole, std::min(in.next, found->offset),
           found->offset > in.next ? "nothing is there"
                                   : fmt::format("it overlaps what comes before it, which ends at {}", in.next));
    if (bad) {
      bad->end = found->offset;
      bad->where = span_of(place(in.where, in.partition), bad->first, bad->end);
      bad->before = found->log_ts;
      add(*std::exchange(bad, std::nullopt));
    }
    if (found->log_ts < in.last)
      add(damage_of(log_damage::kind::time, in, found->offset, found->next(),
                    fmt::format("its log_ts {} is before that of the record before it, {}", to_string(found->log_ts),
                                to_string(in.last))));
    if (auto judged = sound(in.where, in.partition, found->copy()); !judged)
      add(damage_of(log_damage::kind::record, in, found->offset, found->next(), judged.error().message));
    ++counts_.records;
    counts_.events += in.where == topic::events && found->kind == record_kind::events ? found->count : 0;
    counts_.record_bytes += found->payload.size();
    in.next = found->next();
    in.last = found->log_ts;
    w.at->Next();
  }
  if (!bad) return;
  // One record at the very end that is not what was written: the next node cuts it.
  if (bad->is == log_damage::kind::record && w.at->status().ok() && !has(log_damage::kind::write_ahead_log))
    bad->is = log_damage::kind::tail;
  in.end_is_known = bad->is == log_damage::kind::tail;
  bad->end = std::numeric_limits<std::uint64_t>::max();
  add(std::move(*bad));
}

// ---- rows

void log_checker::check_rows(const row_judge& sound) {
  if (tables_ == nullptr) return;
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(reading_once(), tables_)};
  std::string last; // the last key that could be read
  auto refuse = [&](std::string_view table, std::string why) {
    log_damage out;
    out.is = log_damage::kind::row;
    out.where = fmt::format("table {}", table.empty() ? "(all)" : table);
    out.why = std::move(why);
    out.is_of_tables = true;
    add(std::move(out));
  };
  at->SeekToFirst();
  for (;;) {
    if (!at->Valid()) {
      if (at->status().ok()) return;
      auto table = last.substr(0, last.find('\0'));
      refuse(table, "rows cannot be read from some key on: " + at->status().ToString());
      if (table.empty()) return;
      last = table + '\1'; // goes on with the next table
      at.reset(db_->NewIterator(reading_once(), tables_));
      at->Seek(last);
      if (!at->Valid() && !at->status().ok()) return;
      continue;
    }
    auto key = view(at->key());
    last = std::string{key};
    auto zero = key.find('\0');
    ++counts_.rows;
    if (zero == std::string_view::npos)
      refuse("(none)", "a row belongs to no table");
    else if (auto judged = sound(key.substr(0, zero), key.substr(zero + 1), view(at->value())); !judged)
      refuse(key.substr(0, zero), judged.error().message);
    at->Next();
  }
}

// ---- positions

log_range log_checker::range(topic where, std::uint16_t partition) const {
  auto at = lanes_.find({where, partition});
  return at == lanes_.end() ? log_range{} : log_range{at->second.head, at->second.next};
}

void log_checker::check_positions() {
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator({}, meta_)};
  constexpr std::string_view prefix = "group/";
  auto refuse = [&](std::string where, std::string why) {
    add(damage_of_file(log_damage::kind::group, std::move(where), "", std::move(why)));
  };
  for (at->Seek(slice(prefix)); at->Valid() && at->key().starts_with(slice(prefix)); at->Next()) {
    ++counts_.groups;
    auto key = view(at->key());
    if (key.size() <= prefix.size() + 4 || at->value().size() != 8) {
      refuse("a consumer group", "its position has not the bytes of one");
      continue;
    }
    auto where = static_cast<topic>(record_codec::get_big_endian(key.data() + prefix.size(), 2));
    auto partition = static_cast<std::uint16_t>(record_codec::get_big_endian(key.data() + prefix.size() + 2, 2));
    auto offset = record_codec::get_big_endian(at->value().data(), 8);
    auto in = lanes_.find({where, partition});
    auto next = in == lanes_.end() ? 0 : in->second.next;
    if (offset > next && (in == lanes_.end() || in->second.end_is_known))
      refuse(fmt::format("group {} of {}", key.substr(prefix.size() + 4), place(where, partition)),
             fmt::format("it is at {}, past the end, which is {}", offset, next));
  }
  if (!at->status().ok())
    add(damage_of_file(log_damage::kind::marker, "the consumer groups", "", at->status().ToString()));
  check_witness();
}

void log_checker::check_witness() {
  if (!epoch_) return;
  auto testimony = witness::hear(directory_, *epoch_);
  if (!testimony.silence.empty()) add(damage_of_file(log_damage::kind::witness, "witness", "", testimony.silence));
  for (const auto& x : testimony.promises) {
    auto at = lanes_.find({x.where, x.partition});
    lane none;
    none.where = x.where, none.partition = x.partition;
    auto& in = at == lanes_.end() ? none : at->second;
    if (x.next <= in.next || !in.end_is_known) continue;
    // Behind damage it is not the tail that is missing, and cutting the log there would lose what may still be saved.
    auto is = has(log_damage::kind::write_ahead_log) ? log_damage::kind::hole : log_damage::kind::tail;
    auto lost = damage_of(is, in, in.next, x.next,
                          fmt::format("the topic ends at {}, but {} was acknowledged at level {}", in.next, x.next,
                                      to_string(testimony.level)));
    lost.after = in.last;
    add(std::move(lost));
  }
}

} // namespace finstream
