#include "runtime/broker/kafka_session.hpp"

#include "runtime/broker/kafka_messages.hpp"
#include "runtime/clock/clock.hpp"

#include <algorithm>
#include <csignal>
#include <string_view>

namespace finstream {

namespace {

struct meaning {
  rd_kafka_resp_err_t error;
  errc means;
  const char* advice;
};
// What is not here is taken for a connection that failed.
constexpr meaning meanings[] = {
  {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, errc::not_found, "; open the stream first"},
  {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, errc::not_found, "; open the stream first"},
  {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, errc::not_found, "; open the stream first"},
  {RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND, errc::not_found, "; there is no such group"},
  {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, errc::config_invalid, "; docs/brokers.md says what must be allowed"},
  {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, errc::config_invalid, "; docs/brokers.md says what must be allowed"},
  {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, errc::config_invalid, "; docs/brokers.md says what must be allowed"},
  {RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, errc::config_invalid,
   "; see group.min.session.timeout.ms of the brokers"},
  {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, errc::invalid_argument, "; raise max.message.bytes of the topic"},
  {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, errc::invalid_argument, "; raise segment.bytes of the topic"},
  {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, errc::incompatible, "; these brokers cannot do it: are they too old?"},
  {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, errc::incompatible, "; these brokers cannot do it: are they too old?"},
  {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, errc::config_invalid, "; a policy of the brokers is against it"},
  {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, errc::overloaded, "; look at the disk of the broker"},
  {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, errc::overloaded, "; a quota of the brokers is reached"},
  {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, errc::trimmed, "; it was removed in between"},
  {RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, errc::trimmed, "; it was removed in between"},
};

const char* name_of(sasl_mechanism x) {
  switch (x) {
  case sasl_mechanism::plain: return "PLAIN";
  case sasl_mechanism::scram_sha_256: return "SCRAM-SHA-256";
  case sasl_mechanism::scram_sha_512: return "SCRAM-SHA-512";
  }
  stop_on_bug("a mechanism without a name");
}

} // namespace

kafka_partitions partition_of(const std::string& topic, std::int64_t offset) {
  kafka_partitions out{rd_kafka_topic_partition_list_new(1)};
  rd_kafka_topic_partition_list_add(out.get(), topic.c_str(), kafka_partition)->offset = offset;
  return out;
}

kafka_session::kafka_session(kafka_address address, const broker_options& options)
  : address_{std::move(address)}, options_{options}, server_{"Kafka at " + address_.servers} {}

void kafka_session::begin(nanoseconds patience) {
  deadline_ = system_clock().monotonic() + patience + options_.request_timeout_ms * millisecond;
}
int kafka_session::left_ms() const {
  return static_cast<int>(std::max<nanoseconds>((deadline_ - system_clock().monotonic()) / millisecond, 1));
}
bool kafka_session::is_over() const { return system_clock().monotonic() >= deadline_; }

void kafka_session::on_error(rd_kafka_t*, int error, const char* reason, void* self) {
  static_cast<kafka_session*>(self)->heard_.hear(error, reason);
}

kafka_session::settings kafka_session::settings_of_all() const {
  settings out{
    {"bootstrap.servers", address_.servers},
    {"client.id", "finstream"},
    {"socket.timeout.ms", std::to_string(std::max(options_.request_timeout_ms, 10))},
    {"socket.connection.setup.timeout.ms", std::to_string(std::max(options_.connect_timeout_ms, 1000))},
    {"reconnect.backoff.ms", "50"},
    {"reconnect.backoff.max.ms", "500"},
  };
  auto has_user = !address_.user.name.empty();
  out["security.protocol"] = std::string{has_user ? "sasl_" : ""} + (address_.is_tls ? "ssl" : "plaintext");
  if (address_.is_tls) out["ssl.endpoint.identification.algorithm"] = "https"; // a certificate is of a host
  if (has_user) {
    out["sasl.mechanism"] = name_of(options_.security.mechanism);
    out["sasl.username"] = address_.user.name;
    out["sasl.password"] = address_.user.password;
  }
  for (auto& [name, file] : {std::pair{"ssl.ca.location", &options_.security.ca_file},
                             std::pair{"ssl.certificate.location", &options_.security.certificate_file},
                             std::pair{"ssl.key.location", &options_.security.key_file}})
    if (!file->empty()) out[name] = *file;
  return out;
}

expected<kafka_client> kafka_session::make(rd_kafka_type_t type, const settings& more,
                                           void (*prepare)(rd_kafka_conf_t&, void*), void* self) {
  auto all = settings_of_all();
  for (const auto& [name, value] : more) all[name] = value;
  auto* conf = rd_kafka_conf_new();
  char why[512];
  for (const auto& [name, value] : all)
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      return fail(errc::incompatible, std::string{"the library of Kafka cannot do what this program needs: "} + why);
    }
  rd_kafka_conf_set_log_cb(conf, nullptr); // what is to be said is in our failures
  rd_kafka_conf_set_opaque(conf, self);
  prepare(*conf, self);
  if (auto* made = rd_kafka_new(type, conf, why, sizeof why)) return kafka_client{made};
  rd_kafka_conf_destroy(conf);
  return fail(errc::config_invalid, "no client can be made for " + server_ + ": " + why); // a file cannot be read
}

expected<void> kafka_session::connect() {
  if (client_) return {};
  if (auto sound = check_readable(options_.security); !sound) return sound;
  // Else OpenSSL, writing to a broker that has hung up, ends the program. (The library of NATS does the same.)
  if (address_.is_tls) std::signal(SIGPIPE, SIG_IGN);
  heard_ = {};
  auto made = make(
    RD_KAFKA_CONSUMER,
    {{"enable.partition.eof", "true"},
     {"auto.offset.reset", "error"},
     {"isolation.level", "read_uncommitted"},
     {"fetch.wait.max.ms", "5"}, // a reader at the end is stopped: this is what the next may have to wait for
     {"fetch.error.backoff.ms", "20"},
     {"queued.max.messages.kbytes", "16384"}},
    [](rd_kafka_conf_t& conf, void*) { rd_kafka_conf_set_error_cb(&conf, &kafka_session::on_error); }, this);
  if (!made) return tl::unexpected{made.error()};
  client_ = std::move(*made);
  auto answered = ask_for_topics(std::min(left_ms(), std::max(options_.connect_timeout_ms, 1)));
  if (!answered) return answered;
  ++connects_;
  return {};
}

// All of them: who asks for one by its name may make it by that.
expected<void> kafka_session::ask_for_topics(int timeout_ms) {
  const rd_kafka_metadata_t* found = nullptr;
  auto error = rd_kafka_metadata(client_.get(), 1, nullptr, &found, timeout_ms);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return failed("asking for the topics", error);
  topics_.clear();
  for (int i = 0; i < found->topic_cnt; ++i)
    if (const auto& x = found->topics[i]; x.err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
      topics_[x.topic] = x.partition_cnt;
  rd_kafka_metadata_destroy(found);
  return {};
}

expected<int> kafka_session::partitions(const std::string& topic) {
  auto found = topics_.find(topic);
  if (found == topics_.end()) {
    if (auto asked = ask_for_topics(); !asked) return tl::unexpected{asked.error()};
    found = topics_.find(topic);
  }
  return found == topics_.end() ? 0 : found->second;
}

// The library's own call for both ends waits for ever where a broker is away (2.0.2), this one does not.
expected<std::int64_t> kafka_session::offset(const std::string& topic, std::int64_t which) {
  auto asked = partition_of(topic, which);
  auto error = rd_kafka_offsets_for_times(client_.get(), asked.get(), left_ms());
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || asked->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
    error = asked->elems[0].err;
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return failed("looking at the ends of topic " + topic, error);
  return asked->elems[0].offset;
}

expected<rd_kafka_t*> kafka_session::producer(const std::string& topic) {
  if (!producer_) {
    auto made = make(
      RD_KAFKA_PRODUCER,
      {{"enable.idempotence", "true"},
       {"acks", "all"},
       {"max.in.flight.requests.per.connection", "1"},
       {"linger.ms", "60000"}, // nothing is sent before all that goes together is there
       {"compression.type", "lz4"},
       {"message.max.bytes", std::to_string(kafka_messages::max_request_bytes)},
       // It is the deadline that ends a call; then the producer is dropped, and sends nothing any more.
       {"message.timeout.ms", std::to_string(options_.request_timeout_ms * 2 + 60'000)}},
      [](rd_kafka_conf_t& conf, void*) {
        rd_kafka_conf_set_error_cb(&conf, &kafka_session::on_error);
        rd_kafka_conf_set_dr_msg_cb(&conf, &kafka_messages::on_delivery);
      },
      this);
    if (!made) return tl::unexpected{made.error()};
    producer_ = std::move(*made);
  }
  if (writes_to_.contains(topic)) return producer_.get();
  // Asked beforehand, since a topic that is not known to the library yet costs it a second.
  kafka_topic to{rd_kafka_topic_new(producer_.get(), topic.c_str(), nullptr)};
  const rd_kafka_metadata_t* found = nullptr;
  auto error = rd_kafka_metadata(producer_.get(), 0, to.get(), &found, left_ms());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return failed("asking for topic " + topic, error);
  rd_kafka_metadata_destroy(found);
  writes_to_.insert(topic);
  return producer_.get();
}

tl::unexpected<failure> kafka_session::failed(const std::string& what, rd_kafka_resp_err_t error,
                                              const std::string& said) {
  for (auto* x : {client_.get(), producer_.get()})
    if (x != nullptr) rd_kafka_poll(x, 0); // what it has to say of its connections
  auto message = what + " in " + server_ + " failed: " + (said.empty() ? rd_kafka_err2str(error) : said);
  auto known = std::ranges::find(meanings, error, &meaning::error);
  if (known != std::end(meanings)) return fail(known->means, message + known->advice);
  if (heard_.is_refusal()) return refused(what, heard_);
  return lost(what, rd_kafka_err2str(error) + (heard_.text.empty() ? "" : " (" + heard_.text + ")"));
}

tl::unexpected<failure> kafka_session::refused(const std::string& what, const kafka_heard& heard) {
  is_lost_ = true;
  return fail(errc::config_invalid,
              what + " in " + server_ + " failed: " + heard.text + "; docs/brokers.md says how to get in");
}

tl::unexpected<failure> kafka_session::lost(const std::string& what, const std::string& why) {
  is_lost_ = true;
  return fail(errc::unreachable, server_ + " cannot be reached, or does not answer: " + what + ": " + why);
}

void kafka_session::drop() {
  if (producer_) rd_kafka_purge(producer_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  producer_.reset();
  client_.reset();
  topics_.clear();
  writes_to_.clear();
  is_lost_ = false;
}

} // namespace finstream
