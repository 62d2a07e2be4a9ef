#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the VM: with each backend of /etc/backends, every lookup is a span at either end, with the address of
# the other one, though no socket is connected; so it is over TCP; and nothing is left open when the sockets are closed.
. /etc/vm_lib.sh
vm_start
socket=/run/probed.sock
status=0
rounds=100
width=10
lookups=$((rounds * width))
both=$((2 * lookups)) # over UDP, and over TCP

ctl() { probectl --socket $socket "$@"; }
# count WORD: how often it is in the file sink.
count() { grep -o "$1" /tmp/spans.json 2>/dev/null | wc -l; }

expect() {
  if [ "$2" = "$3" ]; then echo "ok   $backend $1: $3"; return; fi
  echo "FAIL $backend $1: expected $2, got $3"
  status=1
}

check_backend() {
  rm -f /tmp/spans.json
  cat > /tmp/probed.yaml <<C
daemon: {http_listen: "", backend: $backend, batch_delay: 100ms}
sinks: [{name: file, type: file, path: /tmp/spans.json}]
C
  probed --config /tmp/probed.yaml --socket $socket --module-dir /modules --state-dir /tmp/state.$backend > /run/probed.log 2>&1 &
  probed=$!
  for attempt in $(seq 150); do
    ctl modules > /run/out 2>&1 && break
    sleep 0.2
  done
  ctl load dns --set server_spans=true --wait > /run/out 2>&1
  expect "load" 0 $?
  dns_vectors 5300 $rounds $width www.test
  expect "lookups" 0 $?
  dnsperf -s 127.0.0.1 -p 5300 -d /etc/names -m tcp -n $rounds -c 2 -q 4 > /run/dnsperf 2>&1
  expect "lookups over tcp" 0 $?
  for attempt in $(seq 100); do
    [ "$(count '"kind":[23][,}]')" -ge $((2 * both)) ] && break
    sleep 0.2
  done
  expect "client spans" $both "$(count '"kind":3[,}]')"
  expect "server spans" $both "$(count '"kind":2[,}]')"
  expect "spans over tcp" $both "$(count '"stringValue":"tcp"')"
  expect "clients named" $both "$(count '"client.port"')"
  expect "servers named" $((2 * both)) "$(count '"server.port"')"
  ctl ledger > /run/ledger 2>&1
  expect "ledger" 0 $?
  kill -TERM $probed
  wait $probed
  expect "exit of the daemon" 0 $?
  if [ $status -ne 0 ]; then cat /run/out /run/ledger /run/dnsperf; tail -n 40 /run/probed.log; fi
}

unbound -d -c /etc/unbound.conf > /run/unbound.log 2>&1 &
sleep 3
for backend in $(cat /etc/backends); do check_backend; done
[ $status -ne 0 ] && cat /run/unbound.log
vm_stop $status
