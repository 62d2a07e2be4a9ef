# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Producers and consumers of a real broker."""

import json
import subprocess
import unittest

from harness import wait_for
from kafka_broker import KafkaCase
from spans import CLIENT, PRODUCER

MESSAGES = 10_000


def messages(spans):
    """How many messages the spans say they moved; each must say it."""
    return sum(span.attributes["messaging.batch.message_count"] for span in spans)


class Kcat(KafkaCase):
    """librdkafka: leaves ids of topics and sizes of reads to its own taste."""

    def kcat(self, *arguments, text=None):
        command = [self.need("kcat"), "-b", self.broker.address, *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=True)

    def test_ten_thousand(self):
        daemon = self.kafka_daemon()
        self.kcat("-P", "-t", "many", text="".join(f"message {number}\n" for number in range(MESSAGES)))
        consumed = self.kcat("-C", "-t", "many", "-o", "beginning", "-c", str(MESSAGES), "-q",
                             "-X", "fetch.message.max.bytes=8192").stdout
        self.assertEqual(len(consumed.splitlines()), MESSAGES)
        wait_for("all fetched", lambda: messages(daemon.spans(name="poll many")) >= MESSAGES)
        sent = daemon.spans(name="send many")
        self.assertEqual(messages(sent), MESSAGES)
        self.assertEqual({span.kind for span in sent}, {PRODUCER})
        polled = daemon.spans(name="poll many")
        self.assertEqual(messages(polled), MESSAGES)
        self.assertEqual({span.kind for span in polled}, {CLIENT})
        self.assert_nothing_lost(daemon)


if __name__ == "__main__":
    unittest.main()
