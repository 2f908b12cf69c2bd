// A Kafka for scenarios: librdkafka's mock cluster as a program. kafka_mock TOPIC... makes these topics (no client can
// make one here), prints where it is, and serves until it is ended. All is in memory: to be away, it is stopped and
// continued.
#include <csignal>
#include <cstdio>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int count, char** words) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto* conf = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(conf, nullptr);
  auto* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
  auto* cluster = client != nullptr ? rd_kafka_mock_cluster_new(client, 1) : nullptr;
  if (cluster == nullptr) {
    std::fprintf(stderr, "kafka_mock: the mock cluster cannot be made\n");
    return 1;
  }
  for (int i = 1; i < count; ++i)
    if (rd_kafka_mock_topic_create(cluster, words[i], 1, 1) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      std::fprintf(stderr, "kafka_mock: topic %s cannot be made\n", words[i]);
      return 1;
    }
  std::printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
  std::fflush(stdout);
  for (;;) pause();
}
