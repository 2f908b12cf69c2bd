#!/usr/bin/env python3
"""Makes what brokers ask for before they let anybody in, for tests: security_files.py DIRECTORY

ca.pem                        signs the certificates below
broker.pem, broker.key        of a server on localhost
elsewhere.pem, elsewhere.key  of a server of another name
node.pem, node.key            of a client
other_ca.pem                  has signed none of them, but
other_node.pem, .key          of a client that others trust
accounts.conf                 makes a NATS server ask for tokens, with JetStream for the one account
user.creds                    a token of that account
stranger.creds                a token of an account that the server does not know
"""
import base64
import datetime
import ipaddress
import json
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

DAYS_VALID = 30


# --- certificates -----------------------------------------------------------------------------------------------------

class Party:
    """A name with a key, and a certificate that `issuer` has signed, or it itself."""

    def __init__(self, name, issuer=None, hosts=()):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer or self
        now = datetime.datetime.utcnow()
        made = (x509.CertificateBuilder().subject_name(self.name).issuer_name(signer.name)
                .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(days=1))
                .not_valid_after(now + datetime.timedelta(days=DAYS_VALID))
                .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True))
        if hosts:
            made = made.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        self.certificate = made.sign(signer.key, hashes.SHA256())

    def write(self, directory, name, with_key=True):
        (directory / f"{name}.pem").write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        if with_key:
            (directory / f"{name}.key").write_bytes(self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def write_certificates(directory):
    ca = Party("authority")
    local = [x509.DNSName("localhost"), x509.DNSName("127.0.0.1"),
             x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    ca.write(directory, "ca", with_key=False)
    other_ca = Party("other authority")
    other_ca.write(directory, "other_ca", with_key=False)
    Party("broker", ca, local).write(directory, "broker")
    Party("elsewhere", ca, [x509.DNSName("elsewhere.example")]).write(directory, "elsewhere")
    Party("node", ca).write(directory, "node")
    Party("node", other_ca).write(directory, "other_node")


# --- tokens of NATS: https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt ------------

OPERATOR, ACCOUNT, USER, SEED = 14 << 3, 0, 20 << 3, 18 << 3  # what the first letter of a key comes from


def crc16(data):
    out = 0
    for byte in data:
        out ^= byte << 8
        for _ in range(8):
            out = (out << 1 ^ 0x1021 if out & 0x8000 else out << 1) & 0xFFFF
    return out


def key_text(prefix, raw):
    data = bytes(prefix) + raw
    return base64.b32encode(data + crc16(data).to_bytes(2, "little")).decode().rstrip("=")


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Identity:
    def __init__(self, kind):
        self.key = ed25519.Ed25519PrivateKey.generate()
        raw = serialization.Encoding.Raw
        self.public = key_text([kind], self.key.public_key().public_bytes(raw, serialization.PublicFormat.Raw))
        seed = self.key.private_bytes(raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
        self.seed = key_text([SEED | kind >> 5, (kind & 31) << 3], seed)

    def token(self, subject, name, kind, **more):
        """What this one says of `subject`."""
        claims = {"jti": name, "iat": 1_700_000_000, "iss": self.public, "name": name, "sub": subject.public,
                  "nats": {"type": kind, "version": 2, **more}}
        said = ".".join(base64url(json.dumps(x).encode()) for x in ({"typ": "JWT", "alg": "ed25519-nkey"}, claims))
        return said + "." + base64url(self.key.sign(said.encode()))


def write_user(path, account, name):
    user = Identity(USER)
    token = account.token(user, name, "user", pub={}, sub={}, subs=-1, data=-1, payload=-1)
    path.write_text(f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
                    f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n")


def write_accounts(directory):
    operator, account, system = Identity(OPERATOR), Identity(ACCOUNT), Identity(ACCOUNT)
    limits = {"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": True, "conn": -1,
              "leaf": -1}
    streams = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    (directory / "accounts.conf").write_text(
        f'operator: "{operator.token(operator, "operator", "operator")}"\n'
        f'system_account: {system.public}\n'
        f'resolver: MEMORY\n'
        f'resolver_preload: {{\n'
        f'  {system.public}: "{operator.token(system, "system", "account", limits=limits)}"\n'
        f'  {account.public}: "{operator.token(account, "account", "account", limits=limits | streams)}"\n'
        f'}}\n')
    write_user(directory / "user.creds", account, "user")
    write_user(directory / "stranger.creds", Identity(ACCOUNT), "stranger")


if __name__ == "__main__":
    where = pathlib.Path(sys.argv[1])
    write_certificates(where)
    write_accounts(where)
