// HUB: topics -> connections. It pulls what is fresh from every partition, encodes each record once, puts together what
// each group of equal subscriptions gets, and hands that to the server, which shares the bytes among the group's
// connections.
//
// A connection gets what comes after its subscription. The hub keeps one pull underway per partition and topic. A
// client that cannot follow is dealt with by the server's bounded queues; while the server itself cannot, nothing is
// pulled, and all clients see the log later: it is the log that waits, not memory.
#pragma once

#include "actors/context.hpp"
#include "actors/log_entries.hpp"
#include "actors/logic/subscription_table.hpp"
#include "messages/protocols.hpp"
#include "runtime/server/server.hpp"

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

namespace finstream {

// The server and the connections it has open, known by number to hub, gateway and sessions alike.
class client_links {
public:
  void open(connection_ptr who);
  void close(std::uint64_t id);
  connection_ptr find(std::uint64_t id) const;
  std::uint64_t first_free_number() const; // numbers of connections are not used again while the node lives
  std::size_t count() const;
  std::shared_ptr<server> socket() const;
  void set_socket(std::shared_ptr<server> socket);

  // What the hub must not forget when it crashes: who wants what, and how far each partition has been published.
  struct stream {
    std::uint64_t next = 0; // offset
    bool wanted = false;    // by anyone
  };
  using progress = std::array<stream, 4>; // of a partition: events, and the derived topics
  void remember(std::uint64_t id, const std::set<channel_pattern>& patterns);
  void remember(std::uint16_t partition, progress how_far);
  std::map<std::uint64_t, std::set<channel_pattern>> remembered_subscriptions() const;
  std::optional<progress> remembered_progress(std::uint16_t partition) const;

private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, connection_ptr> open_;
  std::map<std::uint64_t, std::set<channel_pattern>> subscriptions_;
  std::map<std::uint16_t, progress> progress_;
  std::shared_ptr<server> socket_;
  std::uint64_t highest_number_ = 0;
};

struct hub_state {
  using interface = hub_actor;
  static constexpr const char* name = "hub";

  explicit hub_state(actor_of<hub_state>* self) : self_{self} {}
  void prepare(node_context* context, std::shared_ptr<client_links> links);
  interface::behavior_type behavior();

private:
  struct partition_feed {
    client_links::progress streams;
    std::array<bool, 4> pulling{};
    caf::actor_addr appender;
  };
  struct outgoing {
    std::string text;
    std::uint32_t records = 0;
    std::shared_ptr<const std::vector<connection_ptr>> to;
    std::uint64_t to_version = 0;
  };

  void on_entries(const fresh_entries& fresh);
  void on_derived(const fresh_derived& fresh);
  void on_subscription(const subscription_change& change);
  void on_sys_event(const sys_event& what);
  void on_pulse();
  void pull_all();
  void pull(std::uint16_t partition);
  void add_ticks(std::uint16_t partition, const log_entry& entry);
  void add_derived(std::uint16_t partition, const derived_record& record);
  const std::vector<subscription_table::group_id>& groups_of(const derived& item);
  void finish_pull(std::uint16_t partition);
  void add(const std::vector<subscription_table::group_id>& groups, std::string_view text);
  bool has_room_for_more();
  void forget_receivers();
  void skip_what_is_trimmed(topic where, std::uint16_t partition, std::uint64_t& next) const;
  void flush();
  void answer(const subscription_change& change, const connection_ptr& to);
  status_report status() const;

  actor_of<hub_state>* self_;
  node_context* context_ = nullptr;
  std::shared_ptr<client_links> links_;
  subscription_table table_;
  std::vector<partition_feed> feeds_; // by partition
  std::vector<outgoing> outgoing_;    // by group
  std::vector<subscription_table::group_id> touched_;
  std::string scratch_;
  std::size_t unsent_bytes_ = 0; // encoded and not yet handed to the server
  std::uint64_t epoch_ = 0;
  std::uint64_t encoded_ = 0;
};

} // namespace finstream
