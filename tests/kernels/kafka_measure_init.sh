#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the measuring VM: what the kafka module adds to one Produce and one Fetch in librdkafka's own broker, or in
# its clients, in instructions. Traced runs stand between bare ones; each is a producer that is already known, and a consumer
# from its start on.
. /etc/vm_lib.sh
vm_start
. /etc/measure.conf

# In real time, so that whoever is woken runs before the other end goes on, the same way each time.
echo -1 > /proc/sys/kernel/sched_rt_runtime_us

# kcat sends what it reads when it has read 1024 bytes, or all: messages go in such chunks, of 64.
chunk=64
lines() { awk "BEGIN {for (i = 1; i <= $1; i++) printf \"%015d\\n\", i}"; }

# start_producer: a client that has sent a chunk and waits for more until descriptor 3 is closed; sets producer to it.
start_producer() {
  rm -f /run/lines
  mkfifo /run/lines
  seen=$(requests_seen)
  chrt -f 1 client -P -b $address -t $topic -p 0 -X linger.ms=0 -X batch.num.messages=1 -X max.in.flight=1 < /run/lines \
    > /run/produced 2>&1 &
  producer=$!
  exec 3> /run/lines
  lines $chunk >&3
  wait_requests $((seen + chunk))
}

# produce: all messages. That a broker has them all is known by who consumes them.
produce() {
  cat /tmp/messages >&3
  wait_requests $((seen + chunk + messages))
}

requests_seen() { grep -c 'Received ProduceRequest' /run/broker.log; }

# wait_requests COUNT: until the broker has had so many, and its answer to the last is read. A client with one in flight sends
# some 100 a second: it sleeps more than it works, so its CPU time does not tell when it is done.
wait_requests() {
  for attempt in $(seq 600); do
    [ "$(requests_seen)" -ge $1 ] && sleep 1 && return 0
    sleep 0.1
  done
  return 1
}

# consume: the last messages, one a Fetch, by a client that waits for more. Sets consumer to it.
consume() {
  : > /run/consumed
  chrt -f 1 client -C -b $address -t $topic -p 0 -o -$messages -u -q -X fetch.message.max.bytes=1 > /run/consumed 2>&1 &
  consumer=$!
  for attempt in $(seq 600); do
    [ "$(wc -l < /run/consumed)" -ge $messages ] && break
    sleep 0.1
  done
  [ "$(wc -l < /run/consumed)" -eq $messages ]
}

# per BEFORE AFTER: for each message.
per() { awk "BEGIN {printf \"%.1f\", ($2 - $1) / $messages}"; }

# A topic of its own each time: this broker looks for a message from the first one of the topic on.
measure() {
  runs=$((runs + 1))
  topic=some$runs
  start_producer || return 1
  before=$(cpu_of $broker)
  client_before=$(cpu_of $producer)
  produce || return 1
  produce_broker=$(per "$before" "$(cpu_of $broker)")
  produce_client=$(per "$client_before" "$(cpu_of $producer)")
  exec 3>&-
  wait $producer
  before=$(cpu_of $broker)
  consume || return 1
  fetch_broker=$(per "$before" "$(cpu_of $broker)")
  fetch_client=$(per 0 "$(cpu_of $consumer)")
  kill $consumer
  wait $consumer
  return 0
}

ln -s busybox /bin/sh 2>/dev/null
chrt -f 1 broker -C -t quiet -p 0 -b none -d mock -X test.mock.num.brokers=1 -X fetch.wait.max.ms=50000 > /run/broker.log 2>&1 &
broker=$!
for attempt in $(seq 150); do
  address=$(sed -n 's/.*bootstrap.servers=\([0-9.:]*\).*/\1/p' /run/broker.log)
  [ -n "$address" ] && break
  sleep 0.2
done
messages=$(((messages + chunk - 1) / chunk * chunk))
lines $messages > /tmp/messages
sed -i "s/PORT/${address##*:}/" /etc/probed.yaml
runs=0
status=0
measure || status=1 # until all is warm
[ $status -eq 0 ] && { rounds 3 /etc/probed.yaml produce_$side fetch_$side || status=1; }
[ $status -eq 0 ] || { cat /run/produced /run/consumed; tail -n 30 /run/broker.log; }
vm_stop $status
