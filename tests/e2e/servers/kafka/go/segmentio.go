// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/segmentio/kafka-go"
)

var segmentio = library{segmentioProduce, segmentioConsume}

func segmentioProduce(what job) int {
	writer := &kafka.Writer{Addr: kafka.TCP(what.address), Topic: what.topic, RequiredAcks: kafka.RequireAll,
		BatchTimeout: 10 * time.Millisecond, Transport: &kafka.Transport{TLS: what.tls}}
	if what.partition >= 0 {
		writer.Balancer = kafka.BalancerFunc(func(kafka.Message, ...int) int { return what.partition })
	}
	ctx, cancel := patience()
	defer cancel()
	messages := make([]kafka.Message, what.count)
	for number := range messages {
		messages[number].Value = what.text(number)
	}
	if what.apart {
		for _, message := range messages {
			check(writer.WriteMessages(ctx, message))
		}
	} else {
		check(writer.WriteMessages(ctx, messages...))
	}
	check(writer.Close())
	return len(messages)
}

func segmentioConsume(what job) int {
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{what.address}, Topic: what.topic,
		Partition: max(what.partition, 0), MaxBytes: what.fetch, MaxWait: 100 * time.Millisecond,
		Dialer: &kafka.Dialer{Timeout: 10 * time.Second, TLS: what.tls}})
	ctx, cancel := patience()
	defer cancel()
	got := 0
	for ; got < what.count; got++ {
		_, err := reader.ReadMessage(ctx)
		check(err)
	}
	check(reader.Close())
	return got
}
