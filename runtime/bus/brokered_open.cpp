// Opening a log on a broker: which log it is, and what the broker has and this machine has not.
#include "runtime/bus/brokered_bus.hpp"
#include "runtime/bus/shipper.hpp"
#include "runtime/log/log.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <limits>

namespace finstream {

namespace {

constexpr std::size_t read_messages = 1000;
constexpr std::size_t read_bytes = 4u << 20;
constexpr const char* node_table = "node";
constexpr const char* log_id_key = "log_id";

// What the streams hold, before there is a log here.
struct found_log {
  std::uint64_t log_id = 0;
  std::uint64_t epoch = 0;
};

expected<std::optional<found_log>> look(broker& from, const broker_link_options& options) {
  for (auto id : journals_of(options)) {
    auto stream = stream_of(options, id);
    if (auto opened = from.open_stream(stream); !opened) return tl::unexpected{opened.error()};
    auto messages = from.read(stream, std::nullopt, read_messages, read_bytes);
    if (!messages) return tl::unexpected{messages.error()};
    if (messages->empty()) continue;
    message_reader reader;
    for (auto& x : *messages) {
      auto block = reader.add(x);
      if (!block) break;
      if (!*block || (*block)->empty()) continue;
      auto epoch = epoch_of_block(**block);
      if (!epoch) return tl::unexpected{epoch.error()};
      return found_log{x.log_id, *epoch};
    }
    return fail(errc::incompatible, fmt::format("stream {} of the broker: it begins with something that no log of "
                                                "FinStream begins with; give this log streams of its own",
                                                stream));
  }
  return std::nullopt;
}

expected<std::uint64_t> hold_log_id(bus& local, const std::optional<found_log>& found, std::uint64_t new_id) {
  auto saved = local.get(node_table, log_id_key);
  if (!saved) return tl::unexpected{saved.error()};
  if (*saved) return std::stoull(**saved);
  if (!local.recovery().created)
    return fail(errc::incompatible, "the data directory holds a log that was not made on a broker: its records are in "
                                    "no stream. Set bus.type back, or give this node a new data directory");
  auto id = found ? found->log_id : new_id;
  transaction tx;
  tx.writes.push_back({node_table, log_id_key, std::to_string(id)});
  if (auto written = local.write(std::move(tx)); !written) return tl::unexpected{written.error()};
  return id;
}

// Applies what a stream holds beyond what is here.
class catcher {
public:
  catcher(bus& local, broker& from, journal_id id, std::string stream, std::uint64_t log_id, timestamp now)
    : local_{local}, from_{from}, id_{id}, stream_{std::move(stream)}, log_id_{log_id}, log_ts_{now} {}

  expected<std::uint64_t> run() {
    auto range = local_.range(buffer_of(id_.side), id_.partition);
    if (!range) return tl::unexpected{range.error()};
    next_ = range->next + 1;
    if (auto last = last_entry_ts(local_, id_)) log_ts_ = std::max(log_ts_, *last);
    auto after = message_number{range->next, std::numeric_limits<std::uint32_t>::max()};
    while (true) {
      auto messages = from_.read(stream_, after, read_messages, read_bytes);
      if (!messages)
        return fail(messages.error().code,
                    fmt::format("{}. This machine has {} entries of the log", messages.error().message, next_ - 1));
      if (messages->empty()) break;
      for (auto& x : *messages)
        if (auto taken = take(x); !taken) return tl::unexpected{taken.error()};
      after = messages->back().number;
    }
    // Whoever wrote it died in the middle: what was begun is given up, and the entry counts as empty.
    if (begun_ || !blocks_.is_between_transactions())
      if (auto applied = apply({}, {std::string{}}); !applied) return tl::unexpected{applied.error()};
    return applied_;
  }

private:
  expected<void> take(const broker_message& x) {
    if (x.log_id != log_id_)
      return fail(errc::conflict, fmt::format("stream {} of the broker holds another log; give this one streams of "
                                              "its own",
                                              stream_));
    auto block = messages_.add(x);
    if (!block) return tl::unexpected{at(block.error(), x)};
    begun_ = !*block;
    if (begun_) return {};
    if ((*block)->empty()) {
      blocks_ = {}, pieces_.clear();
      return apply({}, {std::string{}});
    }
    auto whole = blocks_.add(**block);
    if (!whole) return tl::unexpected{at(whole.error(), x)};
    pieces_.push_back(std::move(**block));
    if (!*whole) return {};
    if ((*whole)->epoch != local_.recovery().epoch)
      return fail(errc::conflict, fmt::format("stream {} of the broker is of epoch {}, this log of {}", stream_,
                                              (*whole)->epoch, local_.recovery().epoch));
    return apply(std::move((*whole)->what), std::exchange(pieces_, {}));
  }

  failure at(const failure& why, const broker_message& x) const {
    return {why.code, fmt::format("stream {} of the broker at {}-{}: {}", stream_, x.number.transaction, x.number.part,
                                  why.message)};
  }

  expected<void> apply(transaction tx, std::vector<std::string> blocks) {
    for (auto& x : blocks) tx.appends.push_back(buffer_record(id_, log_ts_, std::move(x)));
    next_ += blocks.size();
    applied_ += blocks.size();
    return local_.write(std::move(tx)).map([](const receipt&) {});
  }

  bus& local_;
  broker& from_;
  const journal_id id_;
  const std::string stream_;
  const std::uint64_t log_id_;
  message_reader messages_;
  block_reader blocks_;
  std::vector<std::string> pieces_;
  bool begun_ = false;
  std::uint64_t next_ = 1, applied_ = 0;
  timestamp log_ts_;
};

} // namespace

expected<std::unique_ptr<brokered_bus>> open_brokered_bus(embedded_bus_options local, broker_link_options options,
                                                          const char* driver) {
  auto to = options.open_broker();
  if (!to) return tl::unexpected{to.error()};
  std::error_code none;
  auto is_new = !std::filesystem::exists(local.directory + "/CURRENT", none);
  std::optional<found_log> found;
  if (is_new) {
    auto looked = look(**to, options);
    if (!looked)
      return fail(looked.error().code, fmt::format("{}. The data directory {} is new, so whether there is a log "
                                                   "already must be known before it is begun",
                                                   looked.error().message, local.directory));
    if (found = *looked; found) local.epoch = found->epoch;
  }
  auto opened = open_embedded_bus(local);
  if (!opened) return tl::unexpected{opened.error()};
  auto log_id = hold_log_id(**opened, found, options.new_log_id);
  if (!log_id) return tl::unexpected{log_id.error()};
  for (auto id : journals_of(options)) {
    auto stream = stream_of(options, id);
    auto caught = (*to)->open_stream(stream).and_then(
      [&] { return catcher{**opened, **to, id, stream, *log_id, options.time->now()}.run(); });
    if (caught && *caught > 0)
      log::info("bus", "{} entries of stream {} were not here and have been applied", *caught, stream);
    if (caught) continue;
    if (!is_temporary(caught.error().code) || is_new) return tl::unexpected{caught.error()};
    log::warning("bus", "{}. The node starts without the broker; what is written is kept here until it is back",
                 caught.error().message);
    break;
  }
  auto out = std::make_unique<brokered_bus>(std::move(*opened), *log_id, std::move(options), std::move(*to), driver);
  out->start();
  return out;
}

} // namespace finstream
