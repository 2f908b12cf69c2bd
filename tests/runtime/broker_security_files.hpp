// Certificates, keys and tokens for a test of its own: tests/support/security_files.py says which there are.
#pragma once

#include "runtime/broker/security.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstdlib>
#include <string>

namespace finstream::test {

class security_files {
public:
  security_files() {
    auto command = "/usr/bin/python3 -B " FINSTREAM_SOURCE_DIR "/tests/support/security_files.py " + directory_.path();
    CAF_REQUIRE(std::system(command.c_str()) == 0); // python3-cryptography of .ci/packages.txt, [test]
  }
  std::string path(const std::string& name) const { return directory_.path() + "/" + name; }

  broker_security trusting(const std::string& ca) const {
    broker_security out;
    out.ca_file = path(ca);
    return out;
  }
  // As somebody whom the servers here know.
  broker_security shown() const {
    auto out = trusting("ca.pem");
    out.certificate_file = path("node.pem");
    out.key_file = path("node.key");
    return out;
  }
  broker_security credited(const std::string& credentials) const {
    auto out = trusting("ca.pem");
    out.credentials_file = path(credentials);
    return out;
  }

private:
  temp_dir directory_;
};

} // namespace finstream::test
