// Opening a log on a broker: which log it is, and what the broker has and this machine has not.
#include "messages/planted.hpp"
#include "runtime/bus/brokered_bus.hpp"
#include "runtime/bus/journal_copy.hpp"
#include "runtime/bus/shipper.hpp"
#include "runtime/log/log.hpp"

#include <charconv>
#include <filesystem>
#include <fmt/format.h>

namespace finstream {

namespace {

constexpr std::size_t read_messages = 1000;
constexpr std::size_t read_bytes = 4u << 20;
constexpr const char* behind_key = "behind"; // while a copy is being made

expected<std::optional<found_log>> look(broker& from, const std::string& stream) {
  if (auto opened = from.open_stream(stream); !opened) return tl::unexpected{opened.error()};
  std::optional<found_log> out;
  std::optional<message_number> after;
  message_reader reader;
  while (true) {
    auto messages = from.read(stream, after, read_messages, read_bytes);
    if (!messages) return tl::unexpected{messages.error()};
    if (messages->empty()) return out; // nothing, or nothing whole: then no entry has said an epoch yet
    if (!after && messages->front().number != message_number{1, 0})
      return fail(errc::trimmed, fmt::format("stream {} of the broker begins with entry {}: what came before is gone, "
                                             "and a copy needs all of it. Copy the data directory of a node that has "
                                             "it, or give this log streams of its own",
                                             stream, messages->front().number.transaction));
    for (auto& x : *messages) {
      auto block = reader.add(x);
      if (!block)
        return fail(errc::incompatible, fmt::format("stream {} of the broker: it begins with something that no log of "
                                                    "FinStream begins with; give this log streams of its own",
                                                    stream));
      out = found_log{x.log_id, 0};
      if (!*block || (*block)->empty()) continue;
      auto epoch = epoch_of_block(**block);
      if (!epoch) return tl::unexpected{epoch.error()};
      return found_log{x.log_id, *epoch};
    }
    after = messages->back().number;
  }
}

expected<std::optional<found_log>> look(broker& from, const broker_link_options& options) {
  std::optional<found_log> out;
  for (auto id : journals_of(options)) {
    auto found = look(from, stream_of(options, id));
    if (!found || (*found && (*found)->epoch != 0)) return found;
    if (*found) out = *found;
  }
  return out;
}

expected<std::uint64_t> hold_log_id(bus& local, const std::optional<found_log>& found, std::uint64_t new_id) {
  auto saved = local.get(node_table, log_id_key);
  if (!saved) return tl::unexpected{saved.error()};
  if (*saved) {
    std::uint64_t id = 0;
    auto [end, code] = std::from_chars((*saved)->data(), (*saved)->data() + (*saved)->size(), id);
    if (code == std::errc{} && end == (*saved)->data() + (*saved)->size())
      return local.sync().map([id] { return id; }); // also where the answer to writing it was lost
    return fail(errc::corrupt_record, fmt::format("the data directory says that its log is number '{}', which is "
                                                  "none; `finstream verify` looks at the rest",
                                                  **saved));
  }
  if (!local.recovery().created)
    return fail(errc::incompatible, "the data directory holds a log that was not made on a broker: its records are in "
                                    "no stream. Set bus.type back, or give this node a new data directory");
  auto id = found ? found->log_id : new_id;
  transaction tx;
  tx.writes.push_back({node_table, log_id_key, std::to_string(id)});
  if (auto written = local.write(std::move(tx)); !written) return tl::unexpected{written.error()};
  return local.sync().map([id] { return id; }); // a log that has lost it would be of no broker
}

// As long as this stands, a journal that this process writes is known to lack something that the broker has: it cannot
// go on without asking.
expected<void> mark_behind(bus& local) {
  transaction tx;
  tx.writes.push_back({node_table, behind_key, "1"});
  return local.write(std::move(tx)).and_then([&](const receipt&) { return local.sync(); });
}

// What was copied is on the disk before it counts.
expected<void> mark_whole(bus& local) {
  auto behind = local.get(node_table, behind_key);
  if (!behind) return tl::unexpected{behind.error()};
  if (!*behind) return {};
  if (auto synced = local.sync(); !synced) return synced;
  transaction tx;
  tx.writes.push_back({node_table, behind_key, std::nullopt});
  return local.write(std::move(tx)).map([](const receipt&) {});
}

// What was begun by a writer that died is given up by the next one: the shipper says so to the broker.
expected<std::uint64_t> catch_up(bus& local, broker& from, const broker_link_options& options, journal_id id,
                                 std::uint64_t log_id) {
  auto stream = stream_of(options, id);
  auto ends = from.open_stream(stream).and_then([&] { return from.ends(stream); });
  auto here = local.range(buffer_of(id.side), id.partition);
  if (!ends) return tl::unexpected{ends.error()};
  if (!here) return tl::unexpected{here.error()};
  if (!is_followed(options, id) && ends->last && ends->last->transaction > here->next)
    if (auto marked = mark_behind(local); !marked) return tl::unexpected{marked.error()};
  journal_copy copy{local, id, stream, log_id, *options.time};
  auto applied = copy.catch_up(from);
  if (!applied || !copy.has_begun() || is_followed(options, id)) return applied;
  if (planted(fault::begun_entry_is_not_given_up)) return applied;
  return copy.give_up().map([&](std::uint64_t given_up) { return *applied + given_up; });
}

} // namespace

expected<std::optional<found_log>> find_log(broker& from, const broker_link_options& options) {
  auto found = look(from, options);
  if (!found || options.writes_events || (*found && (*found)->epoch != 0)) return found;
  return fail(errc::not_found, fmt::format("stream {} of the broker holds no log yet: the process with the role ingest "
                                           "begins it",
                                           options.events_stream));
}

expected<std::unique_ptr<brokered_bus>> join_log(std::unique_ptr<bus> local, const std::optional<found_log>& found,
                                                 broker_link_options options, std::unique_ptr<broker> to,
                                                 const char* driver, std::unique_ptr<broker> from) {
  auto is_new = local->recovery().created;
  auto log_id = hold_log_id(*local, found, options.new_log_id);
  if (!log_id) return tl::unexpected{log_id.error()};
  auto is_whole = true;
  for (auto id : journals_of(options)) {
    auto caught = catch_up(*local, *to, options, id, *log_id);
    if (caught && *caught > 0)
      log::info("bus", "{} entries of stream {} were not here and have been applied", *caught, stream_of(options, id));
    if (caught) continue;
    // A disk in trouble is another matter: a log that goes on without what the broker has becomes another log.
    // One that lets nobody in, with a certificate or a token of yesterday, is away like any other.
    auto code = caught.error().code;
    auto is_away = code == errc::unreachable || code == errc::overloaded || code == errc::config_invalid;
    auto is_behind = local->get(node_table, behind_key);
    if (!is_behind) return tl::unexpected{is_behind.error()};
    if (is_away && *is_behind)
      return fail(caught.error().code, caught.error().message + ". What the broker has was not copied here to its end: "
                                                                "until that is done, this node needs it to start");
    if (!is_away || is_new) return tl::unexpected{caught.error()};
    is_whole = false;
    log::warning("bus", "{}. The node starts without the broker; what is written is kept here until it is back",
                 caught.error().message);
    break;
  }
  if (is_whole)
    if (auto done = mark_whole(*local); !done) return tl::unexpected{done.error()};
  return std::make_unique<brokered_bus>(std::move(local), *log_id, std::move(options), std::move(to), driver,
                                        std::move(from));
}

expected<std::unique_ptr<brokered_bus>> open_brokered_bus(embedded_bus_options local, broker_link_options options,
                                                          const char* driver) {
  auto to = options.open_broker();
  if (!to) return tl::unexpected{to.error()};
  auto from = options.open_broker();
  if (!from) return tl::unexpected{from.error()};
  std::error_code none;
  std::optional<found_log> found;
  if (!std::filesystem::exists(local.directory + "/CURRENT", none)) {
    auto looked = find_log(**to, options);
    if (!looked)
      return fail(looked.error().code, fmt::format("{}. The data directory {} is new, so whether there is a log "
                                                   "already must be known before it is begun",
                                                   looked.error().message, local.directory));
    if (found = *looked; found) local.epoch = found->epoch;
  }
  auto opened = open_embedded_bus(local);
  if (!opened) return tl::unexpected{opened.error()};
  auto joined = join_log(std::move(*opened), found, std::move(options), std::move(*to), driver, std::move(*from));
  if (joined) (*joined)->start();
  return joined;
}

} // namespace finstream
