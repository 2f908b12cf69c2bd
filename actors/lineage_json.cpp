#include "actors/lineage_json.hpp"

#include "messages/codec/json.hpp"

#include <fmt/core.h>

namespace finstream {

namespace {

template <class List, class Write> void append_list(std::string& out, const char* name, const List& xs, Write write) {
  out += fmt::format(",\"{}\":[", name);
  for (auto& x : xs) {
    if (&x != &*xs.begin()) out += ",\n";
    write(x);
  }
  out += ']';
}

void append_text(std::string& out, const char* name, const std::string& text) {
  out += fmt::format(",\"{}\":", name);
  append_json_string(out, text);
}

void append_notes(std::string& out, bool truncated, const std::vector<std::string>& notes) {
  out += fmt::format(",\"truncated\":{}", truncated);
  append_list(out, "notes", notes, [&](auto& x) { append_json_string(out, x); });
}

// The line's bytes are in the log where its feed had `raw: all`.
void append_event(std::string& out, const logged_event& x, std::uint64_t epoch) {
  out += fmt::format("{{\"partition\":{},\"offset\":{},\"feed\":", x.partition, x.offset);
  append_json_string(out, x.batch->feed);
  out += ",\"log_ts\":";
  append_json_timestamp(out, x.log_ts);
  out += ",\"event\":";
  append_tick_json(out, *x.batch, x.what(), position_text(epoch, x.partition, x.offset));
  out += ",\"raw\":";
  x.raw ? append_json_string(out, *x.raw) : void(out += "null");
  out += '}';
}

void append_bar(std::string& out, const bar_lineage& x, std::uint64_t epoch) {
  out += "\"key\":";
  append_json_string(out, to_string(name_of(x.what)));
  out += fmt::format(",\"partition\":{},\"bar\":", x.partition);
  append_bar_json(out, x.what, "");
  out += fmt::format(",\"complete\":{}", x.missing.empty());
  append_text(out, "missing", x.missing);
  append_list(out, "events", x.events, [&](auto& event) { append_event(out, event, epoch); });
}

void append_rule(std::string& out, const rule_lineage& x) {
  out += "{\"name\":";
  append_json_string(out, x.rule.name);
  append_text(out, "rule_hash", fmt::format("{:016x}", x.rule.hash()));
  append_text(out, "condition", x.rule.condition);
  out += ",\"signal\":";
  append_json_double(out, x.rule.signal);
  out += ",\"score\":";
  append_json_double(out, x.rule.score);
  append_text(out, "emit", x.rule.emit == emit_when::edge ? "edge" : "level");
  append_text(out, "cooldown", span_to_string(x.rule.cooldown));
  append_list(out, "symbols", x.rule.symbols, [&](auto& symbol) { append_json_string(out, symbol); });
  out += ",\"uses\":{";
  for (auto& [name, value] : x.names) {
    if (out.back() != '{') out += ',';
    append_json_string(out, name);
    out += ':';
    append_json_string(out, value == bar_close ? "close" : value);
  }
  out += '}';
  append_text(out, "found_in", x.found_in);
  out += '}';
}

void append_model(std::string& out, const logged_answer& x) {
  out += "{\"name\":";
  append_json_string(out, x.said.model);
  append_text(out, "kind", x.said.kind);
  append_text(out, "model_hash", fmt::format("{:016x}", x.said.maker));
  out += ",\"threshold\":";
  append_json_double(out, x.said.threshold);
  append_text(out, "emit", x.said.level ? "level" : "edge");
  append_text(out, "cooldown", span_to_string(x.said.cooldown));
  append_text(out, "found_in", fmt::format("the answer at offset {}", x.offset));
  out += '}';
}

} // namespace

void append_lineage_json(std::string& out, const signal_lineage& x, std::uint64_t epoch) {
  out += "{\"type\":\"lineage\",\"of\":\"signal\",\"signal\":";
  append_signal_json(out, x.what, "");
  out += fmt::format(",\"partition\":{},\"rule\":", x.partition);
  x.rule ? append_rule(out, *x.rule) : void(out += "null");
  out += ",\"model\":";
  x.model ? append_model(out, *x.model) : void(out += "null");
  out += ",\"features\":";
  x.features ? append_features_json(out, *x.features, "") : void(out += "null");
  append_list(out, "bars", x.bars, [&](auto& one) {
    out += fmt::format("{{\"compared_with\":{},", one.is_compared);
    append_bar(out, one, epoch);
    out += '}';
  });
  append_notes(out, x.truncated, x.notes);
  out += '}';
}

void append_lineage_json(std::string& out, const bar_lineage& x, std::uint64_t epoch) {
  out += "{\"type\":\"lineage\",\"of\":\"bar\",";
  append_bar(out, x, epoch);
  out += '}';
}

void append_lineage_json(std::string& out, const event_lineage& x, std::uint64_t epoch) {
  out += "{\"type\":\"lineage\",\"of\":\"event\",\"event\":";
  append_event(out, x.what, epoch);
  if (x.rejected.empty())
    out += ",\"rejected\":null";
  else
    append_text(out, "rejected", x.rejected);
  append_list(out, "bars", x.bars, [&](auto& one) { append_bar_json(out, one, ""); });
  append_list(out, "features", x.vectors, [&](auto& one) { append_features_json(out, one, ""); });
  append_list(out, "signals", x.signals, [&](auto& one) { append_signal_json(out, one, ""); });
  append_notes(out, x.truncated, x.notes);
  out += '}';
}

} // namespace finstream
