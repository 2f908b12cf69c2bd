// INTERNAL to runtime/broker: what a client of Kafka's library has said of its connections, which it says to nobody who
// waits for an answer.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <librdkafka/rdkafka.h>
#include <string>

namespace finstream {

struct kafka_heard {
  std::string text; // what was said last; empty: nothing
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;

  void hear(int what, const char* reason) {
    if (what == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) return; // the reason was there before
    if (is_refusal()) return;                                // this says more than that another does not answer
    text = reason;
    error = static_cast<rd_kafka_resp_err_t>(what);
  }
  // Who asks again as before is told the same. A broker that only hangs up may be one that is just ending.
  bool is_refusal() const {
    if (error == RD_KAFKA_RESP_ERR__AUTHENTICATION) return true;
    auto begin = text.find("SSL "); // before it is the name of a host, which may be anything
    return begin != text.npos && std::ranges::any_of(std::initializer_list{"certificate", "mismatch", "alert"},
                                                     [&](auto* x) { return text.find(x, begin) != text.npos; });
  }
};

} // namespace finstream
