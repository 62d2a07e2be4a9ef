# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Producers and consumers of a real broker."""

import collections
import re
import statistics
import subprocess
import time
import unittest

from harness import FULL, LiveCase, end, wait_for
from kafka_broker import Cluster, KafkaCase, class_path
from languages import Missing, built, go_program
from peers import PYTHON, SERVERS
from spans import CLIENT, PRODUCER, SERVER
from under_load import Overflow, UnderLoad

MESSAGES = 10_000 if FULL else 4000
HELD = 1000
LATE = 100 if FULL else 40
DELAY_MS = 50
# kcat with librdkafka's own broker in its process waits for messages of a topic that gets none. Newer versions make the
# topic only if they are asked to.
OWN_BROKER = ["-C", "-t", "quiet", "-p", "0", "-b", "none", "-X", "allow.auto.create.topics=true", "-X",
              "test.mock.num.brokers=1"]


def messages(spans):
    """How many messages the spans say they moved; each must say it."""
    return sum(span.attributes["messaging.batch.message_count"] for span in spans)


def by_partition(spans):
    """Messages of each partition that spans name."""
    counted = collections.Counter()
    for span in spans:
        counted[span.attributes.get("messaging.destination.partition.id")] += span.attributes["messaging.batch.message_count"]
    return counted


class ClientCase(KafkaCase):
    def kcat(self, *arguments, text=None):
        """Over TLS if the arguments say so."""
        tls = "security.protocol=ssl" in arguments
        command = [self.need("kcat"), "-b", self.broker.tls_address if tls else self.broker.address, *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=180, check=True)

    def python(self, library, action, topic, count, *options):
        """Lines of servers/kafka_clients.py."""
        module = {"confluent": "confluent_kafka", "python": "kafka"}[library]
        if subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True).returncode != 0:
            print(f"SKIPPED: {self.id()}: Python has no {module}")
            self.skipTest(f"Python has no {module}")
        command = [PYTHON, SERVERS / "kafka_clients.py", library, action, self.broker.address, topic, count, *options]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=180)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split()

    def java(self, tool, *arguments, text=None):
        java = [self.need("java"), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", class_path()]
        command = [*java, f"org.apache.kafka.tools.{tool}", "--bootstrap-server", self.broker.address, *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=180, check=True)

    def go_client(self):
        sources = SERVERS / "kafka" / "go"
        try:
            return built(sources, "kafka_clients/go", lambda folder: go_program(sources, folder))
        except Missing as missing:
            print(f"SKIPPED: {self.id()}: {missing}")
            self.skipTest(str(missing))

    def go(self, library, action, topic, count, *options, tls=False):
        """What servers/kafka/go says it has moved."""
        program = self.go_client()
        where = self.broker.tls_address if tls else self.broker.address
        trust = [f"tls={self.broker.certificate}"] if tls else []
        done = subprocess.run([*program, library, action, where, topic, str(count), *options, *trust], capture_output=True,
                              text=True, timeout=180)
        self.assertEqual(done.stdout, f"{count}\n", done.stderr)

    def line_producer(self, topic):
        """A function that sends a message, on one connection, and waits until the broker has it."""
        command = [PYTHON, SERVERS / "kafka_clients.py", "confluent", "lines", self.broker.address, topic, 0]
        producer = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(end, producer)
        self.addCleanup(producer.stdout.close)
        self.addCleanup(producer.stdin.close)

        def produce():
            producer.stdin.write("message\n")
            producer.stdin.flush()
            self.assertEqual(producer.stdout.readline(), "0\n")

        return produce

    def assert_moved(self, daemon, topic, count, partition="0", port=None):
        """As many messages in spans of both kinds, and nothing lost on the way."""
        wait_for("all sent", lambda: messages(daemon.spans(name=f"send {topic}")) >= count)
        wait_for("all fetched", lambda: messages(daemon.spans(name=f"poll {topic}")) >= count)
        sent, polled = daemon.spans(name=f"send {topic}"), daemon.spans(name=f"poll {topic}")
        self.assertEqual((messages(sent), messages(polled)), (count, count))
        self.assertEqual({(span.kind, span.attributes["messaging.operation.type"]) for span in sent}, {(PRODUCER, "send")})
        self.assertEqual({(span.kind, span.attributes["messaging.operation.type"]) for span in polled},
                         {(CLIENT, "receive")})
        for span in sent + polled:
            self.assertEqual(span.attributes["messaging.system.name"], "kafka")
            self.assertEqual(span.attributes["server.port"], port or self.broker.port)
            self.assertEqual(span.attributes["messaging.destination.partition.id"], partition)
            self.assertNotIn("error.type", span.attributes)
        self.assert_nothing_lost(daemon)


class Clients(UnderLoad, Overflow, ClientCase):
    module = "kafka"
    unnamed = True  # requests have no names of their own

    def test_kcat(self):
        daemon = self.kafka_daemon()
        self.kcat("-P", "-t", "kcat", text="".join(f"message {number}\n" for number in range(MESSAGES)))
        consumed = self.kcat("-C", "-t", "kcat", "-o", "beginning", "-c", str(MESSAGES), "-q",
                             "-X", "fetch.message.max.bytes=8192").stdout
        self.assertEqual(len(consumed.splitlines()), MESSAGES)
        self.assert_moved(daemon, "kcat", MESSAGES)

    def test_kcat_compressed(self):
        daemon = self.kafka_daemon()
        self.kcat("-P", "-t", "gzip", "-z", "gzip", text="".join(f"message {number}\n" for number in range(MESSAGES)))
        self.kcat("-C", "-t", "gzip", "-o", "beginning", "-c", str(MESSAGES), "-q", "-X", "fetch.message.max.bytes=8192")
        self.assert_moved(daemon, "gzip", MESSAGES)

    def test_confluent(self):
        daemon = self.kafka_daemon({"group_spans": True})
        self.assertEqual(self.python("confluent", "produce", "confluent", MESSAGES).count("ok"), MESSAGES)
        self.python("confluent", "consume", "confluent", MESSAGES, "fetch.message.max.bytes=8192")
        self.assert_moved(daemon, "confluent", MESSAGES)
        commits = [span for span in daemon.spans() if span.attributes["messaging.operation.name"] == "commit"]
        self.assertGreater(len(commits), 0)
        self.assertEqual({span.attributes["messaging.consumer.group.name"] for span in commits}, {"confluent"})

    def test_kafka_python(self):
        daemon = self.kafka_daemon()
        self.assertEqual(self.python("python", "produce", "python", MESSAGES).count("ok"), MESSAGES)
        self.python("python", "consume", "python", MESSAGES, "max_partition_fetch_bytes=8192")
        self.assert_moved(daemon, "python", MESSAGES)

    def test_java(self):
        """Names topics by their ids: the names come from Metadata."""
        daemon = self.kafka_daemon()
        self.java("ConsoleProducer", "--topic", "java", text="".join(f"message {n}\n" for n in range(MESSAGES)))
        consumed = self.java("consumer.ConsoleConsumer", "--topic", "java", "--from-beginning", "--max-messages",
                             str(MESSAGES), "--consumer-property", "max.partition.fetch.bytes=8192").stdout
        self.assertEqual(len(consumed.splitlines()), MESSAGES)
        self.assert_moved(daemon, "java", MESSAGES)

    def expect_go(self, library):
        self.python("confluent", "create", library, 1)
        daemon = self.kafka_daemon()
        self.go(library, "produce", library, MESSAGES)
        self.go(library, "consume", library, MESSAGES)
        self.assert_moved(daemon, library, MESSAGES)

    def test_franz_go(self):
        self.expect_go("franz")

    def test_kafka_go(self):
        self.expect_go("segmentio")

    def expect_partition(self, library):
        """One of three; a Produce for each message."""
        topic = f"{library}-three"
        self.python("confluent", "create", topic, 3)
        daemon = self.kafka_daemon()
        for partition, count in (("2", 200), ("1", 100)):
            self.go(library, "produce", topic, count, f"partition={partition}", "apart=yes")
            self.go(library, "consume", topic, count, f"partition={partition}")
        wait_for("all fetched", lambda: messages(daemon.spans(name=f"poll {topic}")) >= 300)
        sent = daemon.spans(name=f"send {topic}")
        self.assertEqual(len(sent), 300)
        self.assertEqual(by_partition(sent), {"1": 100, "2": 200})
        self.assertEqual(by_partition(daemon.spans(name=f"poll {topic}")), {"1": 100, "2": 200})
        self.assert_nothing_lost(daemon)

    def test_partitions_of_franz_go(self):
        self.expect_partition("franz")

    def test_partitions_of_kafka_go(self):
        self.expect_partition("segmentio")

    def test_trace_contexts_become_links(self):
        daemon = self.kafka_daemon()
        self.python("confluent", "produce", "links", 1, "headers=yes")
        self.python("confluent", "consume", "links", 1)
        (sent,) = daemon.wait_spans(1, name="send links")
        polled = daemon.wait_spans(1, name="poll links", messaging__batch__message_count=1)
        self.assertEqual(sent.kind, CLIENT)  # what created the message is elsewhere
        self.assertEqual([sent.attributes["kafka.offset"], polled[0].attributes["kafka.offset"]], [0, 0])
        for span in (sent, polled[0]):
            self.assertEqual(span.links, [("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")])

    def test_errors_have_names(self):
        self.python("confluent", "create", "strict", 1, "max.message.bytes=10")
        daemon = self.kafka_daemon()
        self.assertEqual(self.python("confluent", "produce", "strict", 1), ["MSG_SIZE_TOO_LARGE"])
        (span, *_) = daemon.wait_spans(1, name="send strict")
        self.assertEqual(span.attributes["error.type"], "MESSAGE_TOO_LARGE")
        self.assert_nothing_lost(daemon)

    def test_long_poll_is_no_error(self):
        self.python("confluent", "create", "quiet", 1)
        daemon = self.kafka_daemon()
        self.kcat("-C", "-t", "quiet", "-e", "-q")
        waiting = subprocess.Popen([self.need("kcat"), "-b", self.broker.address, "-C", "-t", "quiet", "-q",
                                    "-X", "fetch.wait.max.ms=300"], stdout=subprocess.DEVNULL)
        self.addCleanup(end, waiting)
        empty = daemon.wait_spans(4, messaging__operation__name="poll")
        end(waiting)
        self.assertGreater(max(span.milliseconds for span in empty), 250)
        self.assertEqual({span.attributes["messaging.batch.message_count"] for span in empty}, {0})
        self.assertEqual({span.status.get("code", 0) for span in empty}, {0})
        self.assert_nothing_lost(daemon)

    def test_older_than_the_daemon(self):
        """From the first message on that begins after the module was loaded."""
        self.python("confluent", "create", "older", 1)
        produce = self.line_producer("older")
        produce()
        daemon = self.kafka_daemon()
        for _ in range(10):
            produce()
        wait_for("all sent", lambda: messages(daemon.spans(name="send older")) >= 10)
        self.assertEqual(messages(daemon.spans(name="send older")), 10)
        self.assertEqual({span.kind for span in daemon.spans(name="send older")}, {PRODUCER})

    @unittest.skipUnless(FULL, "PROBED_FULL=1 runs it; the case of the full ring does it in short")
    def test_lost_records(self):
        """While the daemon is held its ring runs full: each message is in a span, or counted, or records of it are counted as
        lost. What comes then on the same connection is right."""
        self.python("confluent", "create", "held", 1)
        daemon = self.kafka_daemon(daemon={"ring_bytes": "64KiB"})
        produce = self.line_producer("held")

        def produce_some(count):
            for _ in range(count):
                produce()

        produce_some(100)
        wait_for("all sent", lambda: messages(daemon.spans(name="send held")) >= 100)
        with daemon.held():
            produce_some(HELD)
        daemon.counters()  # which are read when all that is in the ring was
        produce_some(1)  # a hole is known by what comes behind it
        wait_for("the hole", lambda: daemon.losses().get(("module:kafka", "ring_full"), 0))
        before = daemon.wait_spans(100, settle=1.0, name="send held")
        produce_some(100)
        found = daemon.wait_spans(len(before) + 100, settle=1.0, name="send held")
        lost = {name: count for (scope, name), count in daemon.losses().items() if scope == "module:kafka"}
        print(f"{self.id()}: {len(found)} spans, {lost}")
        self.assertEqual(len(found), len(before) + 100)
        # Of a CPU that has no record behind its lost ones no gap is known yet.
        self.assertEqual(set(lost) - {"aborted.gap", "undecodable.gap", "sequence_gaps"}, {"ring_full"})
        self.assertEqual({(span.attributes["messaging.batch.message_count"], span.attributes["messaging.destination.partition.id"],
                           span.attributes.get("error.type")) for span in found}, {(1, "0", None)})
        # Two records or more a message, all of the hole one after the other: at each end of it one may have lost one only.
        wholly = 100 + HELD + 101 - len(found) - lost.get("aborted.gap", 0)
        self.assertGreater(wholly, 0)
        self.assertGreaterEqual(lost["ring_full"], 2 * wholly - 2)
        self.assertTrue(daemon.ctl_json("ledger")["closes"])

    def test_fire_and_forget(self):
        daemon = self.kafka_daemon()
        self.python("confluent", "produce", "forget", 100, "acks=0")
        wait_for("all sent", lambda: messages(daemon.spans(name="send forget")) >= 100)
        self.assertEqual(messages(daemon.spans(name="send forget")), 100)
        self.assert_nothing_lost(daemon)

    def test_broker(self):
        daemon = self.kafka_daemon({"server_spans": True}, broker=True)
        self.python("confluent", "produce", "broker", 1000)
        for kind in (SERVER, PRODUCER):
            wait_for("all sent", lambda kind=kind: messages(daemon.spans(name="send broker", kind=kind)) >= 1000)
            self.assertEqual(messages(daemon.spans(name="send broker", kind=kind)), 1000)

    def load_peers(self):
        """A request for each message."""
        text = "".join(f"message {number}\n" for number in range(1000))

        def round_of():
            self.kcat("-P", "-t", "load", "-X", "batch.num.messages=1", text=text)
            return 1000
        return round_of

    def talk_peers(self):
        self.python("confluent", "create", "full", 1)
        produce = self.line_producer("full")

        def talk(first, count):
            for _ in range(count):
                produce()
        return talk

    def load_daemon(self, **options):
        return self.start_daemon(targets=[{"name": "kafka", "ports": [self.broker.port]},
                                          {"name": "not_the_broker", "exclude": True, "pids": [self.broker.process.pid]}],
                                 **options)

    def is_operation(self, span):
        return span.name in ("send load", "send full")

    def number_of(self, span):
        self.assertEqual(span.attributes["messaging.batch.message_count"], 1)


class LongMessages(ClientCase):
    """Produces and fetches of megabytes, of which the kernel ships little more than the heads of the batches."""

    COUNT = 60_000 if FULL else 30_000
    VALUE = 200  # bytes

    def fill(self, topic, *where):
        """Some hundred batches."""
        text = "".join(f"{number:0{self.VALUE}}\n" for number in range(self.COUNT))
        self.kcat("-P", "-t", topic, *where, "-X", "batch.num.messages=150", "-X", "sticky.partitioning.linger.ms=0", text=text)

    def expect_counted(self, name, consume):
        self.broker.create(name, 3)
        self.expect_counted_in(name, consume)

    def expect_counted_in(self, name, consume, *where):
        daemon = self.kafka_daemon()
        self.fill(name, *where)
        wait_for("all sent", lambda: messages(daemon.spans(name=f"send {name}")) >= self.COUNT)
        self.assertEqual(messages(daemon.spans(name=f"send {name}")), self.COUNT)
        consume()
        wait_for("all fetched", lambda: messages(daemon.spans(name=f"poll {name}")) >= self.COUNT)
        polled = daemon.spans(name=f"poll {name}")
        self.assertEqual(messages(polled), self.COUNT)
        largest = max(span.attributes["messaging.batch.message_count"] for span in polled)
        self.assertGreater(largest * self.VALUE, 20 * 16384)  # capture_bytes
        self.assert_nothing_lost(daemon)

    def consume_java(self, topic, *where):
        """Fetches of up to 4 MiB, which bring up to 1 MiB of each partition."""
        consumed = self.java("consumer.ConsoleConsumer", "--topic", topic, *where, "--max-messages", str(self.COUNT),
                             "--consumer-property", "fetch.min.bytes=500000", "--consumer-property", "fetch.max.bytes=4194304")
        self.assertEqual(len(consumed.stdout.splitlines()), self.COUNT)

    def test_kcat(self):
        self.expect_counted("long-kcat", lambda: self.kcat("-C", "-t", "long-kcat", "-o", "beginning", "-e", "-q"))

    def test_java(self):
        self.expect_counted("long-java", lambda: self.consume_java("long-java", "--from-beginning"))

    def test_a_topic_id_like_a_batch(self):
        """A Fetch names topics by their ids. The number of the first partition, two, stands where a batch that began in the id
        would have its version, and in one id of eight one might."""
        def is_alike(topic):
            topic_id = self.broker.create(topic, 3)
            return topic_id[4] < 0x80 and 61 <= int.from_bytes(topic_id[12:], "big") <= 1 << 30

        name = next(topic for topic in (f"like-a-batch-{number}" for number in range(200)) if is_alike(topic))
        self.expect_counted_in(name, lambda: self.consume_java(name, "--partition", "2", "--offset", "earliest"), "-p", "2")

    def test_franz_go(self):
        self.expect_counted("long-franz", lambda: self.go("franz", "consume", "long-franz", self.COUNT, "fetch=2000000"))

    def test_kafka_python(self):
        self.expect_counted("long-python", lambda: self.python("python", "consume", "long-python", self.COUNT,
                                                               "max_partition_fetch_bytes=2000000"))


class Groups(ClientCase):
    def test_a_commit_is_a_span_for_each_topic(self):
        for topic, partitions in (("commit-one", 2), ("commit-two", 2)):
            self.python("confluent", "create", topic, partitions)
        daemon = self.kafka_daemon({"group_spans": True})
        self.assertEqual(self.python("confluent", "commit", "commit-one,commit-two", 2), ["ok"] * 4)
        spans = daemon.wait_spans(2, messaging__operation__name="commit")
        self.assertEqual({span.name for span in spans}, {"commit commit-one", "commit commit-two"})
        for span in spans:
            self.assertEqual((span.kind, span.attributes["messaging.operation.type"]), (CLIENT, "settle"))
            self.assertEqual(span.attributes["messaging.consumer.group.name"], "group-of-commit-one,commit-two")
            self.assertNotIn("messaging.destination.partition.id", span.attributes)
            self.assertNotIn("error.type", span.attributes)
        self.assertEqual(self.python("confluent", "commit", "commit-one", 1), ["ok"])
        (one,) = [span for span in daemon.wait_spans(3, messaging__operation__name="commit")
                  if span.attributes["messaging.consumer.group.name"] == "group-of-commit-one"]
        self.assertEqual(one.attributes["messaging.destination.partition.id"], "0")
        self.assert_nothing_lost(daemon)

    def test_a_commit_that_fails_says_why(self):
        self.python("confluent", "create", "commit-some", 1)
        daemon = self.kafka_daemon({"group_spans": True})
        self.assertEqual(self.python("confluent", "commit", "commit-some", 2), ["UNKNOWN_TOPIC_OR_PART"])
        (span,) = daemon.wait_spans(1, messaging__operation__name="commit")
        self.assertEqual((span.name, span.attributes["error.type"]), ("commit commit-some", "UNKNOWN_TOPIC_OR_PARTITION"))

    def test_transactions(self):
        """Of both the one that is committed and the one that is not each message is counted once, and no marker."""
        self.python("confluent", "create", "transacted", 1)
        daemon = self.kafka_daemon({"group_spans": True})
        self.python("confluent", "transact", "transacted", 100, "group=of-transactions")
        wait_for("all sent", lambda: messages(daemon.spans(name="send transacted")) >= 200)
        self.assertEqual(messages(daemon.spans(name="send transacted")), 200)
        commits = daemon.wait_spans(1, name="commit transacted")
        self.assertEqual({span.attributes["messaging.consumer.group.name"] for span in commits}, {"of-transactions"})
        fetched = len(daemon.wait_spans(0, settle=1.0, name="poll transacted"))  # by the group's consumer
        consumed = self.kcat("-C", "-t", "transacted", "-o", "beginning", "-e", "-q", "-X", "isolation.level=read_committed")
        self.assertEqual(len(consumed.stdout.splitlines()), 100)
        wait_for("all fetched", lambda: messages(daemon.spans(name="poll transacted")[fetched:]) >= 200)
        self.assertEqual(messages(daemon.spans(name="poll transacted")[fetched:]), 200)
        self.assertEqual({span.attributes.get("error.type") for span in daemon.spans(name="send transacted")}, {None})
        self.assert_nothing_lost(daemon)


class SeveralBrokers(ClientCase):
    @classmethod
    def setUpClass(cls):
        super(KafkaCase, cls).setUpClass()
        try:
            cls.broker = Cluster()
        except Missing as reason:
            print(f"SKIPPED: {cls.__name__}: {reason}")
            raise unittest.SkipTest(str(reason)) from None
        cls.addClassCleanup(cls.broker.stop)

    def test_the_leader_moves(self):
        """Who still asks the old one is told so; each message is sent once, to the broker that took it."""
        cluster = self.broker
        wait_for("the cluster", lambda: self.python_once("create", "moving", 1, "replicas=3"))
        cluster.reassign("moving", [1, 2, 3])
        targets = [{"name": "kafka", "ports": list(cluster.ports.values())},
                   {"name": "not_the_brokers", "exclude": True, "pids": [process.pid for process in cluster.processes]}]
        daemon = self.start_daemon(targets=targets)
        daemon.load("kafka")
        produce = self.line_producer("moving")

        def port_of_next():
            before = len(self.taken(daemon))
            produce()
            wait_for("the span", lambda: len(self.taken(daemon)) > before)
            return self.taken(daemon)[-1].attributes["server.port"]

        wait_for("broker 1 to lead", lambda: port_of_next() == cluster.ports[1])
        cluster.reassign("moving", [2, 3, 1])
        wait_for("broker 2 to lead", lambda: port_of_next() == cluster.ports[2])
        sent = daemon.spans(name="send moving")
        refused = [span for span in sent if "error.type" in span.attributes]
        self.assertGreater(len(refused), 0)
        self.assertEqual({span.attributes["error.type"] for span in refused}, {"NOT_LEADER_OR_FOLLOWER"})
        consumed = self.kcat("-C", "-t", "moving", "-o", "beginning", "-e", "-q").stdout.split()
        self.assertEqual(messages(self.taken(daemon)), len(consumed))
        wait_for("all fetched", lambda: messages(daemon.spans(name="poll moving")) >= len(consumed))
        self.assertEqual(messages(daemon.spans(name="poll moving")), len(consumed))
        self.assert_nothing_lost(daemon)

    def taken(self, daemon):
        """Spans of what a broker took."""
        return [span for span in daemon.spans(name="send moving") if "error.type" not in span.attributes]

    def python_once(self, action, *arguments):
        command = [PYTHON, SERVERS / "kafka_clients.py", "confluent", action, self.broker.address, *arguments]
        return subprocess.run(list(map(str, command)), capture_output=True, timeout=60).returncode == 0


class Delayed(LiveCase):
    """librdkafka's own broker, in a process of kcat, answers all requests late."""

    def broker(self):
        """Its address."""
        log = self.folder / "broker.log"
        with open(log, "w") as file:
            process = subprocess.Popen([self.need("kcat"), *OWN_BROKER, "-d", "mock", "-X", f"test.mock.broker.rtt={DELAY_MS}"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file)
        self.addCleanup(end, process)
        return wait_for("the broker", lambda: re.search(r"bootstrap.servers=([0-9.:]+)", log.read_text())).group(1)

    def kcat(self, *arguments, text=None):
        return subprocess.run([self.need("kcat"), "-t", "late", "-p", "0", *arguments], input=text, capture_output=True,
                              text=True, timeout=60, check=True).stdout

    def test_delay_at_both_ends(self):
        daemon = self.start_daemon(targets=[{"name": "kcat", "exe": [self.need("kcat")]}])
        daemon.load("kafka", "--set", "server_spans=true")
        broker = self.broker()
        began = time.monotonic()
        self.kcat("-P", "-b", broker, "-X", "linger.ms=0", "-X", "batch.num.messages=1", "-X", "max.in.flight=1",
                  text="".join(f"message {number}\n" for number in range(LATE)))
        self.expect_late(daemon, "send late", {PRODUCER, SERVER}, time.monotonic() - began)
        began = time.monotonic()
        consumed = self.kcat("-C", "-b", broker, "-o", "beginning", "-c", str(LATE), "-q", "-X", "fetch.message.max.bytes=1")
        self.assertEqual(len(consumed.splitlines()), LATE)
        self.expect_late(daemon, "poll late", {CLIENT, SERVER}, time.monotonic() - began)
        self.assertEqual(daemon.losses(), {})

    def expect_late(self, daemon, name, kinds, seconds):
        """One after the other: all of them together last no longer than kcat ran."""
        for kind in kinds:
            wait_for(f"{name} of {kind}", lambda kind=kind: messages(daemon.spans(name=name, kind=kind)) >= LATE)
            found = [span for span in daemon.spans(name=name, kind=kind) if span.attributes["messaging.batch.message_count"]]
            self.assertEqual(messages(found), LATE)
            self.assertGreaterEqual(min(span.milliseconds for span in found), DELAY_MS - 1)  # its clock has milliseconds
            self.assertLess(sum(span.milliseconds for span in found), seconds * 1000)
            median = statistics.median(span.milliseconds for span in found)
            print(f"{name} of {kind}: median of {LATE} answers {DELAY_MS} ms late: {median:.2f} ms")
            self.assertEqual({span.attributes["messaging.destination.partition.id"] for span in found}, {"0"})


class OverTls(ClientCase):
    """Only the clients' plaintext can be read: the broker is Java."""

    def tls_daemon(self):
        daemon = self.kafka_daemon()
        daemon.load("tls")
        return daemon

    def keep_kcat(self):
        """Else the probes come some milliseconds after a client's start. It waits for messages of its own broker."""
        self.keep_mapped([self.need("kcat"), *OWN_BROKER], "libssl")

    def expect_moved(self, daemon, topic):
        self.assert_moved(daemon, topic, MESSAGES, port=self.broker.tls_port)
        self.assertEqual(daemon.counters().get(("module:tls", "unbound"), 0), 0)
        handshakes = [span for span in daemon.spans() if span.name.startswith("TLS client handshake")]
        self.assertGreater(len(handshakes), 0)
        self.assertEqual({span.attributes["probed.tls.plaintext_read"] for span in handshakes}, {True})

    def test_kcat(self):
        self.keep_kcat()
        daemon = self.tls_daemon()
        secure = ("-X", "security.protocol=ssl", "-X", f"ssl.ca.location={self.broker.certificate}")
        self.kcat("-P", "-t", "tls-kcat", *secure, text="".join(f"message {number}\n" for number in range(MESSAGES)))
        consumed = self.kcat("-C", "-t", "tls-kcat", *secure, "-o", "beginning", "-c", str(MESSAGES), "-q",
                             "-X", "fetch.message.max.bytes=8192").stdout
        self.assertEqual(len(consumed.splitlines()), MESSAGES)
        self.expect_moved(daemon, "tls-kcat")

    def test_franz_go(self):
        self.expect_go("franz")

    def test_kafka_go(self):
        self.expect_go("segmentio")

    def expect_go(self, library):
        topic = f"tls-{library}"
        self.python("confluent", "create", topic, 1)
        self.spawn([*self.go_client(), "wait"])  # else the probes come some milliseconds after a client's start
        daemon = self.tls_daemon()
        self.go(library, "produce", topic, MESSAGES, tls=True)
        self.go(library, "consume", topic, MESSAGES, tls=True)
        self.expect_moved(daemon, topic)


if __name__ == "__main__":
    unittest.main()
