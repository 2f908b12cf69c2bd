#include "actors/lineage_log.hpp"

#include "actors/log_bases.hpp"
#include "actors/log_entries.hpp"
#include "messages/codec/event_codec.hpp"
#include "messages/codec/line_parser.hpp"
#include "messages/codec/msgpack.hpp"
#include "runtime/store/letter_store.hpp"

#include "actors/logic/feature_stage.hpp"

#include <algorithm>

namespace finstream {

namespace {

bool tells_rules(record_kind kind) { return kind == record_kind::start || kind == record_kind::rules; }

constexpr std::size_t read_bytes = 256u << 10;
constexpr std::uint64_t first_step_back = 4096; // offsets; each further step is twice as long
constexpr std::uint64_t most_ahead = 100'000;   // offsets: by then what was open when rules changed is closed

expected<logged_rules> rules_of(const stage_rules& saved, std::string found_in) {
  logged_rules out;
  out.found_in = std::move(found_in);
  auto bars = bar_rules::load(saved.bars);
  if (!bars) return tl::unexpected{bars.error()};
  out.bars = std::move(*bars);
  if (!saved.features.empty()) {
    auto features = feature_rules::load(saved.features);
    if (!features) return tl::unexpected{features.error()};
    out.features = std::move(*features);
  }
  if (!saved.signals.empty()) {
    auto signals = rule_book::load(saved.signals);
    if (!signals) return tl::unexpected{signals.error()};
    out.signals = std::move(*signals);
  }
  return out;
}

// A stage that has had no entry yet has no rules.
expected<std::optional<logged_rules>> rules_of(const stage_states& states, std::string found_in) {
  auto nothing = std::optional<logged_rules>{};
  if (states.window.empty()) return nothing;
  logged_rules out;
  out.found_in = std::move(found_in);
  auto window = bar_stage::load(states.window);
  if (!window) return tl::unexpected{window.error()};
  out.bars = window->rules();
  if (!states.features.empty()) {
    auto features = feature_stage::load(states.features);
    if (!features) return tl::unexpected{features.error()};
    out.features = features->rules();
  }
  if (!states.inference.empty()) {
    auto inference = rule_stage::load(states.inference);
    if (!inference) return tl::unexpected{inference.error()};
    out.signals = inference->book();
  }
  return std::optional{std::move(out)};
}

bool is_side_of_quote(const std::string& symbol) { return symbol.ends_with(".BID") || symbol.ends_with(".ASK"); }

} // namespace

const signal_rule* logged_rules::rule_of(std::uint64_t hash) const {
  if (!signals) return nullptr;
  auto at = std::find_if(signals->rules.begin(), signals->rules.end(), [&](auto& x) { return x.hash() == hash; });
  return at == signals->rules.end() ? nullptr : &*at;
}

const feature_window* logged_rules::window_of(const std::string& value) const {
  if (!features) return nullptr;
  auto belongs = [&](const feature_window& x) {
    return value == x.name || (x.kind == feature_kind::ohlcv && value.starts_with(x.name + "."));
  };
  auto at = std::find_if(features->windows.begin(), features->windows.end(), belongs);
  return at == features->windows.end() ? nullptr : &*at;
}

bool logged_rules::feeds(const std::string& provider, const std::string& name) const {
  for (auto& set : bars.sets) {
    auto has = std::find(set.providers.begin(), set.providers.end(), provider) != set.providers.end();
    if (set.name == name || has) return set.name == name && has;
  }
  return provider == name;
}

std::vector<std::uint16_t> lineage_log::partitions_of(const std::string& symbol) const {
  auto of = [&](std::string_view x) { return static_cast<std::uint16_t>(partition_of(x, partitions_)); };
  std::vector<std::uint16_t> out;
  if (is_side_of_quote(symbol)) out.push_back(of(std::string_view{symbol}.substr(0, symbol.size() - 4)));
  if (out.empty() || out.front() != of(symbol)) out.push_back(of(symbol));
  return out;
}

expected<bool> lineage_log::walk(std::uint16_t partition, std::uint64_t from, std::uint64_t to,
                                 const std::function<bool(const record&)>& visit) {
  auto range = log_.range(topic::events, partition);
  if (!range) return tl::unexpected{range.error()};
  auto aside = aside_of(partition);
  if (!aside) return tl::unexpected{aside.error()};
  for (auto offset = std::max(from, range->head); offset <= to && offset < range->next;) {
    if (left_ == 0) return false;
    auto records = log_.read(topic::events, partition, offset, read_bytes);
    if (!records) return tl::unexpected{records.error()};
    if (records->empty()) break;
    for (auto& x : *records) {
      left_ -= std::min(left_, x.payload.size() + sizeof(record));
      offset = x.next();
      if (x.offset > to) return true;
      auto from_stage = (*aside)->from(x.offset);
      if (from_stage == line_stage::window || (from_stage && tells_rules(x.kind))) continue;
      if (!visit(x)) return true;
    }
  }
  return true;
}

expected<const set_aside_records*> lineage_log::aside_of(std::uint16_t partition) {
  auto known = aside_.find(partition);
  if (known != aside_.end()) return &known->second;
  auto loaded = set_aside_records::load(log_, partition);
  if (!loaded) return tl::unexpected{loaded.error()};
  return &aside_.emplace(partition, std::move(*loaded)).first->second;
}

expected<logged_event> lineage_log::event_at(std::uint16_t partition, std::uint64_t offset) {
  auto name = "offset " + std::to_string(offset) + " of partition " + std::to_string(partition);
  if (partition >= partitions_)
    return fail(errc::not_found, "there is no partition " + std::to_string(partition) + ": the log has " +
                                   std::to_string(partitions_) + ", counted from 0");
  auto range = log_.range(topic::events, partition);
  if (!range) return tl::unexpected{range.error()};
  if (offset < range->head)
    return fail(errc::trimmed,
                name + " is trimmed: the log is kept from offset " + std::to_string(range->head) + " on");
  if (offset >= range->next)
    return fail(errc::not_found, name + " is not there yet: the log ends at " + std::to_string(range->next));
  auto records = log_.read(topic::events, partition, offset, 1);
  if (!records) return tl::unexpected{records.error()};
  if (records->empty()) return fail(errc::not_found, name + " cannot be found");
  auto& x = records->front();
  if (x.kind != record_kind::events && x.kind != record_kind::backfill)
    return fail(errc::not_found, name +
                                   (x.kind == record_kind::clock        ? " is the passing of time"
                                    : x.kind == record_kind::source     ? " is what became of a source"
                                    : x.kind == record_kind::healed     ? " is what a backfill healed"
                                    : x.kind == record_kind::taken_over ? " is windows that a backfill took over"
                                                                        : " is a start of the node") +
                                   ", and no event: try one beside it");
  auto batch = decode_events(x.payload);
  auto aside = aside_of(partition);
  if (!aside) return tl::unexpected{aside.error()};
  if (!batch && (*aside)->is_unseen(x.offset))
    return fail(errc::not_found, name + " is in a record that cannot be read and was set aside: `finstream dlq list "
                                        "--code poison` shows it");
  if (!batch) return tl::unexpected{batch.error()};
  auto row = static_cast<std::size_t>(offset - x.offset);
  if (row >= (*batch)->rows.size()) return fail(errc::corrupt_record, name + ": its head and its rows disagree");
  return logged_event{partition, offset, x.log_ts, std::move(*batch), row};
}

// What an entry's step rejects is written with that entry's time.
expected<std::optional<std::string>> lineage_log::rejection_of(const logged_event& x) {
  auto nothing = std::optional<std::string>{};
  auto aside = aside_of(x.partition);
  if (!aside) return tl::unexpected{aside.error()};
  if ((*aside)->is_unseen(x.offset - x.row))
    return std::optional<std::string>{"its record crashed the window and was set aside: `finstream dlq list --code "
                                      "poison` shows it"};
  auto offset = log_.offset_at(topic::rejected, x.partition, x.log_ts);
  if (!offset) return tl::unexpected{offset.error()};
  auto range = log_.range(topic::rejected, x.partition);
  if (!range) return tl::unexpected{range.error()};
  for (auto at = std::max(*offset, range->head); at < range->next && left_ != 0;) {
    auto records = log_.read(topic::rejected, x.partition, at, read_bytes);
    if (!records) return tl::unexpected{records.error()};
    if (records->empty()) break;
    for (auto& r : *records) {
      left_ -= std::min(left_, r.payload.size() + sizeof(record));
      at = r.next();
      if (r.log_ts > x.log_ts) return nothing;
      auto letter = read_letter(topic::rejected, x.partition, r);
      if (!letter) return tl::unexpected{letter.error()};
      if (letter->what.cause_offset == x.offset) return std::optional{std::move(letter->what.reason)};
    }
  }
  return nothing;
}

// A record of lines has the time of its events, and stands in their order.
expected<void> lineage_log::add_lines(std::uint16_t partition, std::vector<logged_event>& events) {
  if (events.empty()) return {};
  auto range = log_.range(topic::raw, partition);
  auto begin = log_.offset_at(topic::raw, partition, events.front().log_ts);
  if (!range || !begin) return tl::unexpected{range ? begin.error() : range.error()};
  auto next = events.begin();
  for (auto at = std::max(*begin, range->head); at < range->next && left_ != 0;) {
    auto records = log_.read(topic::raw, partition, at, read_bytes);
    if (!records) return tl::unexpected{records.error()};
    if (records->empty()) break;
    for (auto& r : *records) {
      left_ -= std::min(left_, r.payload.size() + sizeof(record));
      at = r.next();
      if (r.log_ts > events.back().log_ts) return {};
      auto lines = decode_lines(r.payload);
      if (!lines) return tl::unexpected{lines.error()};
      std::size_t line_begin = 0;
      for (std::size_t i = 0; i < lines->lengths.size(); line_begin += lines->lengths[i++]) {
        while (next != events.end() && next->offset < lines->first_offset + i) ++next;
        if (next == events.end()) return {};
        if (next->offset == lines->first_offset + i) next->raw = lines->bytes.substr(line_begin, lines->lengths[i]);
      }
    }
  }
  return {};
}

expected<std::optional<logged_rules>> lineage_log::rules_at(std::uint16_t partition, std::uint64_t offset) {
  auto nothing = std::optional<logged_rules>{};
  auto range = log_.range(topic::events, partition);
  if (!range) return tl::unexpected{range.error()};
  std::optional<record> found;
  auto to = std::min(offset + 1, range->next);
  for (auto step = first_step_back; to > range->head && !found; step *= 2) {
    auto from = to - std::min(step, to - range->head);
    auto walked = walk(partition, from, to - 1, [&](const record& x) {
      if (tells_rules(x.kind)) found = x;
      return true;
    });
    if (!walked) return tl::unexpected{walked.error()};
    if (!*walked) return nothing;
    to = from;
  }
  if (found) {
    auto saved = stage_rules_from_msgpack(found->payload);
    if (!saved) return tl::unexpected{saved.error()};
    return rules_of(*saved, "the rules told at offset " + std::to_string(found->offset)).map([](logged_rules x) {
      return std::optional{std::move(x)};
    });
  }
  auto base = load_base(log_, partition, range->head);
  if (!base) return nothing; // nothing was trimmed, or not at a base: the caller says that the rules are not found
  return rules_of(base->second, "the checkpoint at offset " + std::to_string(range->head) + ", where the log begins");
}

expected<std::optional<logged_rules>> lineage_log::rules_ahead(std::uint16_t partition, std::uint64_t offset,
                                                               std::uint64_t rule) {
  std::optional<logged_rules> found;
  expected<void> outcome;
  auto walked = walk(partition, offset, offset + most_ahead, [&](const record& x) {
    if (!tells_rules(x.kind)) return true;
    auto saved = stage_rules_from_msgpack(x.payload);
    if (!saved) return outcome = tl::unexpected{saved.error()}, false;
    auto rules = rules_of(*saved, "the rules told at offset " + std::to_string(x.offset));
    if (!rules) return outcome = tl::unexpected{rules.error()}, false;
    if (rules->rule_of(rule) == nullptr) return true;
    return found = std::move(*rules), false;
  });
  if (!walked) return tl::unexpected{walked.error()};
  if (!outcome) return tl::unexpected{outcome.error()};
  return found;
}

expected<std::optional<logged_answer>> lineage_log::answer_behind(std::uint16_t partition, const signal& x) {
  std::optional<logged_answer> found;
  expected<void> outcome;
  auto walked = walk(partition, x.last_offset, x.last_offset + most_ahead, [&](const record& entry) {
    if (entry.kind != record_kind::answers) return true;
    auto said = answers_from_msgpack(entry.payload);
    if (!said) return outcome = tl::unexpected{said.error()}, false;
    auto is_its = [&](const answer_row& row) {
      return row.provider == x.provider && row.symbol == x.symbol && row.end == x.ts;
    };
    if (said->model != x.adapter || said->maker != x.maker ||
        std::none_of(said->rows.begin(), said->rows.end(), is_its))
      return true;
    said->rows.clear();
    return found = logged_answer{entry.offset, std::move(*said)}, false;
  });
  if (!walked) return tl::unexpected{walked.error()};
  if (!outcome) return tl::unexpected{outcome.error()};
  return found;
}

expected<std::optional<logged_rules>> lineage_log::newest_rules(std::uint16_t partition) {
  auto saved = log_.get(stage_table, snapshot_key(partition));
  if (!saved) return tl::unexpected{saved.error()};
  if (!*saved) return std::optional<logged_rules>{};
  auto [offset, states] = unpack_snapshot(**saved);
  return rules_of(states, "the checkpoint at offset " + std::to_string(offset));
}

} // namespace finstream
