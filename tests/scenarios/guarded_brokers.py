#!/usr/bin/env python3
"""Brokers that let in only who may: guarded_brokers.py SCENARIO --binaries DIRECTORY. A node that may works as on any broker, also
when its broker was away; to one that may not it is said why, by the end of the node and by `finstream doctor`.
"""

import contextlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

from broker_trouble import doctor, must_refuse, on, walk
from node import Node, check, run_scenarios, wait_for
from servers import Kafka, KafkaDoor, Nats

EVENTS = 20_000
PROGRAM = pathlib.Path(__file__).parent.parent / "support" / "security_files.py"
USER, WRONG_USER = "node:pass%40word@", "node:guessed@"
SECRETS = "pass%40word", "pass@word", "guessed"


@contextlib.contextmanager
def security_files():
    """A function from a name to a path; the names are those that security_files.py says."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["/usr/bin/python3", "-B", PROGRAM, directory], check=True, timeout=60)
        yield lambda name: str(pathlib.Path(directory) / name)


def works(programs, server, url, security):
    """Through an outage, too; and all is there for the next."""
    settings = on(server.driver, url, security)
    with Node(programs, [walk(programs, "--rate", 5000, "--count", EVENTS)], **settings) as node:
        node.start()
        wait_for(lambda: node.metrics().get("finstream_broker_up") == 1, "the broker takes events", 60)
        check(f"{server.driver} answers" in doctor(node, expect=0), "the doctor does not get in")
        server.kill()
        wait_for(lambda: node.metrics()["finstream_buffer_events"] > 1000, "events wait", 60)
        server.start()
        node.wait_finished()
        wait_for(lambda: node.metrics()["finstream_buffer_entries"] == 0, "the broker has everything", 60)
        node.stop()
        with Node(programs, [], **settings) as copy:
            copy.start()
            copy.stop()
            check(copy.verify() == node.verify() == EVENTS, f"of {EVENTS} events the broker has {copy.verify()}")
        for secret in SECRETS:
            check(secret not in node.log_bytes().decode(), f"{secret} is in the log")


def renewal(programs, server, url, security, file):
    """A token of yesterday stops no node that has a log: what comes waits, and goes on its way when the file is renewed."""
    token = pathlib.Path(file("renewed.creds"))
    shutil.copy(file("user.creds"), token)
    with Node(programs, [walk(programs, "--rate", 2000)], **on(server.driver, url, {**security, "credentials_file": str(token)})) as node:
        node.start()
        wait_for(lambda: node.metrics().get("finstream_broker_up") == 1, "the broker takes events", 60)
        node.kill()
        shutil.copy(file("stranger.creds"), token)
        node.start()
        check("The node starts without the broker" in node.log_tail(), f"it does not say so:\n{node.log_tail()}")
        check("or the credentials file" in doctor(node, expect=1), "the doctor does not say why it is not let in")
        wait_for(lambda: node.metrics().get("finstream_buffer_events", 0) > 1000, "events wait", 60)
        shutil.copy(file("user.creds"), token)
        wait_for(lambda: node.metrics().get("finstream_broker_up") == 1, "the node is let in again", 60)
        node.stop()
        node.verify()


def guarded_nats(programs):
    """TLS both ways, and a token."""
    with security_files() as file, tempfile.TemporaryDirectory() as directory:
        class Guarded(Nats):
            def command(self):
                return [*super().command(), "-c", file("accounts.conf"), "--tlsverify", "--tlscacert", file("ca.pem"),
                        "--tlscert", file("broker.pem"), "--tlskey", file("broker.key")]

        shown = {"tls_ca_file": file("ca.pem"), "tls_certificate_file": file("node.pem"), "tls_key_file": file("node.key")}
        everything = {**shown, "credentials_file": file("user.creds")}
        with Guarded(directory) as server:
            url = server.url.replace("nats:", "tls:")
            works(programs, server, url, everything)
            must_refuse(programs, "nats", url, "or the credentials file", security=shown)
            must_refuse(programs, "nats", url, "or the credentials file", security={**shown, "credentials_file": file("stranger.creds")})
            must_refuse(programs, "nats", url, "look at the server's certificate", security={**everything, "tls_ca_file": file("other_ca.pem")})
            must_refuse(programs, "nats", url, "nothing.creds cannot be read", security={**shown, "credentials_file": file("nothing.creds")})
        with tempfile.TemporaryDirectory() as other, Guarded(other) as server:
            renewal(programs, server, server.url.replace("nats:", "tls:"), shown, file)
    with tempfile.TemporaryDirectory() as directory, Nats(directory) as server:
        must_refuse(programs, "nats", server.url.replace("nats:", "tls:"), "the server does not insist on TLS")


def guarded_kafka(programs):
    """TLS, and a password."""
    with security_files() as file, Kafka(pathlib.Path(programs.directory)) as behind:
        trusting = {"tls_ca_file": file("ca.pem")}
        with KafkaDoor(behind, "--certificate", file("broker.pem"), "--key", file("broker.key"), "--mechanism", "SCRAM-SHA-512",
                       "--user", "node", "--password", "pass@word") as door:
            host = f"localhost:{door.port}"
            works(programs, door, f"tls://{USER}{host}", trusting)
            must_refuse(programs, "kafka", f"tls://{WRONG_USER}{host}", "SASL authentication error", security=trusting, unsaid=SECRETS)
            must_refuse(programs, "kafka", f"tls://{USER}{host}", "certificate verify failed", unsaid=SECRETS)
            must_refuse(programs, "kafka", f"tls://{USER}{host}", "broker's supported mechanisms: SCRAM-SHA-512",
                        security={**trusting, "sasl_mechanism": "PLAIN"})


if __name__ == "__main__":
    sys.exit(run_scenarios(__doc__, [guarded_nats, guarded_kafka]))
