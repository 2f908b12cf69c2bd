// INTERNAL to runtime/broker: one connection to NATS, and its calls with deadlines and failures as values. The client
// library has threads of its own for it, which end with it; nothing of ours runs on them.
#pragma once

#include "messages/value/timestamp.hpp"
#include "runtime/broker/broker.hpp"
#include "runtime/broker/nats_address.hpp"

#include <memory>
#include <nats/nats.h>
#include <string>

namespace finstream {

template <auto Destroy> struct nats_deleter {
  template <class T> void operator()(T* x) const { Destroy(x); }
};
using nats_message = std::unique_ptr<natsMsg, nats_deleter<natsMsg_Destroy>>;
using nats_subscription = std::unique_ptr<natsSubscription, nats_deleter<natsSubscription_Destroy>>;
using nats_stream_info = std::unique_ptr<jsStreamInfo, nats_deleter<jsStreamInfo_Destroy>>;
using nats_consumers = std::unique_ptr<jsConsumerInfoList, nats_deleter<jsConsumerInfoList_Destroy>>;

class nats_session {
public:
  nats_session(nats_address address, const broker_options& options);

  // The deadline of what follows: so long as it may be `patient`, and then the time-out of a request.
  void begin(nanoseconds patience = 0);
  std::int64_t left_ms() const; // until then; at least 1
  bool is_over() const;
  jsOptions options() const; // for one request

  // Connects if need be.
  expected<void> connect();
  // A failure of what was asked for, by the library's or JetStream's own code. The connection is given up where it is
  // the connection that failed.
  tl::unexpected<failure> failed(const std::string& what, natsStatus status, jsErrCode code = {});
  // By the code of an answer that JetStream gave.
  tl::unexpected<failure> refused(const std::string& what, int code, const std::string& answer);
  tl::unexpected<failure> lost(const std::string& what, const std::string& why);

  natsConnection* connection() const { return connection_.get(); }
  jsCtx* context() const { return context_.get(); }
  std::uint64_t connects() const { return connects_; } // grows when there is a new connection
  std::size_t max_payload_bytes() const { return max_payload_bytes_; }
  const std::string& server() const { return server_; } // "NATS at nats://host:port"

private:
  expected<void> prepare(natsOptions& wanted, std::int64_t timeout_ms);
  expected<void> prepare_security(natsOptions& wanted);
  expected<void> enter(const std::string& server, natsOptions& wanted, std::int64_t timeout_ms);
  tl::unexpected<failure> not_let_in(natsStatus status);

  nats_address address_;
  broker_options options_;
  std::string server_;
  nanoseconds deadline_ = 0;
  std::uint64_t connects_ = 0;
  std::size_t max_payload_bytes_ = 1u << 20; // what a server has unless it is told otherwise
  std::unique_ptr<natsConnection, nats_deleter<natsConnection_Destroy>> connection_;
  std::unique_ptr<jsCtx, nats_deleter<jsCtx_Destroy>> context_;
};

} // namespace finstream
