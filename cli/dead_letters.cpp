// finstream dead-letters: what could not be used, with the reason and the bytes, beside a running node or without one.
#include "cli/commands.hpp"

#include "messages/codec/json.hpp"
#include "messages/codec/msgpack.hpp"
#include "messages/value/excerpt.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <deque>
#include <fmt/core.h>
#include <memory>

namespace finstream {

namespace {

constexpr std::size_t read_bytes = 4u << 20;

struct options {
  std::string config, feed, format = "table";
  std::uint64_t limit = 20;
};

struct found_letter {
  topic where;
  std::uint16_t partition;
  std::uint64_t offset;
  dead_letter letter;
};

// The newest `limit` of one topic and partition; 0: all.
expected<void> collect(const bus& log, topic where, std::uint16_t partition, const options& o,
                       std::vector<found_letter>& out) {
  auto range = log.range(where, partition);
  if (!range) return tl::unexpected{range.error()};
  std::deque<found_letter> newest;
  for (auto offset = range->head; offset < range->next;) {
    auto records = log.read(where, partition, offset, read_bytes);
    if (!records) return tl::unexpected{records.error()};
    if (records->empty()) break;
    for (auto& r : *records) {
      offset = r.next();
      auto letter = dead_letter_from_msgpack(r.payload);
      if (!letter) return tl::unexpected{letter.error()};
      if (!o.feed.empty() && letter->feed != o.feed) continue;
      newest.push_back({where, partition, r.offset, std::move(*letter)});
      if (o.limit != 0 && newest.size() > o.limit) newest.pop_front();
    }
  }
  std::move(newest.begin(), newest.end(), std::back_inserter(out));
  return {};
}

// Bytes of strangers: what is no printable ASCII is shown as such, so that they cannot play with the terminal.
std::string printable(std::string_view bytes) {
  std::string out;
  for (unsigned char c : bytes)
    out += c >= 0x20 && c < 0x7F ? std::string(1, static_cast<char>(c)) : fmt::format("\\x{:02x}", c);
  return out;
}

void print(const found_letter& x, bool as_json) {
  auto& letter = x.letter;
  if (!as_json) {
    fmt::print("{:<28} {:<12} {:<16} {}\n    {}\n", to_string(letter.seen_ts), letter.feed, to_string(letter.code),
               printable(letter.reason), printable(cut_text(letter.bytes, 200)));
    return;
  }
  std::string line = "{\"seen_ts\":";
  append_json_timestamp(line, letter.seen_ts);
  line += ",\"feed\":";
  append_json_string(line, letter.feed);
  line += fmt::format(R"(,"code":{},"name":"{}","topic":"{}","partition":{},"offset":{},"reason":)",
                      static_cast<int>(letter.code), to_string(letter.code), to_string(x.where), x.partition, x.offset);
  append_json_string(line, letter.reason);
  line += fmt::format(R"(,"line_number":{},"byte_offset":{},"bytes":)", letter.line_number, letter.byte_offset);
  append_json_string(line, printable(letter.bytes));
  fmt::print("{}}}\n", line);
}

int show(const options& o) {
  auto config = settings_from(o.config);
  if (!config) return report(config.error());
  auto log = open_for_reading(*config);
  if (!log) return report(log.error());
  std::vector<found_letter> all;
  for (int p = 0; p < config->partitions; ++p)
    for (auto where : {topic::dead_letters, topic::rejected})
      if (auto done = collect(**log, where, static_cast<std::uint16_t>(p), o, all); !done) return report(done.error());
  std::stable_sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.letter.seen_ts < b.letter.seen_ts; });
  auto first = o.limit != 0 && all.size() > o.limit ? all.size() - o.limit : 0;
  for (auto i = first; i < all.size(); ++i) print(all[i], o.format == "json");
  if (all.empty())
    fmt::print(stderr, "finstream: no dead letters{} in {}\n", o.feed.empty() ? "" : " of feed " + o.feed,
               config->data_directory);
  return 0;
}

} // namespace

void add_dead_letters(CLI::App& app, chosen_command& chosen) {
  auto o = std::make_shared<options>();
  auto* verb = app.add_subcommand("dead-letters", "Print what could not be used: bad lines of feeds, and late events");
  add_config_option(*verb, o->config);
  verb->add_option("--feed", o->feed, "Those of this feed only")->type_name("NAME");
  verb->add_option("-n,--limit", o->limit, "The newest so many; 0 = all that are kept")
    ->check(CLI::Range(std::uint64_t{0}, most_rows))
    ->capture_default_str();
  verb->add_option("-f,--format", o->format, "table, or json (an object a line)")
    ->check(CLI::IsMember({"table", "json"}))
    ->capture_default_str();
  verb->footer("Bytes that are not printable ASCII are shown as \\xHH.\n"
               "Example:\n  finstream dead-letters --config config/demo.yaml --feed synthetic");
  verb->callback([o, &chosen] { chosen = [o] { return show(*o); }; });
}

} // namespace finstream
