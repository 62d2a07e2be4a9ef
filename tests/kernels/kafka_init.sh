#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the VM: with each backend of /etc/backends, messages in Produces and Fetches that are much longer than
# what is shipped of them whole are counted at either end.
. /etc/vm_lib.sh
vm_start
messages=20000

# counted: messages of all spans.
counted() {
  grep -o '"messaging.batch.message_count","value":{"intValue":"[0-9]*' /tmp/spans.json 2>/dev/null | sed 's/.*"//' |
    awk '{sum += $1} END {print sum + 0}'
}
wait_counted() {
  for attempt in $(seq 150); do
    [ "$(counted)" -ge "$1" ] && break
    sleep 0.2
  done
  counted
}

check_backend() {
  topic=long-$backend
  daemon_start /tmp/state.$backend <<C
daemon: {http_listen: "", backend: $backend, batch_delay: 100ms}
sinks: [{name: file, type: file, path: /tmp/spans.json}]
targets: [{name: kafka, ports: [${address##*:}]}]
C
  ctl load kafka --set server_spans=true --set capture_bytes=1024 --wait > /run/out 2>&1
  expect "load" 0 $? || cat /run/out
  kcat -P -b $address -t $topic -p 0 -X batch.num.messages=100 < /tmp/messages > /run/kcat 2>&1
  expect "messages in Produces, both ends" $((2 * messages)) "$(wait_counted $((2 * messages)))"
  kcat -C -b $address -t $topic -p 0 -o beginning -e -q > /tmp/consumed 2> /run/kcat
  expect "lines consumed" $messages "$(wc -l < /tmp/consumed)"
  expect "messages in Fetches, both ends" $((2 * messages)) "$(($(wait_counted $((4 * messages))) - 2 * messages))"
  ctl ledger | sed 's/^/    | /'
  daemon_stop
}

kcat -C -t quiet -p 0 -b none -d mock -X test.mock.num.brokers=1 -X fetch.wait.max.ms=50000 > /run/broker.log 2>&1 &
for attempt in $(seq 150); do
  address=$(sed -n 's/.*bootstrap.servers=\([0-9.:]*\).*/\1/p' /run/broker.log)
  [ -n "$address" ] && break
  sleep 0.2
done
seq $messages | awk '{printf "%0200d\n", $1}' > /tmp/messages
for backend in $(cat /etc/backends); do check_backend; done
vm_stop $status
