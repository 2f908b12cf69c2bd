// A Kafka of the tests' own: librdkafka's mock cluster, in this process. It has topics, idempotent producers, offsets
// and groups; it cannot make topics when asked by a client, list groups, or remove anything. What a driver asks of its
// admin is therefore done here by the mock's own functions, or written down.
#pragma once

#include "runtime/broker/kafka_broker.hpp"
#include "tests/runtime/broker_language.hpp"

#include <librdkafka/rdkafka_mock.h>

namespace finstream::test {

class kafka_mock {
public:
  kafka_mock() {
    auto* conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, nullptr);
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
    cluster_ = rd_kafka_mock_cluster_new(client_, 1);
    CAF_REQUIRE(cluster_ != nullptr);
  }
  kafka_mock(const kafka_mock&) = delete;
  kafka_mock& operator=(const kafka_mock&) = delete;
  ~kafka_mock() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }

  std::unique_ptr<broker> open(broker_options options) {
    if (options.url.empty()) options.url = url();
    return std::make_unique<kafka_broker>(must(parse_kafka_url(options.url)), options, std::make_unique<admin>(*this));
  }
  std::string url() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  rd_kafka_mock_cluster_t* cluster() const { return cluster_; }

  void go_down() { rd_kafka_mock_broker_set_down(cluster_, 1); }
  void come_up() { rd_kafka_mock_broker_set_up(cluster_, 1); }
  // To the next requests of a kind (https://kafka.apache.org/protocol#protocol_api_keys).
  void refuse(std::int16_t request, std::vector<rd_kafka_resp_err_t> errors) {
    rd_kafka_mock_push_request_errors_array(cluster_, request, errors.size(), errors.data());
  }
  void make_topic(const std::string& topic, int partitions = 1) {
    CAF_REQUIRE(rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  // A client of somebody else's, which writes what it likes; not idempotent, so that it can wait in nobody's way.
  void write(const std::string& topic, const std::string& body, std::size_t count = 1) {
    auto* conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, nullptr);
    rd_kafka_conf_set(conf, "bootstrap.servers", url().c_str(), nullptr, 0);
    rd_kafka_conf_set(conf, "message.max.bytes", "20000000", nullptr, 0);
    kafka_client with{rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0)};
    kafka_topic to{rd_kafka_topic_new(with.get(), topic.c_str(), nullptr)};
    for (std::size_t i = 0; i < count; ++i)
      CAF_REQUIRE(rd_kafka_produce(to.get(), kafka_partition, RD_KAFKA_MSG_F_COPY, const_cast<char*>(body.data()),
                                   body.size(), nullptr, 0, nullptr) == 0);
    CAF_REQUIRE(rd_kafka_flush(with.get(), 10'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  std::vector<std::string> group_ids;              // that the admin answers
  std::map<std::string, std::int64_t> drop_before; // by topic: what it was asked to drop, and did not

private:
  class admin : public kafka_admin {
  public:
    explicit admin(kafka_mock& server) : server_{server} {}
    expected<void> create_topic(kafka_session&, const std::string& topic) override {
      rd_kafka_mock_topic_create(server_.cluster_, topic.c_str(), 1, 1); // or it is there
      return {};
    }
    expected<void> remove_topic(kafka_session&, const std::string&) override { return cannot(); }
    expected<void> remove_group(kafka_session&, const std::string&) override { return cannot(); }
    expected<void> drop_before(kafka_session&, const std::string& topic, std::int64_t offset) override {
      server_.drop_before[topic] = offset;
      return {};
    }
    expected<std::vector<std::string>> group_ids(kafka_session&) override { return server_.group_ids; }

  private:
    static tl::unexpected<failure> cannot() { return fail(errc::incompatible, "the mock cluster cannot remove"); }
    kafka_mock& server_;
  };

  rd_kafka_t* client_;
  rd_kafka_mock_cluster_t* cluster_;
};

} // namespace finstream::test
