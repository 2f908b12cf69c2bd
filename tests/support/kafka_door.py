#!/usr/bin/env python3
"""A door before a Kafka that has none, such as the mock cluster of librdkafka: TLS, SASL or both.

    kafka_door.py --port 9093 --to 127.0.0.1:9092 [--certificate PEM --key PEM [--client-ca PEM]]
                  [--mechanism SCRAM-SHA-512 --user NAME --password TEXT]

What comes in is let through when it has shown who it is (PLAIN: RFC 4616; SCRAM: RFC 5802); what goes out names this
door wherever it named the server behind it. Requests are those of https://kafka.apache.org/protocol.
"""
import argparse
import base64
import hashlib
import hmac
import secrets
import select
import socket
import ssl
import struct
import threading

API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE = 18, 17, 36
UNSUPPORTED_MECHANISM, AUTHENTICATION_FAILED = 33, 58
ITERATIONS = 4096


class Frames:
    """What is said on a connection, in pieces with their size before them."""

    def __init__(self, connection):
        self.connection = connection
        self.read = b""

    def fileno(self):
        return self.connection.fileno()

    def take(self):
        """One that is here as a whole, or None."""
        size = struct.unpack_from(">i", self.read)[0] if len(self.read) >= 4 else 0
        if not size or len(self.read) < 4 + size:
            return None
        out, self.read = self.read[4:4 + size], self.read[4 + size:]
        return out

    def receive(self):
        some = self.connection.recv(1 << 20)
        if not some:
            raise EOFError
        self.read += some
        while isinstance(self.connection, ssl.SSLSocket) and self.connection.pending():
            self.read += self.connection.recv(1 << 20)

    def wait(self):
        while (out := self.take()) is None:
            self.receive()
        return out

    def send(self, frame):
        self.connection.sendall(struct.pack(">i", len(frame)) + frame)


def text(x):
    return struct.pack(">h", len(x)) + x.encode()


# --- who it is --------------------------------------------------------------------------------------------------------

class Refused(Exception):
    pass


class Plain:
    def __init__(self, user, password):
        self.expected = f"\0{user}\0{password}".encode()

    def answer(self, said):
        if said != self.expected:
            raise Refused
        return b"", True


class Scram:
    def __init__(self, digest, user, password):
        self.digest, self.user = digest, user
        self.salt, self.nonce = secrets.token_bytes(16), secrets.token_hex(12)
        salted = hashlib.pbkdf2_hmac(digest, password.encode(), self.salt, ITERATIONS)
        self.client_key, self.server_key = self.keyed(salted, b"Client Key"), self.keyed(salted, b"Server Key")
        self.first = self.challenge = None

    def keyed(self, key, what):
        return hmac.new(key, what, self.digest).digest()

    def answer(self, said):
        if self.first is None:
            self.first = said.decode()[len("n,,"):]
            told = dict(x.split("=", 1) for x in self.first.split(","))
            if told["n"] != self.user:
                raise Refused
            self.challenge = f"r={told['r']}{self.nonce},s={base64.b64encode(self.salt).decode()},i={ITERATIONS}"
            return self.challenge.encode(), False
        without_proof, proof = said.decode().rsplit(",p=", 1)
        everything = ",".join([self.first, self.challenge, without_proof]).encode()
        signature = self.keyed(hashlib.new(self.digest, self.client_key).digest(), everything)
        expected = bytes(x ^ y for x, y in zip(self.client_key, signature))
        if base64.b64decode(proof) != expected:
            raise Refused
        return b"v=" + base64.b64encode(self.keyed(self.server_key, everything)), True


def make_mechanism(options):
    if options.mechanism == "PLAIN":
        return Plain(options.user, options.password)
    return Scram(options.mechanism.removeprefix("SCRAM-").replace("-", "").lower(), options.user, options.password)


def with_sasl(versions, version):
    """The server's answer to ApiVersions, and the two requests that it does not know."""
    known = [(SASL_HANDSHAKE, 0, 1), (SASL_AUTHENTICATE, 0, 1)]
    if version < 3:
        count = struct.unpack_from(">i", versions, 6)[0]
        end = 10 + 6 * count
        new = b"".join(struct.pack(">hhh", *x) for x in known)
        return versions[:6] + struct.pack(">i", count + len(known)) + versions[10:end] + new + versions[end:]
    count = versions[6] - 1  # an unsigned varint; a mock has less than a hundred
    end = 7 + 7 * count
    new = b"".join(struct.pack(">hhhB", *x, 0) for x in known)
    return versions[:6] + bytes([count + 1 + len(known)]) + versions[7:end] + new + versions[end:]


def ask_who(options, client, server):
    mechanism = make_mechanism(options)
    while True:
        frame = client.wait()
        request, version, number = struct.unpack_from(">hhi", frame)
        name_size = struct.unpack_from(">h", frame, 8)[0]
        body = frame[10 + max(name_size, 0):]
        is_in = False
        if request == API_VERSIONS:
            server.send(frame)
            answer = with_sasl(server.wait(), version)
        elif request == SASL_HANDSHAKE:
            error = 0 if body[2:].decode() == options.mechanism else UNSUPPORTED_MECHANISM
            answer = struct.pack(">ihi", number, error, 1) + text(options.mechanism)
        elif request == SASL_AUTHENTICATE:
            try:
                told, is_in = mechanism.answer(body[4:])
                answer = struct.pack(">ihhi", number, 0, -1, len(told)) + told
            except Refused:
                answer = struct.pack(">ih", number, AUTHENTICATION_FAILED) + text("it is not them") + struct.pack(">i", 0)
            answer += struct.pack(">q", 0) if version > 0 else b""
        else:
            return False  # of nobody we know
        client.send(answer)
        if is_in:
            return True


# --- the door ---------------------------------------------------------------------------------------------------------

def serve(options, tls, connection):
    host, port = options.to.split(":")
    theirs, ours = (host.encode() + struct.pack(">i", int(x)) for x in (port, options.port))
    try:
        if tls:
            connection = tls.wrap_socket(connection, server_side=True)
        with connection, socket.create_connection((host, int(port))) as behind:
            client, server = Frames(connection), Frames(behind)
            if options.mechanism and not ask_who(options, client, server):
                return
            while True:
                while (frame := client.take()) is not None:
                    server.send(frame)
                while (frame := server.take()) is not None:
                    client.send(frame.replace(theirs, ours))
                for x in select.select([client, server], [], [])[0]:
                    x.receive()
    except (EOFError, OSError):
        connection.close()  # one of them has hung up


def main():
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--port", type=int, required=True)
    asked.add_argument("--to", required=True)
    for name in ("certificate", "key", "client-ca", "mechanism", "user", "password"):
        asked.add_argument(f"--{name}")
    options = asked.parse_args()
    tls = None
    if options.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=options.client_ca)
        tls.load_cert_chain(options.certificate, options.key)
        if options.client_ca:
            tls.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", options.port)) as door:
        while True:
            connection, _ = door.accept()
            threading.Thread(target=serve, args=(options, tls, connection), daemon=True).start()


main()
