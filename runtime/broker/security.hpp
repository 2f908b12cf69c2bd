// What a broker that is not open to everybody asks for, beside the user and the password of its url.
#pragma once

#include "messages/errors.hpp"

#include <cstdint>
#include <string>

namespace finstream {

// How a password is shown to Kafka: in clear (RFC 4616), or as the answer to a challenge (RFC 5802, RFC 7677).
enum class sasl_mechanism : std::uint8_t { plain, scram_sha_256, scram_sha_512 };

// Paths of files in PEM, empty where there is none. They are read with each new connection.
struct broker_security {
  std::string ca_file;          // whose signature on the broker's certificate counts; empty: whom this machine trusts
  std::string certificate_file; // what this program shows of itself, where the broker asks for it ...
  std::string key_file;         // ... and its private key
  std::string credentials_file; // of NATS: a user's token and seed, one behind the other (.creds)
  sasl_mechanism mechanism = sasl_mechanism::scram_sha_512; // of Kafka

  friend bool operator==(const broker_security&, const broker_security&) = default;
};

// Errors: config_invalid, with the first file that this process cannot read, and why. What is in it, the library of the
// driver looks at.
expected<void> check_readable(const broker_security& x);

} // namespace finstream
