// INTERNAL to runtime/broker: what a driver of Kafka has open, and its calls with deadlines and failures as values. The
// client library has threads of its own; nothing of ours runs on them.
#pragma once

#include "messages/value/timestamp.hpp"
#include "runtime/broker/broker.hpp"
#include "runtime/broker/kafka_address.hpp"
#include "runtime/broker/kafka_heard.hpp"

#include <librdkafka/rdkafka.h>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace finstream {

template <auto Destroy> struct kafka_deleter {
  template <class T> void operator()(T* x) const { Destroy(x); }
};
// Takes nothing along that it has not sent, and does not ask a group to let it go.
inline void destroy_kafka_client(rd_kafka_t* x) { rd_kafka_destroy_flags(x, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); }
using kafka_client = std::unique_ptr<rd_kafka_t, kafka_deleter<destroy_kafka_client>>;
using kafka_topic = std::unique_ptr<rd_kafka_topic_t, kafka_deleter<rd_kafka_topic_destroy>>;
using kafka_record = std::unique_ptr<rd_kafka_message_t, kafka_deleter<rd_kafka_message_destroy>>;
using kafka_partitions =
  std::unique_ptr<rd_kafka_topic_partition_list_t, kafka_deleter<rd_kafka_topic_partition_list_destroy>>;

// A stream is a topic with this one partition.
inline constexpr std::int32_t kafka_partition = 0;
kafka_partitions partition_of(const std::string& topic, std::int64_t offset = RD_KAFKA_OFFSET_INVALID);

class kafka_session {
public:
  using settings = std::map<std::string, std::string>; // of the library, by its names

  kafka_session(kafka_address address, const broker_options& options);
  kafka_session(const kafka_session&) = delete;
  kafka_session& operator=(const kafka_session&) = delete;
  ~kafka_session() { drop(); }

  // The deadline of what follows: so long as it may be `patient`, and then the time-out of a request.
  void begin(nanoseconds patience = 0);
  int left_ms() const; // until then; at least 1
  bool is_over() const;

  // Connects if need be.
  expected<void> connect();
  // Asks the brokers which there are.
  expected<void> ask_for_topics() { return ask_for_topics(left_ms()); }
  // The partitions of a topic; 0: there is none. Of the brokers, if it is not known yet.
  expected<int> partitions(const std::string& topic);
  void forget_topics() { topics_.clear(), writes_to_.clear(); }
  // RD_KAFKA_OFFSET_BEGINNING: of the first message that is kept. RD_KAFKA_OFFSET_END: of the next that is written.
  expected<std::int64_t> offset(const std::string& topic, std::int64_t which);
  // The one that writes, idempotent and one request at a time; made when it is needed.
  expected<rd_kafka_t*> producer(const std::string& topic);
  rd_kafka_t& client() const { return *client_; } // asks and reads
  // One more, with these settings beside those that all have. Errors: config_invalid (certificates, a key).
  expected<kafka_client> make(rd_kafka_type_t type, const settings& more, void (*prepare)(rd_kafka_conf_t&, void*),
                              void* self);

  // A failure of what was asked for. Where it is the connection that failed, all is to be dropped: is_lost().
  tl::unexpected<failure> failed(const std::string& what, rd_kafka_resp_err_t error, const std::string& said = {});
  tl::unexpected<failure> lost(const std::string& what, const std::string& why);
  tl::unexpected<failure> refused(const std::string& what, const kafka_heard& heard);
  void note_success() { heard_ = {}; }
  bool is_lost() const { return is_lost_; }
  void give_up() { is_lost_ = true; }
  // What was not sent is not sent any more. Topics and readers of client() must be gone.
  void drop();

  std::uint64_t connects() const { return connects_; }  // grows when there is a new connection
  const std::string& server() const { return server_; } // "Kafka at host:port"

private:
  static void on_error(rd_kafka_t* client, int error, const char* reason, void* self);
  expected<void> ask_for_topics(int timeout_ms);
  settings settings_of_all() const;

  kafka_address address_;
  broker_options options_;
  std::string server_;
  nanoseconds deadline_ = 0;
  std::uint64_t connects_ = 0;
  kafka_client client_, producer_;
  std::map<std::string, int> topics_; // and their partitions, as last heard
  std::set<std::string> writes_to_;   // that the producer knows
  bool is_lost_ = false;
  kafka_heard heard_; // since the last call that succeeded
};

} // namespace finstream
