#include "runtime/broker/nats_session.hpp"

#include "runtime/clock/clock.hpp"

#include <algorithm>
#include <string_view>

namespace finstream {

namespace {

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
  {NATS_SECURE_CONNECTION_WANTED, errc::config_invalid, "; the server has no TLS: write nats:// in the url"},
  {NATS_SECURE_CONNECTION_REQUIRED, errc::config_invalid, "; the server wants TLS: write tls:// in the url"},
  {NATS_SSL_ERROR, errc::config_invalid, "; look at the server's certificate"},
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

} // namespace

expected<nats_address> parse_nats_url(const std::string& url) {
  nats_address out{url, {}, url.starts_with("tls://")};
  auto scheme = std::string_view{out.is_tls ? "tls://" : "nats://"};
  for (std::string_view rest{url}; out.shown.empty() || !rest.empty();) {
    auto one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    auto has_scheme = one.starts_with(scheme);
    if (has_scheme) one.remove_prefix(scheme.size());
    if (auto at = one.rfind('@'); at != one.npos) one.remove_prefix(at + 1);
    if (!has_scheme || one.empty() || one.starts_with(':'))
      return fail(errc::invalid_argument,
                  "the url of NATS is not understood: it is nats://[user:password@]host[:port] or "
                  "tls://..., or several of one kind with commas between them");
    out.shown += (out.shown.empty() ? "" : ",") + std::string{scheme} + std::string{one};
  }
  return out;
}

nats_session::nats_session(nats_address address, const broker_options& options)
  : address_{std::move(address)}, options_{options}, server_{"NATS at " + address_.shown} {}

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

// The library takes tls:// for nats://, where a server does not insist on it: so this does.
expected<void> nats_session::prepare(natsOptions& wanted) const {
  natsOptions_SetURL(&wanted, address_.url.c_str());
  natsOptions_SetName(&wanted, "finstream");
  natsOptions_SetTimeout(&wanted, std::min<std::int64_t>(left_ms(), options_.connect_timeout_ms));
  natsOptions_SetWriteDeadline(&wanted, options_.request_timeout_ms);
  natsOptions_SetAllowReconnect(&wanted, false); // at the next call, and not by itself in between
  natsOptions_SetSecure(&wanted, address_.is_tls);
  auto& files = options_.security;
  auto unsound = [](const std::string& file) {
    return fail(errc::config_invalid, file + " is not what it should be: " + last_words(NATS_SSL_ERROR));
  };
  if (auto sound = check_readable(files); !sound) return sound;
  if (!files.ca_file.empty() && natsOptions_LoadCATrustedCertificates(&wanted, files.ca_file.c_str()) != NATS_OK)
    return unsound(files.ca_file);
  if (!files.certificate_file.empty() &&
      natsOptions_LoadCertificatesChain(&wanted, files.certificate_file.c_str(), files.key_file.c_str()) != NATS_OK)
    return unsound(files.certificate_file + " or " + files.key_file);
  if (!files.credentials_file.empty())
    natsOptions_SetUserCredentialsFromFiles(&wanted, files.credentials_file.c_str(), nullptr); // read when it connects
  return {};
}

expected<void> nats_session::connect() {
  if (connection_ && natsConnection_Status(connection_.get()) == NATS_CONN_STATUS_CONNECTED) return {};
  context_.reset();
  connection_.reset();
  natsOptions* made = nullptr;
  if (auto status = natsOptions_Create(&made); status != NATS_OK) return failed("connecting", status);
  std::unique_ptr<natsOptions, nats_deleter<natsOptions_Destroy>> wanted{made};
  if (auto sound = prepare(*wanted); !sound) return sound;
  natsConnection* connection = nullptr;
  if (auto status = natsConnection_Connect(&connection, made); status != NATS_OK) return not_let_in(status);
  connection_.reset(connection);
  jsCtx* context = nullptr;
  auto wait = options();
  if (auto status = natsConnection_JetStream(&context, connection, &wait); status != NATS_OK)
    return failed("connecting", status);
  context_.reset(context);
  max_payload_bytes_ = static_cast<std::size_t>(natsConnection_GetMaxPayload(connection));
  ++connects_;
  return {};
}

tl::unexpected<failure> nats_session::not_let_in(natsStatus status) {
  auto& files = options_.security;
  auto last = last_words(status);
  if (!files.credentials_file.empty() && last.find(files.credentials_file) != last.npos)
    return fail(errc::config_invalid, "connecting to " + server_ + " failed: " + last);
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
