// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/twmb/franz-go/pkg/kgo"

var franz = library{franzProduce, franzConsume}

func franzClient(what job, options ...kgo.Opt) *kgo.Client {
	options = append(options, kgo.SeedBrokers(what.address), kgo.DefaultProduceTopic(what.topic))
	if what.tls != nil {
		options = append(options, kgo.DialTLSConfig(what.tls))
	}
	client, err := kgo.NewClient(options...)
	check(err)
	return client
}

func franzProduce(what job) int {
	var options []kgo.Opt
	if what.partition >= 0 {
		options = append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	client := franzClient(what, options...)
	defer client.Close()
	ctx, cancel := patience()
	defer cancel()
	sent := 0
	for number := 0; number < what.count; number++ {
		record := &kgo.Record{Value: what.text(number), Partition: int32(max(what.partition, 0))}
		if what.apart {
			check(client.ProduceSync(ctx, record).FirstErr())
			sent++
			continue
		}
		client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			check(err)
			sent++
		})
	}
	check(client.Flush(ctx))
	return sent
}

func franzConsume(what job) int {
	ctx, cancel := patience()
	defer cancel()
	from := kgo.NewOffset().AtStart()
	source := kgo.ConsumeTopics(what.topic)
	if what.partition >= 0 {
		source = kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{what.topic: {int32(what.partition): from}})
	}
	client := franzClient(what, source, kgo.ConsumeResetOffset(from), kgo.FetchMaxPartitionBytes(int32(what.fetch)))
	defer client.Close()
	got := 0
	for got < what.count {
		fetches := client.PollFetches(ctx)
		check(fetches.Err())
		got += fetches.NumRecords()
	}
	return got
}
