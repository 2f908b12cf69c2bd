// Redis Streams at our job: one producer that pipelines 1000 XADDs of a 170-byte line, one consumer that reads them in
// a group and acknowledges, at the same time.   usage: peer_redis PORT EVENTS   -> one JSON object
#include <hiredis/hiredis.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>

namespace {

constexpr int pipeline = 1000;

double now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

redisContext* connect(int port) {
  auto* c = redisConnect("127.0.0.1", port);
  if (c == nullptr || c->err != 0)
    std::fprintf(stderr, "peer_redis: cannot connect to 127.0.0.1:%d\n", port), std::exit(1);
  return c;
}

void produce(int port, long events) {
  auto* c = connect(port);
  std::string line =
    R"({"ver":1,"provider":"synthetic","symbol":"SYM042","kind":"tick","src_ts":"2026-11-21T09:10:00.123456789Z","price":425.15,"size":1200,"seq":)";
  for (long done = 0; done < events; done += pipeline) {
    for (int i = 0; i < pipeline; ++i) {
      auto text = line + std::to_string(10'000'000 + done + i) + R"(,"note":"----"})";
      redisAppendCommand(c, "XADD events * e %b", text.data(), text.size());
    }
    for (int i = 0; i < pipeline; ++i) {
      void* reply = nullptr;
      if (redisGetReply(c, &reply) != REDIS_OK) std::exit(1);
      freeReplyObject(reply);
    }
  }
  redisFree(c);
}

void consume(int port, long events) {
  auto* c = connect(port);
  for (long done = 0; done < events;) {
    auto* reply =
      static_cast<redisReply*>(redisCommand(c, "XREADGROUP GROUP g c COUNT 1000 BLOCK 1000 STREAMS events >"));
    if (reply == nullptr) std::exit(1);
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements != 0) {
      auto* entries = reply->element[0]->element[1];
      std::string ack = "XACK events g";
      for (std::size_t i = 0; i < entries->elements; ++i)
        ack += std::string{" "} + entries->element[i]->element[0]->str;
      done += static_cast<long>(entries->elements);
      freeReplyObject(redisCommand(c, ack.c_str()));
    }
    freeReplyObject(reply);
  }
  redisFree(c);
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: peer_redis PORT EVENTS\n"), 2;
  auto port = std::atoi(argv[1]);
  auto events = std::atol(argv[2]) / pipeline * pipeline;
  auto* c = connect(port);
  freeReplyObject(redisCommand(c, "DEL events"));
  freeReplyObject(redisCommand(c, "XGROUP CREATE events g $ MKSTREAM"));
  auto began = now();
  std::thread consumer{consume, port, events};
  produce(port, events);
  consumer.join();
  std::printf("{\"events\":%ld,\"seconds\":%.3f}\n", events, now() - began);
  redisFree(c);
  return 0;
}
