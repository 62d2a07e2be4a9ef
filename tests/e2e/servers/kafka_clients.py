# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Python clients of a broker: kafka_clients.py LIBRARY ACTION ADDRESS TOPIC COUNT [OPTION=VALUE...], a line a result."""

import sys

TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def confluent_produce(address, topic, count, headers="", **options):
    import confluent_kafka
    producer = confluent_kafka.Producer({"bootstrap.servers": address, **options})
    results = []
    for number in range(count):
        producer.produce(topic, f"message {number}".encode(), headers={"traceparent": TRACEPARENT} if headers else None,
                         on_delivery=lambda error, _: results.append(error.name() if error else "ok"))
        producer.poll(0)
    producer.flush(30)
    print("\n".join(results))


def confluent_lines(address, topic, count, **options):
    """A message a line of the standard input, answered when the broker has it."""
    import confluent_kafka
    producer = confluent_kafka.Producer({"bootstrap.servers": address, **options})
    for line in iter(sys.stdin.readline, ""):
        producer.produce(topic, line.encode())
        print(producer.flush(30), flush=True)


def confluent_consume(address, topic, count, **options):
    import confluent_kafka
    consumer = confluent_kafka.Consumer({"bootstrap.servers": address, "group.id": "confluent",
                                         "auto.offset.reset": "earliest", **options})
    consumer.subscribe([topic])
    got = 0
    while got < count:
        got += len([one for one in consumer.consume(1000, 1.0) if one.error() is None])
    consumer.commit(asynchronous=False)
    consumer.close()
    print(got)


def confluent_transact(address, topic, count, group="", **options):
    """`count` messages that are committed, with what they came of, if a group is named; as many that are given up."""
    import confluent_kafka
    producer = confluent_kafka.Producer({"bootstrap.servers": address, "transactional.id": topic, **options})
    producer.init_transactions(30)
    for ends in (True, False):
        producer.begin_transaction()
        for number in range(count):
            producer.produce(topic, f"message {number}".encode())
        producer.flush(30)
        if not ends:
            producer.abort_transaction(30)
            continue
        if group:
            consumer = confluent_kafka.Consumer({"bootstrap.servers": address, "group.id": group})
            consumer.subscribe([topic])
            consumer.poll(1)
            producer.send_offsets_to_transaction([confluent_kafka.TopicPartition(topic, 0, 7)],
                                                 consumer.consumer_group_metadata(), 30)
            consumer.close()
        producer.commit_transaction(30)
    print("done")


def confluent_commit(address, topic, count, **options):
    """Commits an offset of `count` partitions at once, by somebody who is no member of the group."""
    import confluent_kafka
    consumer = confluent_kafka.Consumer({"bootstrap.servers": address, "group.id": f"group-of-{topic}", **options})
    offsets = [confluent_kafka.TopicPartition(name, partition, 1) for name in topic.split(",") for partition in range(count)]
    try:
        for done in consumer.commit(offsets=offsets, asynchronous=False):
            print(done.error.name() if done.error else "ok")
    except confluent_kafka.KafkaException as failure:
        print(failure.args[0].name())
    consumer.close()


def python_produce(address, topic, count, **options):
    import kafka
    producer = kafka.KafkaProducer(bootstrap_servers=address, linger_ms=20,
                                   **{key: int(value) for key, value in options.items()})
    sent = [producer.send(topic, f"message {number}".encode(), key=b"k") for number in range(count)]
    producer.flush(30)
    producer.close()
    for one in sent:
        print(type(one.exception).__name__ if one.failed() else "ok")


def python_consume(address, topic, count, **options):
    import kafka
    consumer = kafka.KafkaConsumer(topic, bootstrap_servers=address, group_id="python", auto_offset_reset="earliest",
                                   **{key: int(value) for key, value in options.items()})
    got = 0
    while got < count:
        got += sum(len(batch) for batch in consumer.poll(1000).values())
    consumer.close()
    print(got)


def confluent_create(address, topic, count, **options):
    """`count` partitions, each on `replicas` brokers; the other options are the topic's."""
    import confluent_kafka.admin
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": address})
    replicas = int(options.pop("replicas", 1))
    new = confluent_kafka.admin.NewTopic(topic, num_partitions=count, replication_factor=replicas, config=options)
    admin.create_topics([new])[topic].result(30)
    print("created")


if __name__ == "__main__":
    library, action, where, name, number = sys.argv[1:6]
    globals()[f"{library}_{action}"](where, name, int(number), **dict(one.split("=", 1) for one in sys.argv[6:]))
