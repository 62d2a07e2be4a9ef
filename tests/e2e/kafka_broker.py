# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""An Apache Kafka broker (KRaft, from Maven) for all tests of a file, and what a case of the kafka module needs."""

import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest

from harness import BUILD_DIR, LiveCase, accepts, free_port, shared, strangers, wait_for
from languages import Missing, fetch, program
from peers import SERVERS

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},SSL://127.0.0.1:{tls_port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SSL://127.0.0.1:{tls_port}
ssl.keystore.type=PEM
ssl.keystore.location={folder}/secrets.pem
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
num.partitions=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""
JAVA_OPTIONS = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
READY_S = 120


def class_path():
    """Where the broker's jars are; fetched once for a build folder."""
    folder = BUILD_DIR / "kafka"
    pom = SERVERS / "kafka" / "pom.xml"
    kept = folder / "pom.xml"
    if not kept.exists() or kept.read_bytes() != pom.read_bytes():
        maven = program("mvn")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        command = [maven, "-q", "-B", "-f", pom, "dependency:copy-dependencies", f"-DoutputDirectory={folder}/lib"]
        fetch("the Maven artifacts", list(map(str, command)), cwd=folder)
        shutil.copy(pom, kept)
    return f"{folder}/lib/*"


def text(value):
    """As flexible versions have it."""
    return struct.pack("!B", len(value) + 1) + value.encode()


def ask(port, key, version, body):
    """What a broker answers a request of a flexible version, behind the header."""
    head = struct.pack("!hhih", key, version, 1, 4) + b"test" + bytes(1)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as broker:
        broker.sendall(struct.pack("!i", len(head + body)) + head + body)
        answer = broker.makefile("rb")
        (size,) = struct.unpack("!i", answer.read(4))
        return answer.read(size)[5:]


class Broker:
    def __init__(self):
        java, path = program("java"), class_path()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="probed-kafka."))
        self.port, self.tls_port, controller = free_port(), free_port(), free_port()
        self.process = None
        self.certificate = self.make_secrets()
        config = self.folder / "broker.properties"
        config.write_text(PROPERTIES.format(port=self.port, tls_port=self.tls_port, controller=controller,
                                            folder=self.folder))
        self.address, self.tls_address = f"127.0.0.1:{self.port}", f"127.0.0.1:{self.tls_port}"
        try:
            with open(self.folder / "broker.log", "ab") as log:
                subprocess.run([java, *JAVA_OPTIONS, "-cp", path, "kafka.tools.StorageTool", "format", "-t",
                                "probedprobedprobedprob", "-c", config], stdout=log, stderr=log, check=True)
                self.process = subprocess.Popen([java, *JAVA_OPTIONS, "-cp", path, "kafka.Kafka", config],
                                                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            wait_for("the broker to listen", lambda: accepts(self.port), READY_S)
        except BaseException:
            self.stop()
            raise

    def make_secrets(self):
        """The broker's key and certificate in one file, as it wants them. Returns the certificate for its clients."""
        certificate, key = self.folder / "certificate.pem", self.folder / "key.pem"
        subprocess.run([program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True)
        (self.folder / "secrets.pem").write_text(key.read_text() + certificate.read_text())
        return certificate

    def create(self, topic, partitions):
        """The new topic's id."""
        body = struct.pack("!B", 2) + text(topic) + struct.pack("!ihBB", partitions, 1, 1, 1) + bytes(1)  # no tagged fields
        answer = ask(self.port, 19, 7, body + struct.pack("!ib", 10_000, 0) + bytes(1))
        place = 4 + 1 + len(text(topic))  # behind the throttle time, the number of topics and the name
        (error,) = struct.unpack("!h", answer[place + 16:place + 18])
        if error:
            raise AssertionError(f"no topic: {error}")
        return answer[place:place + 16]

    def stop(self):
        if self.process is not None:
            self.process.kill()  # nobody reads again what an orderly end would write
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


CLUSTER_PROPERTIES = """
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data{node}
offsets.topic.num.partitions=1
offsets.topic.replication.factor=3
leader.imbalance.check.interval.seconds=1
leader.imbalance.per.broker.percentage=0
"""


class Cluster:
    """Three brokers that are controllers as well. A partition's first replica becomes its leader within a second or two."""

    def __init__(self):
        java, path = program("java"), class_path()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="probed-kafka."))
        self.ports = {node: free_port() for node in (1, 2, 3)}
        self.address = ",".join(f"127.0.0.1:{port}" for port in self.ports.values())
        self.processes, formats = [], []
        controllers = {node: free_port() for node in self.ports}
        voters = ",".join(f"{node}@127.0.0.1:{port}" for node, port in controllers.items())
        try:
            with open(self.folder / "brokers.log", "ab") as log:
                for node, port in self.ports.items():
                    config = self.folder / f"broker{node}.properties"
                    config.write_text(CLUSTER_PROPERTIES.format(node=node, voters=voters, port=port,
                                                                controller=controllers[node], folder=self.folder))
                    formats.append(subprocess.Popen([java, *JAVA_OPTIONS, "-cp", path, "kafka.tools.StorageTool",
                                                     "format", "-t", "probedprobedprobedprob", "-c", config],
                                                    stdout=log, stderr=log))
                for process in formats:
                    if process.wait(READY_S) != 0:
                        raise AssertionError((self.folder / "brokers.log").read_text()[-2000:])
                for node in self.ports:
                    config = self.folder / f"broker{node}.properties"
                    self.processes.append(subprocess.Popen([java, *JAVA_OPTIONS, "-cp", path, "kafka.Kafka", config],
                                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log))
            for port in self.ports.values():
                wait_for("the brokers to listen", lambda port=port: accepts(port), READY_S)
        except BaseException:
            self.stop()
            raise

    def reassign(self, topic, replicas):
        """Gives partition 0 of the topic this list of replicas: its first becomes the leader."""
        body = struct.pack("!iB", 10_000, 2) + text(topic)
        body += struct.pack("!BiB", 2, 0, len(replicas) + 1) + b"".join(struct.pack("!i", node) for node in replicas)
        body += bytes(3)  # no tagged fields, of the partition, the topic, the request
        (error,) = struct.unpack("!h", ask(self.ports[1], 45, 0, body)[4:6])
        if error:
            raise AssertionError(f"reassignment refused: {error}")

    def stop(self):
        for process in self.processes:
            process.kill()  # an orderly end waits for others to take over
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class KafkaCase(LiveCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.broker = shared(Broker)  # each test has topics of its own
        except Missing as reason:
            print(f"SKIPPED: {cls.__name__}: {reason}")
            raise unittest.SkipTest(str(reason)) from None

    def kafka_daemon(self, config=None, broker=False, **options):
        """Looks at the broker's ports; at the broker itself only if told to."""
        targets = [{"name": "kafka", "ports": [self.broker.port, self.broker.tls_port]}]
        if not broker:
            targets.append({"name": "not_the_broker", "exclude": True, "pids": [self.broker.process.pid]})
        targets.append(strangers())
        modules = [{"name": "kafka", "config": config}] if config else []
        daemon = self.start_daemon(targets=targets, modules=modules, **options)
        if not config:
            daemon.load("kafka")
        return daemon

    def assert_nothing_lost(self, daemon):
        self.assertEqual(daemon.losses(), {})
