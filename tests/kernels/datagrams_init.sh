#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the VM: with each backend of /etc/backends, every lookup is a span at either end, with the address of
# the other one, though no socket is connected; so it is over TCP; and nothing is left open when the sockets are closed.
. /etc/vm_lib.sh
vm_start
rounds=100
width=10
lookups=$((rounds * width))
both=$((2 * lookups)) # over UDP, and over TCP

check_backend() {
  daemon_start /tmp/state.$backend <<C
daemon: {http_listen: "", backend: $backend, batch_delay: 100ms}
sinks: [{name: file, type: file, path: /tmp/spans.json}]
C
  ctl load dns --set server_spans=true --wait > /run/out 2>&1
  expect "load" 0 $?
  dns_vectors 5300 $rounds $width www.test
  expect "lookups" 0 $?
  dnsperf -s 127.0.0.1 -p 5300 -d /etc/names -m tcp -n $rounds -c 2 -q 4 > /run/dnsperf 2>&1
  expect "lookups over tcp" 0 $?
  wait_count '"kind":[23][,}]' $((2 * both)) > /dev/null
  expect "client spans" $both "$(count '"kind":3[,}]')"
  expect "server spans" $both "$(count '"kind":2[,}]')"
  expect "spans over tcp" $both "$(count '"stringValue":"tcp"')"
  expect "clients named" $both "$(count '"client.port"')"
  expect "servers named" $((2 * both)) "$(count '"server.port"')"
  ctl ledger > /run/ledger 2>&1
  expect "ledger" 0 $?
  daemon_stop
  if [ $status -ne 0 ]; then cat /run/out /run/ledger /run/dnsperf; tail -n 40 /run/probed.log; fi
}

unbound -d -c /etc/unbound.conf > /run/unbound.log 2>&1 &
sleep 3
for backend in $(cat /etc/backends); do check_backend; done
[ $status -ne 0 ] && cat /run/unbound.log
vm_stop $status
