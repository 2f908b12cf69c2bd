"""A WebSocket client of a page: RFC 6455 over a socket, texts and control frames, nothing that a scenario does not need."""

import base64
import json
import os
import select
import socket
import struct
import time

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Closed(Exception):
    """The server has closed: `code` as it said, 0 if it said nothing."""

    def __init__(self, code, reason=""):
        super().__init__(f"closed with {code} {reason}")
        self.code, self.reason = code, reason


class Client:
    def __init__(self, port, path="/v1/stream", receive_bytes=0, timeout=30):
        self.socket = socket.socket()
        if receive_bytes:  # a small buffer makes a client slow at once
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: node\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.received = b""
        head = self._until(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise Closed(0, head.decode(errors="replace"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _more(self):
        try:
            some = self.socket.recv(65536)
        except ConnectionError:
            some = b""
        if not some:
            raise Closed(0, "without a close frame")
        self.received += some

    def _until(self, end):
        while end not in self.received:
            self._more()
        head, _, self.received = self.received.partition(end)
        return head

    def _take(self, count):
        while len(self.received) < count:
            self._more()
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def send_frame(self, opcode, payload, final=True):
        mask = os.urandom(4)
        length = len(payload)
        if length < 126:
            size = struct.pack("!B", 0x80 | length)
        elif length < 65536:
            size = struct.pack("!BH", 0x80 | 126, length)
        else:
            size = struct.pack("!BQ", 0x80 | 127, length)
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
        self.socket.sendall(struct.pack("!B", (0x80 if final else 0) | opcode) + size + mask + masked)

    def receive_frame(self):
        first, second = self._take(2)
        length = second & 127
        if length == 126:
            length = struct.unpack("!H", self._take(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self._take(8))[0]
        return first & 15, self._take(length)

    # --- texts

    def say(self, command):
        self.send_frame(TEXT, (command if isinstance(command, str) else json.dumps(command)).encode())

    def _next(self):
        """The next frame. A ping is answered on the way."""
        opcode, payload = self.receive_frame()
        if opcode == PING:
            self.send_frame(PONG, payload)
        elif opcode == CLOSE:
            raise Closed(struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 0, payload[2:].decode(errors="replace"))
        return opcode, payload

    def messages(self):
        """The next frame of text: a list of objects."""
        while True:
            opcode, payload = self._next()
            if opcode == TEXT:
                return json.loads(payload)

    def listen(self, seconds):
        """For so long, and passes over what comes: a client that answers no pings is taken for gone."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.received or select.select([self.socket], [], [], left)[0]:
                self._next()

    def until(self, kind):
        """The next object of this type; what comes before it is passed over."""
        while True:
            for message in self.messages():
                if message["type"] == kind:
                    return message
