#include "runtime/bus/journal.hpp"

#include "runtime/bus/record_codec.hpp"
#include "runtime/bus/rules.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <msgpack.hpp>
#include <span>
#include <zstd.h>

namespace finstream {

namespace {

constexpr std::uint8_t block_version = 1;
constexpr std::uint8_t compressed_flag = 1, more_follows_flag = 2;
constexpr std::size_t header_bytes = 14; // version, flags, epoch, events
constexpr std::size_t most_transaction_bytes = std::size_t{1} << 30;
constexpr int compression_level = 1; // records are packed already: what more costs is not worth what it saves
constexpr std::string_view void_type = "void";

tl::unexpected<failure> damaged(std::string_view why) {
  return fail(errc::corrupt_record,
              fmt::format("an entry of the journal: {}; it is not what FinStream has published", why));
}

struct string_sink {
  std::string& out;
  void write(const char* bytes, std::size_t size) { out.append(bytes, size); }
};
using sink_packer = msgpack::packer<string_sink>;

void pack_bytes(sink_packer& to, std::string_view bytes) {
  to.pack_bin(static_cast<std::uint32_t>(bytes.size()));
  to.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
}

std::string pack(const transaction& tx) {
  std::string out;
  string_sink sink{out};
  sink_packer to{sink};
  to.pack_array(3);
  to.pack_array(static_cast<std::uint32_t>(tx.appends.size()));
  for (auto& x : tx.appends) {
    to.pack_array(6);
    to.pack(static_cast<std::uint16_t>(x.where)).pack(x.partition).pack(static_cast<std::uint8_t>(x.kind));
    to.pack(x.count).pack(x.log_ts.ns);
    pack_bytes(to, x.payload);
  }
  to.pack_array(static_cast<std::uint32_t>(tx.writes.size()));
  for (auto& x : tx.writes) {
    to.pack_array(3).pack(x.table);
    pack_bytes(to, x.key);
    x.value ? pack_bytes(to, *x.value) : void(to.pack_nil());
  }
  to.pack_array(static_cast<std::uint32_t>(tx.commits.size()));
  for (auto& x : tx.commits)
    to.pack_array(4).pack(x.group).pack(static_cast<std::uint16_t>(x.where)).pack(x.partition).pack(x.offset);
  return out;
}

// An array of exactly so many, or nothing.
std::span<const msgpack::object> array_of(const msgpack::object& from, std::size_t size) {
  if (from.type != msgpack::type::ARRAY || from.via.array.size != size) throw msgpack::type_error{};
  return {from.via.array.ptr, from.via.array.size};
}
std::span<const msgpack::object> array_of(const msgpack::object& from) {
  if (from.type != msgpack::type::ARRAY) throw msgpack::type_error{};
  return {from.via.array.ptr, from.via.array.size};
}
std::string bytes_of(const msgpack::object& from) {
  if (from.type != msgpack::type::BIN) throw msgpack::type_error{};
  return {from.via.bin.ptr, from.via.bin.size};
}

transaction unpack(const msgpack::object& from) {
  transaction tx;
  auto parts = array_of(from, 3);
  for (auto& x : array_of(parts[0])) {
    auto f = array_of(x, 6);
    tx.appends.push_back({static_cast<topic>(f[0].as<std::uint16_t>()), f[1].as<std::uint16_t>(),
                          static_cast<record_kind>(f[2].as<std::uint8_t>()), f[3].as<std::uint32_t>(),
                          timestamp{f[4].as<std::int64_t>()}, bytes_of(f[5])});
  }
  for (auto& x : array_of(parts[1])) {
    auto f = array_of(x, 3);
    auto& to = tx.writes.emplace_back(table_write{f[0].as<std::string>(), bytes_of(f[1]), std::nullopt});
    if (!f[2].is_nil()) to.value = bytes_of(f[2]);
  }
  for (auto& x : array_of(parts[2])) {
    auto f = array_of(x, 4);
    tx.commits.push_back({f[0].as<std::string>(), static_cast<topic>(f[1].as<std::uint16_t>()),
                          f[2].as<std::uint16_t>(), f[3].as<std::uint64_t>()});
  }
  return tx;
}

expected<transaction> unpack(std::string_view bytes) {
  try {
    std::size_t end = 0;
    auto parsed = msgpack::unpack(bytes.data(), bytes.size(), end);
    if (end != bytes.size()) return damaged("there is more than one value in it");
    return unpack(parsed.get());
  } catch (const std::exception& e) { // what msgpack-c throws has no common base but this
    return damaged(std::string{"its body does not decode: "} + e.what());
  }
}

std::string compress(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  auto size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), compression_level);
  ensure(!ZSTD_isError(size), "compressing a block");
  out.resize(size);
  return out;
}

expected<std::string> decompress(const std::string& bytes) {
  auto size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > most_transaction_bytes)
    return damaged("its body is not compressed as its flags say");
  std::string out(size, '\0');
  auto got = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(got) || got != size) return damaged("its body does not decompress");
  return out;
}

struct block_header {
  std::uint8_t flags = 0;
  std::uint64_t epoch = 0;
  std::uint32_t events = 0;
};

expected<block_header> read_header(std::string_view block) {
  if (block.size() < header_bytes) return damaged("it is too short");
  if (static_cast<std::uint8_t>(block[0]) != block_version)
    return fail(errc::incompatible, fmt::format("an entry of the journal has version {}, this one knows {}; use a "
                                                "newer version of FinStream",
                                                static_cast<unsigned>(static_cast<std::uint8_t>(block[0])),
                                                static_cast<unsigned>(block_version)));
  return block_header{static_cast<std::uint8_t>(block[1]), record_codec::get_big_endian(block.data() + 2, 8),
                      static_cast<std::uint32_t>(record_codec::get_big_endian(block.data() + 10, 4))};
}

} // namespace

std::string_view to_string(journal_side side) { return side == journal_side::events ? "events" : "outputs"; }

topic buffer_of(journal_side side) {
  return side == journal_side::events ? topic::events_buffer : topic::outputs_buffer;
}

journal_side side_of(topic where) {
  switch (where) {
  case topic::events:
  case topic::dead_letters:
  case topic::raw:
  case topic::events_buffer: return journal_side::events;
  default: return journal_side::outputs;
  }
}

expected<std::optional<journal_id>> journal_of(const transaction& tx) {
  std::optional<journal_id> out;
  for (auto& x : tx.appends) {
    journal_id mine{side_of(x.where), x.partition};
    if (!out) out = mine;
    if (*out != mine)
      return fail(errc::invalid_argument,
                  fmt::format("a transaction that appends to {} and to {}: they are of two sides or partitions; make "
                              "it two",
                              place(tx.appends[0].where, tx.appends[0].partition), place(x.where, x.partition)));
  }
  return out;
}

// ---- blocks

std::vector<std::string> encode_blocks(const transaction& tx, std::uint64_t epoch, compression how) {
  auto body = pack(tx);
  std::uint8_t flags = 0;
  if (how == compression::zstd) body = compress(body), flags |= compressed_flag;
  std::uint32_t events = 0;
  for (auto& x : tx.appends) events += x.count;
  std::vector<std::string> blocks;
  constexpr auto piece = most_block_bytes - header_bytes;
  for (std::size_t at = 0; at < body.size(); at += piece) {
    auto is_last = body.size() - at <= piece;
    std::string block(header_bytes, '\0');
    block[0] = static_cast<char>(block_version);
    block[1] = static_cast<char>(flags | (is_last ? 0 : more_follows_flag));
    record_codec::put_big_endian(block.data() + 2, epoch, 8);
    record_codec::put_big_endian(block.data() + 10, is_last ? events : 0, 4);
    blocks.push_back(block.append(body, at, piece));
  }
  return blocks;
}

expected<std::uint32_t> events_of_block(std::string_view block) {
  return read_header(block).map([](const block_header& x) { return x.events; });
}

expected<std::uint64_t> epoch_of_block(std::string_view block) {
  return read_header(block).map([](const block_header& x) { return x.epoch; });
}

expected<std::optional<journal_transaction>> block_reader::add(std::string_view block) {
  auto header = read_header(block);
  if (!header) return tl::unexpected{header.error()};
  body_ += block.substr(header_bytes);
  if (body_.size() > most_transaction_bytes) return damaged("it is larger than a transaction can be");
  if (header->flags & more_follows_flag) return std::nullopt;
  auto whole = std::exchange(body_, {});
  if (header->flags & compressed_flag) {
    auto plain = decompress(whole);
    if (!plain) return tl::unexpected{plain.error()};
    whole = std::move(*plain);
  }
  auto tx = unpack(whole);
  if (!tx) return tl::unexpected{tx.error()};
  return journal_transaction{header->epoch, std::move(*tx)};
}

// ---- messages

broker_message void_message(message_number number, std::uint64_t log_id) {
  return {number, true, log_id, std::string{void_type}, {}};
}

std::vector<broker_message> to_messages(std::uint64_t number, std::uint64_t log_id, std::string_view block,
                                        std::vector<shown_event> shown, std::size_t max_message_bytes) {
  std::vector<broker_message> out;
  auto add = [&](std::string type, std::string body) {
    out.push_back({{number, static_cast<std::uint32_t>(out.size())}, false, log_id, std::move(type), std::move(body)});
  };
  for (auto& x : shown)
    if (x.json.size() <= max_message_bytes) add(std::move(x.type), std::move(x.json));
  for (std::size_t at = 0; at < block.size(); at += max_message_bytes)
    add(std::string{block_type}, std::string{block.substr(at, max_message_bytes)});
  out.back().is_last_part = true;
  return out;
}

expected<std::optional<std::string>> message_reader::add(const broker_message& message) {
  auto [transaction, part] = message.number;
  if (part == 0) {
    transaction_ = transaction, next_part_ = 0;
    block_.clear();
  }
  if (transaction != transaction_ || part != next_part_)
    return damaged(fmt::format("message {}-{} follows {}-{}", transaction, part, transaction_, next_part_));
  ++next_part_;
  if (message.type == block_type) block_ += message.body;
  if (message.type == void_type) block_.clear();
  if (!message.is_last_part) return std::nullopt;
  return std::exchange(block_, {});
}

} // namespace finstream
