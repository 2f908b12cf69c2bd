#include "runtime/broker/nats_session.hpp"

#include "runtime/broker/nats_handshake.hpp"
#include "runtime/clock/clock.hpp"

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <string_view>

namespace finstream {

namespace {

// The library (3.4.1) sends none of a signature that begins with a zero byte, as one of 256 does. The server gives
// something else to sign each time.
constexpr int attempts_with_credentials = 4;

struct meaning {
  int code;
  errc means;
  const char* advice;
};
// By JetStream's own codes, https://github.com/nats-io/nats-server/blob/v2.9.10/server/errors.json
constexpr meaning of_jetstream[] = {
  {JSStreamNotFoundErr, errc::not_found, "; open the stream first"},
  {JSConsumerNotFoundErr, errc::not_found, "; there is no such group"},
  {JSNoMessageFoundErr, errc::not_found, ""},
  {JSInsufficientResourcesErr, errc::overloaded, "; give JetStream more room"},
  {JSMemoryResourcesExceededErr, errc::overloaded, "; give JetStream more memory"},
  {JSStorageResourcesExceededErr, errc::overloaded, "; give JetStream more room on its disk"},
  {JSStreamStoreFailedErr, errc::overloaded, "; the stream has reached a limit of its own, or the disk is full"},
  {JSAccountResourcesExceededErr, errc::overloaded, "; the account has reached its limits"},
  {JSMaximumStreamsLimitErr, errc::overloaded, "; the account has as many streams as it may"},
  {JSClusterNotAvailErr, errc::unreachable, "; the cluster has no leader now"},
  {JSClusterNotLeaderErr, errc::unreachable, "; the cluster has another leader now"},
  {JSClusterNoPeersErr, errc::unreachable, "; the cluster has too few servers now"},
  {JSRaftGeneralErr, errc::unreachable, ""},
  {JSPeerRemapErr, errc::unreachable, ""},
  {JSStreamOfflineErr, errc::unreachable, ""},
  {JSConsumerOfflineErr, errc::unreachable, ""},
  // A new leader need not know the ids of what it has; where it really is another message the next publish finds it.
  {JSStreamWrongLastMsgIDErr, errc::unreachable, "; go on behind the last"},
  {JSStreamMessageExceedsMaximumErr, errc::invalid_argument, "; the stream has a limit of its own for messages"},
  {JSNotEnabledErr, errc::incompatible, "; start nats-server with -js"},
  {JSNotEnabledForAccountErr, errc::incompatible, "; enable JetStream for this account"},
};
constexpr meaning of_library[] = {
  {NATS_CONNECTION_AUTH_FAILED, errc::config_invalid,
   "; correct user and password in the url, or the credentials file"},
  {NATS_NOT_PERMITTED, errc::config_invalid, "; docs/brokers.md says what a user must be allowed to do"},
  {NATS_SECURE_CONNECTION_WANTED, errc::config_invalid,
   "; the server does not insist on TLS, as tls:// in the url asks of it; with nats:// all is said in clear"},
  {NATS_MAX_PAYLOAD, errc::invalid_argument, "; raise the server's max_payload"},
  {NATS_NOT_FOUND, errc::not_found, ""},
  {NATS_NO_RESPONDERS, errc::incompatible, "; JetStream does not answer: start nats-server with -js"},
};

template <std::size_t Count> const meaning* find(const meaning (&all)[Count], int code) {
  auto found = std::ranges::find(all, code, &meaning::code);
  return found == std::end(all) ? nullptr : found;
}

// What the library has to say of its last failure in this thread.
std::string last_words(natsStatus status) {
  auto* said = nats_GetLastError(nullptr);
  return said != nullptr && *said != '\0' ? said : natsStatus_GetText(status);
}

// The library writes user and password into JSON as they are.
std::string in_json(const std::string& text) {
  std::string out;
  for (auto c : text) {
    char escaped[8];
    if (static_cast<unsigned char>(c) < 0x20)
      out.append(escaped, static_cast<std::size_t>(std::snprintf(escaped, sizeof escaped, "\\u%04x", c)));
    else
      out += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
  }
  return out;
}

} // namespace

nats_session::nats_session(nats_address address, const broker_options& options)
  : address_{std::move(address)}, options_{options}, server_{"NATS at " + address_.text()} {}

void nats_session::begin(nanoseconds patience) {
  deadline_ = system_clock().monotonic() + patience + options_.request_timeout_ms * millisecond;
}

std::int64_t nats_session::left_ms() const {
  return std::max<std::int64_t>((deadline_ - system_clock().monotonic()) / millisecond, 1);
}
bool nats_session::is_over() const { return system_clock().monotonic() >= deadline_; }

jsOptions nats_session::options() const {
  jsOptions out;
  jsOptions_Init(&out);
  out.Wait = left_ms();
  return out;
}

expected<void> nats_session::prepare(natsOptions& wanted, std::int64_t timeout_ms) {
  for (auto status :
       {natsOptions_SetName(&wanted, "finstream"), natsOptions_SetTimeout(&wanted, timeout_ms),
        natsOptions_SetWriteDeadline(&wanted, options_.request_timeout_ms),
        // At the next call, and not by itself in between; and the one that is asked, not others that it speaks of.
        natsOptions_SetAllowReconnect(&wanted, false), natsOptions_SetIgnoreDiscoveredServers(&wanted, true)})
    if (status != NATS_OK) return failed("connecting", status);
  return prepare_security(wanted);
}

// The library takes tls:// for nats://, where a server does not insist on it: so this does.
expected<void> nats_session::prepare_security(natsOptions& wanted) {
  auto& files = options_.security;
  if (auto sound = check_readable(files); !sound) return sound;
  if (address_.is_tls)
    if (auto status = natsOptions_SetSecure(&wanted, true); status != NATS_OK) return failed("connecting", status);
  auto unsound = [](const std::string& file) {
    return fail(errc::config_invalid, file + " is not what it should be: " + last_words(NATS_SSL_ERROR));
  };
  if (!files.ca_file.empty() && natsOptions_LoadCATrustedCertificates(&wanted, files.ca_file.c_str()) != NATS_OK)
    return unsound(files.ca_file);
  if (!files.certificate_file.empty() &&
      natsOptions_LoadCertificatesChain(&wanted, files.certificate_file.c_str(), files.key_file.c_str()) != NATS_OK)
    return unsound(files.certificate_file + " or " + files.key_file);
  auto status = NATS_OK;
  auto& user = address_.user;
  if (!user.name.empty())
    status = user.password.empty()
               ? natsOptions_SetToken(&wanted, in_json(user.name).c_str())
               : natsOptions_SetUserInfo(&wanted, in_json(user.name).c_str(), in_json(user.password).c_str());
  if (status == NATS_OK && !files.credentials_file.empty()) // which is read when it connects
    status = natsOptions_SetUserCredentialsFromFiles(&wanted, files.credentials_file.c_str(), nullptr);
  return status == NATS_OK ? expected<void>{} : failed("connecting", status);
}

expected<void> nats_session::connect() {
  if (connection_ && natsConnection_Status(connection_.get()) == NATS_CONN_STATUS_CONNECTED) return {};
  context_.reset();
  connection_.reset();
  natsOptions* made = nullptr;
  if (auto status = natsOptions_Create(&made); status != NATS_OK) return failed("connecting", status);
  std::unique_ptr<natsOptions, nats_deleter<natsOptions_Destroy>> wanted{made};
  // Each of the servers may need all of its time.
  auto patience_ms = std::min<std::int64_t>(left_ms(), options_.connect_timeout_ms);
  auto timeout_ms = std::max<std::int64_t>(patience_ms / static_cast<std::int64_t>(address_.servers.size()), 1);
  if (auto sound = prepare(*wanted, timeout_ms); !sound) return sound;
  expected<void> entered;
  for (auto& server : address_.servers) {
    auto outcome = enter(server, *wanted, timeout_ms);
    if (outcome || entered || is_temporary(entered.error().code)) entered = std::move(outcome); // a refusal says more
    if (connection_) break;
  }
  if (!entered) return entered;
  jsCtx* context = nullptr;
  auto wait = options();
  if (auto status = natsConnection_JetStream(&context, connection_.get(), &wait); status != NATS_OK)
    return failed("connecting", status);
  context_.reset(context);
  max_payload_bytes_ = static_cast<std::size_t>(natsConnection_GetMaxPayload(connection_.get()));
  ++connects_;
  return {};
}

// One at a time: given all of them, the library says of the last only why not.
expected<void> nats_session::enter(const std::string& server, natsOptions& wanted, std::int64_t timeout_ms) {
  if (auto status = natsOptions_SetURL(&wanted, server.c_str()); status != NATS_OK) return failed("connecting", status);
  natsConnection* connection = nullptr;
  auto connected = NATS_OK;
  auto attempts = options_.security.credentials_file.empty() ? 1 : attempts_with_credentials;
  do {
    handshake_limit limit{static_cast<int>(timeout_ms)};
    connected = natsConnection_Connect(&connection, &wanted);
  } while (connected == NATS_CONNECTION_AUTH_FAILED && --attempts > 0 && !is_over());
  if (connected != NATS_OK) return not_let_in(connected);
  connection_.reset(connection);
  return {};
}

tl::unexpected<failure> nats_session::not_let_in(natsStatus status) {
  auto last = last_words(status);
  auto says_any_of = [&](std::initializer_list<const char*> words) {
    return std::ranges::any_of(words, [&](auto* x) { return last.find(x) != last.npos; });
  };
  auto message = "connecting to " + server_ + " failed: " + last;
  auto& files = options_.security;
  if (status == NATS_SSL_ERROR && says_any_of({"certificate", "mismatch", "alert"})) // and else it was the connection
    return fail(errc::config_invalid, message + "; look at the server's certificate, and at what is trusted: with " +
                                        "tls:// in the url, bus.broker.tls_ca_file");
  if (!files.credentials_file.empty() && says_any_of({files.credentials_file.c_str(), "nkey", "base32", "checksum"}))
    return fail(errc::config_invalid, message + "; look at " + files.credentials_file);
  if (status == NATS_PROTOCOL_ERROR && address_.is_tls && files.certificate_file.empty()) // by TLS 1.3 it is said late
    return lost("connecting", last + " (perhaps it wants a certificate of this program)");
  return failed("connecting", status);
}

tl::unexpected<failure> nats_session::failed(const std::string& what, natsStatus status, jsErrCode code) {
  auto last = last_words(status);
  auto message = what + " in " + server_ + " failed: " + last;
  if (auto* means = find(of_jetstream, code)) return fail(means->means, message + means->advice);
  if (auto* means = find(of_library, status)) return fail(means->means, message + means->advice);
  if (status == NATS_ERR && code != 0) return fail(errc::incompatible, message);
  return lost(what, last);
}

tl::unexpected<failure> nats_session::refused(const std::string& what, int code, const std::string& answer) {
  auto message = what + " in " + server_ + " failed: " + answer;
  if (auto* means = find(of_jetstream, code)) return fail(means->means, message + means->advice);
  return fail(errc::incompatible, message);
}

tl::unexpected<failure> nats_session::lost(const std::string& what, const std::string& why) {
  context_.reset();
  connection_.reset();
  return fail(errc::unreachable, server_ + " cannot be reached, or does not answer: " + what + ": " + why);
}

} // namespace finstream
