#include "actors/hub.hpp"

#include "messages/codec/json.hpp"
#include "runtime/log/log.hpp"

#include <chrono>

namespace finstream {

namespace {
constexpr auto pulse_every = std::chrono::milliseconds{500}; // an idle node is idle
constexpr std::size_t catch_up_read_bytes = 1u << 20;
constexpr std::size_t flush_bytes = 128u << 10; // of encoded records: an eighth of what may wait for a client

// The streams of a partition, in the order of client_links::progress.
struct stream_source {
  channel_pattern::kind channels;
  topic where;
};
constexpr std::array<stream_source, 4> sources{{{channel_pattern::kind::ticks, topic::events},
                                                {channel_pattern::kind::bars, topic::bars},
                                                {channel_pattern::kind::features, topic::features},
                                                {channel_pattern::kind::signals, topic::signals}}};
constexpr std::size_t events_stream = 0;
constexpr std::size_t stream_of(derived_topic where) { return 1 + static_cast<std::size_t>(where); }
} // namespace

// ---- links

void client_links::open(connection_ptr who) {
  std::lock_guard lock{mutex_};
  auto id = who->id();
  highest_number_ = std::max(highest_number_, id);
  open_[id] = std::move(who);
}
void client_links::close(std::uint64_t id) {
  std::lock_guard lock{mutex_};
  open_.erase(id);
  subscriptions_.erase(id);
}
connection_ptr client_links::find(std::uint64_t id) const {
  std::lock_guard lock{mutex_};
  auto at = open_.find(id);
  return at == open_.end() ? nullptr : at->second;
}
std::uint64_t client_links::first_free_number() const {
  std::lock_guard lock{mutex_};
  return highest_number_ + 1;
}
std::size_t client_links::count() const {
  std::lock_guard lock{mutex_};
  return open_.size();
}
std::shared_ptr<server> client_links::socket() const {
  std::lock_guard lock{mutex_};
  return socket_;
}
// A server that ends waits for its thread, which may be waiting for the lock: so it ends outside. Connections end with
// it.
void client_links::set_socket(std::shared_ptr<server> socket) {
  {
    std::lock_guard lock{mutex_};
    std::swap(socket_, socket);
  }
  if (!socket) return;
  socket.reset();
  std::lock_guard lock{mutex_};
  open_.clear();
  subscriptions_.clear();
}

void client_links::remember(std::uint64_t id, const std::set<channel_pattern>& patterns) {
  std::lock_guard lock{mutex_};
  if (open_.contains(id)) subscriptions_[id] = patterns;
}
void client_links::remember(std::uint16_t partition, progress how_far) {
  std::lock_guard lock{mutex_};
  progress_[partition] = how_far;
}
std::map<std::uint64_t, std::set<channel_pattern>> client_links::remembered_subscriptions() const {
  std::lock_guard lock{mutex_};
  return subscriptions_;
}
std::optional<client_links::progress> client_links::remembered_progress(std::uint16_t partition) const {
  std::lock_guard lock{mutex_};
  auto at = progress_.find(partition);
  return at == progress_.end() ? std::nullopt : std::optional{at->second};
}

// ---- the actor

void hub_state::prepare(node_context* context, std::shared_ptr<client_links> links) {
  context_ = context;
  links_ = std::move(links);
}

hub_state::interface::behavior_type hub_state::behavior() {
  epoch_ = context_->log->recovery().epoch;
  feeds_.resize(static_cast<std::size_t>(context_->config->partitions));
  // After a crash it goes on where it was, for those who were there.
  for (auto& [connection, patterns] : links_->remembered_subscriptions()) table_.set(connection, patterns);
  for (std::uint16_t p = 0; p < feeds_.size(); ++p)
    if (auto known = links_->remembered_progress(p)) feeds_[p].streams = *known;
  self_->set_down_handler([this](const caf::down_msg& down) {
    for (auto& feed : feeds_)
      if (feed.appender == down.source) feed.appender = nullptr, feed.pulling.fill(false);
  });
  self_->delayed_send(self_, pulse_every, verb::pulse_v);
  return {
    [this](const subscription_change& change) { on_subscription(change); },
    [this](const sys_event& what) { on_sys_event(what); },
    [this](verb::pulse) { on_pulse(); },
    [this](verb::has_room) { pull_all(); },
    [this](const fresh_entries& fresh) { on_entries(fresh); },
    [this](const fresh_derived& fresh) { on_derived(fresh); },
    [this](verb::stop) { self_->quit(); },
    [this](verb::status) { return status(); },
  };
}

void hub_state::on_pulse() {
  self_->delayed_send(self_, pulse_every, verb::pulse_v);
  forget_receivers();
  pull_all();
}

// Lists of an earlier day would keep connections alive that are gone.
void hub_state::forget_receivers() {
  for (auto& out : outgoing_)
    if (out.to_version != table_.version()) out.to = nullptr;
}

void hub_state::pull_all() {
  for (std::uint16_t p = 0; p < feeds_.size(); ++p) pull(p);
}

// Nothing is pulled for nobody: with no one subscribed to ticks, events pass the hub by.
void hub_state::pull(std::uint16_t partition) {
  auto& feed = feeds_[partition];
  auto idle = false;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    auto& stream = feed.streams[i];
    auto wanted = table_.wants(sources[i].channels);
    // The first to subscribe gets what comes from now on.
    if (wanted && !stream.wanted)
      if (auto range = context_->log->range(sources[i].where, partition))
        stream.next = std::max(stream.next, range->next);
    stream.wanted = wanted;
    idle = idle || (wanted && !feed.pulling[i]);
  }
  if (!idle) return;
  if (auto socket = links_->socket(); socket && socket->is_backed_up()) return; // it says when it has room
  auto appender = context_->where->find_as<appender_actor>(partition_path(partition, "appender"));
  if (!appender) return;
  if (feed.appender != appender.address()) {
    feed.appender = appender.address();
    feed.pulling.fill(false);
    self_->monitor(appender);
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (!feed.streams[i].wanted || std::exchange(feed.pulling[i], true)) continue;
    if (i == events_stream)
      self_->send(appender, verb::pull_v, feed.streams[i].next, entry_reader{self_});
    else
      self_->send(appender, verb::pull_v, derived_topics[i - 1], feed.streams[i].next, derived_reader{self_});
  }
}

void hub_state::on_entries(const fresh_entries& fresh) {
  auto& feed = feeds_[fresh.partition];
  feed.pulling[events_stream] = false;
  auto& stream = feed.streams[events_stream];
  auto use = [&](const log_entry& entry) {
    if (entry.offset < stream.next) return true;
    stream.next = entry.next();
    auto is_live = entry.kind == static_cast<std::uint8_t>(record_kind::events);
    if (is_live && stream.wanted) add_ticks(fresh.partition, entry);
    return has_room_for_more();
  };
  if (fresh.behind) {
    skip_what_is_trimmed(topic::events, fresh.partition, stream.next);
    auto records = context_->log->read(topic::events, fresh.partition, stream.next, catch_up_read_bytes);
    if (!records) throw std::runtime_error("reading the log: " + records.error().message);
    for (auto& r : *records) {
      auto next = r.next();
      auto entry = to_log_entry(std::move(r));
      if (!entry) stream.next = next; // the window says that it cannot be read, and has it set aside
      if (entry && !use(**entry)) break;
    }
  } else {
    for (auto& entry : fresh.entries)
      if (!use(*entry)) break;
  }
  finish_pull(fresh.partition);
}

void hub_state::on_derived(const fresh_derived& fresh) {
  auto& feed = feeds_[fresh.partition];
  feed.pulling[stream_of(fresh.where)] = false;
  auto& stream = feed.streams[stream_of(fresh.where)];
  auto use = [&](const derived_record& record) {
    if (record.offset < stream.next) return true;
    stream.next = record.offset + record.items.size();
    add_derived(fresh.partition, record);
    return has_room_for_more();
  };
  if (fresh.behind) {
    auto where = topic_of(fresh.where);
    skip_what_is_trimmed(where, fresh.partition, stream.next);
    auto records = context_->log->read(where, fresh.partition, stream.next, catch_up_read_bytes);
    if (!records) throw std::runtime_error("reading a derived topic: " + records.error().message);
    for (auto& r : *records) {
      auto record = to_derived_record(r);
      if (!record) throw std::runtime_error("reading a derived topic: " + record.error().message);
      if (!use(**record)) break;
    }
  } else {
    for (auto& record : fresh.records)
      if (!use(*record)) break;
  }
  finish_pull(fresh.partition);
}

void hub_state::finish_pull(std::uint16_t partition) {
  links_->remember(partition, feeds_[partition].streams);
  flush();
  pull(partition);
}

// Only a hub that has been away for longer than the log is kept has something to skip.
void hub_state::skip_what_is_trimmed(topic where, std::uint16_t partition, std::uint64_t& next) const {
  if (auto range = context_->log->range(where, partition)) next = std::max(next, range->head);
}

// What is fresh may be a great deal, after a time in which the server could not follow. It goes out in pieces that a
// client's queue has room for; what is left when the server is backed up again will be pulled again.
bool hub_state::has_room_for_more() {
  if (unsent_bytes_ < flush_bytes) return true;
  flush();
  auto socket = links_->socket();
  return !socket || !socket->is_backed_up();
}

// ---- encoding

void hub_state::add_ticks(std::uint16_t partition, const log_entry& entry) {
  auto offset = entry.offset;
  for (auto& row : entry.events->rows) {
    auto& groups = table_.match(channel_pattern::kind::ticks, (*entry.events->keys)[row.key].symbol);
    if (!groups.empty()) {
      scratch_.clear();
      append_tick_json(scratch_, *entry.events, row, position_text(epoch_, partition, offset));
      add(groups, scratch_);
    }
    ++offset;
  }
}

void hub_state::add_derived(std::uint16_t partition, const derived_record& record) {
  auto offset = record.offset;
  for (auto& item : record.items) {
    if (auto& groups = groups_of(item); !groups.empty()) {
      scratch_.clear();
      append_derived_json(scratch_, item, position_text(epoch_, partition, offset));
      add(groups, scratch_);
    }
    ++offset;
  }
}

const std::vector<subscription_table::group_id>& hub_state::groups_of(const derived& item) {
  if (auto* x = std::get_if<bar>(&item)) return table_.match_bar(span_to_string(x->interval), x->symbol);
  if (auto* x = std::get_if<end_of_interval>(&item)) return table_.match_interval(span_to_string(x->interval));
  if (auto* x = std::get_if<feature_vector>(&item)) return table_.match(channel_pattern::kind::features, x->symbol);
  return table_.match(channel_pattern::kind::signals, std::get<signal>(item).symbol);
}

void hub_state::add(const std::vector<subscription_table::group_id>& groups, std::string_view text) {
  ++encoded_;
  unsent_bytes_ += text.size();
  if (outgoing_.size() < table_.group_count()) outgoing_.resize(table_.group_count());
  for (auto group : groups) {
    auto& out = outgoing_[group];
    if (out.records++ == 0)
      touched_.push_back(group);
    else
      out.text += ',';
    out.text += text;
  }
}

void hub_state::flush() {
  std::vector<delivery> all;
  all.reserve(touched_.size());
  for (auto group : touched_) {
    auto& out = outgoing_[group];
    if (!out.to || out.to_version != table_.version()) {
      auto to = std::make_shared<std::vector<connection_ptr>>();
      for (auto id : table_.members(group))
        if (auto who = links_->find(id)) to->push_back(std::move(who));
      out.to = std::move(to);
      out.to_version = table_.version();
    }
    auto records = std::exchange(out.records, 0u);
    auto what = std::make_shared<const block>(block{std::exchange(out.text, {}), records, context_->time->monotonic()});
    if (!out.to->empty()) all.push_back({std::move(what), out.to});
  }
  touched_.clear();
  unsent_bytes_ = 0;
  if (auto socket = links_->socket(); socket && !all.empty()) socket->deliver(std::move(all));
}

// ---- subscriptions

void hub_state::on_subscription(const subscription_change& change) {
  auto patterns = table_.of(change.connection);
  auto who = links_->find(change.connection);
  if (change.gone || !who) {
    if (!patterns.empty()) table_.set(change.connection, {});
    return;
  }
  for (auto& text : change.command.channels) {
    auto pattern = parse_channel(text);
    if (!pattern) continue; // the session has refused it already
    if (change.add)
      patterns.insert(*pattern);
    else
      patterns.erase(*pattern);
  }
  links_->remember(change.connection, patterns);
  table_.set(change.connection, std::move(patterns));
  answer(change, who);
  pull_all();
}

// The answer goes out before any record that the change brings, since both leave from here.
void hub_state::answer(const subscription_change& change, const connection_ptr& to) {
  std::string text = change.add ? R"({"type":"subscribed")" : R"({"type":"unsubscribed")";
  if (change.command.has_id) text += ",\"id\":", append_json_integer(text, change.command.id);
  text += ",\"channels\":[";
  auto first = true;
  for (auto& pattern : table_.of(change.connection)) {
    if (!std::exchange(first, false)) text += ',';
    append_json_string(text, pattern.text());
  }
  text += "]}";
  to->send(std::make_shared<const block>(block{std::move(text), 1, context_->time->monotonic()}));
}

void hub_state::on_sys_event(const sys_event& what) {
  auto& groups = table_.match_status();
  if (groups.empty()) return;
  scratch_.clear();
  append_sys_event_json(scratch_, what);
  add(groups, scratch_);
  flush();
}

status_report hub_state::status() const {
  return {"/hub", fmt::format(R"({{"connections":{},"groups":{},"encoded_records":{}}})", links_->count(),
                              table_.group_count(), encoded_)};
}

} // namespace finstream
