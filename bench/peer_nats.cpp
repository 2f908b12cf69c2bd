// NATS JetStream at our job: one producer that publishes 170-byte lines asynchronously (1000 underway), one consumer
// that fetches and acknowledges them, at the same time.   usage: peer_nats PORT EVENTS   -> one JSON object
#include <nats/nats.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>

namespace {

double now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

void must(natsStatus s, const char* what) {
  if (s != NATS_OK) std::fprintf(stderr, "peer_nats: %s: %s\n", what, natsStatus_GetText(s)), std::exit(1);
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: peer_nats PORT EVENTS\n"), 2;
  auto url = "nats://127.0.0.1:" + std::string{argv[1]};
  auto events = std::atol(argv[2]);
  natsConnection* connection = nullptr;
  jsCtx* js = nullptr;
  must(natsConnection_ConnectTo(&connection, url.c_str()), "connect");
  jsOptions options;
  jsOptions_Init(&options);
  options.PublishAsync.MaxPending = 1000;
  must(natsConnection_JetStream(&js, connection, &options), "JetStream");
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  const char* subjects[] = {"events"};
  config.Name = "EVENTS";
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Storage = js_FileStorage;
  must(js_AddStream(nullptr, js, &config, nullptr, nullptr), "add stream");
  natsSubscription* subscription = nullptr;
  must(js_PullSubscribe(&subscription, js, "events", "g", nullptr, nullptr, nullptr), "subscribe");
  auto began = now();
  std::thread consumer{[&] {
    for (long done = 0; done < events;) {
      natsMsgList list{};
      auto s = natsSubscription_Fetch(&list, subscription, 1000, 1000, nullptr);
      if (s != NATS_OK && s != NATS_TIMEOUT) must(s, "fetch");
      for (int i = 0; i < list.Count; ++i) natsMsg_Ack(list.Msgs[i], nullptr);
      done += list.Count;
      natsMsgList_Destroy(&list);
    }
  }};
  std::string line =
    R"({"ver":1,"provider":"synthetic","symbol":"SYM042","kind":"tick","src_ts":"2026-11-21T09:10:00.123456789Z","price":425.15,"size":1200,"seq":)";
  for (long i = 0; i < events; ++i) {
    auto text = line + std::to_string(10'000'000 + i) + R"(,"note":"----"})";
    must(js_PublishAsync(js, "events", text.data(), static_cast<int>(text.size()), nullptr), "publish");
  }
  must(js_PublishAsyncComplete(js, nullptr), "publish");
  consumer.join();
  std::printf("{\"events\":%ld,\"seconds\":%.3f}\n", events, now() - began);
  natsSubscription_Destroy(subscription);
  jsCtx_Destroy(js);
  natsConnection_Destroy(connection);
  return 0;
}
