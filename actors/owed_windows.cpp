#include "actors/owed_windows.hpp"

#include "messages/value/bytes.hpp"

#include <fmt/format.h>

namespace finstream {

namespace {

std::string lead(std::uint16_t partition) { return fmt::format("owed/{:03}/", partition); }

std::string owed_key(std::uint16_t partition, const window_name& x) {
  std::string out = lead(partition);
  byte_writer rest{out};
  rest.signed_number(x.start.ns), rest.signed_number(x.interval);
  rest.text(x.provider), rest.text(x.symbol);
  return out;
}

} // namespace

std::pair<std::string, std::optional<std::string>> owed_write(std::uint16_t partition, const window_name& which) {
  std::string value;
  byte_writer{value}.number(0);
  return {owed_key(partition, which), std::move(value)};
}

std::pair<std::string, std::optional<std::string>> owed_delete(std::uint16_t partition, const window_name& which) {
  return {owed_key(partition, which), std::nullopt};
}

expected<owed_windows> load_owed(const bus& log, std::uint16_t partition) {
  owed_windows out;
  auto first = lead(partition), last = first;
  last.back() = static_cast<char>(last.back() + 1); // any byte may follow the lead
  auto readable = true;
  auto scanned = log.scan(owed_table, first, last, [&](std::string_view key, std::string_view value) {
    byte_reader name{key.substr(first.size())}, rest{value};
    window_name x;
    x.start.ns = name.signed_number(), x.interval = name.signed_number();
    x.provider = name.text(), x.symbol = name.text();
    rest.number(); // in earlier versions its revision
    readable = name.done() && rest.done();
    out.emplace(std::move(x), owed_window{});
    return readable;
  });
  if (!scanned) return tl::unexpected{scanned.error()};
  if (!readable) return fail(errc::corrupt_record, "which windows a backfill has yet to heal cannot be read");
  return out;
}

} // namespace finstream
