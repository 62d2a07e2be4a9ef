#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the functional VM: with each backend of /etc/backends, `load http` under probed must see every request
# once at both ends, survive configure and unload under load, and leave no BPF object behind.
. /etc/vm_lib.sh
vm_start
nginx_start
. /etc/check.conf
socket=/run/probed.sock
status=0

ctl() { probectl --socket $socket "$@"; }
# Numbers of programs, maps and links; the kernel frees them a grace period later.
bpf_objects() { for kind in prog map link; do bpftool $kind show | grep -cE '^[0-9]+:'; done | xargs; }
wait_bpf_objects() {
  for attempt in $(seq 50); do
    [ "$(bpf_objects)" = "$1" ] && break
    sleep 0.1
  done
}

expect() {
  if [ "$2" = "$3" ]; then echo "ok   $backend $1: $3"; return; fi
  echo "FAIL $backend $1: expected $2, got $3"
  status=1
}

# spans KIND: span records of nginx's port in the file sink (OTLP kind 2: server, 3: client).
spans() { grep -o "\"kind\":$1[,}]" /tmp/spans.json 2>/dev/null | wc -l; }

# wait_spans KIND COUNT: up to 20 s for the pipeline to deliver.
wait_spans() {
  for attempt in $(seq 100); do
    [ "$(spans "$1")" -ge "$2" ] && break
    sleep 0.2
  done
}

daemon_start() {
  rm -f /tmp/spans.json
  cat > /tmp/probed.yaml <<C
daemon: {http_listen: "", backend: $backend, batch_delay: 100ms}
targets: [{name: web, ports: [8080]}]
sinks: [{name: file, type: file, path: /tmp/spans.json}]
C
  probed --config /tmp/probed.yaml --socket $socket --module-dir /modules --state-dir /tmp/state.$backend > /run/probed.log 2>&1 &
  probed=$!
  for attempt in $(seq 150); do
    ctl modules > /run/out 2>&1 && return 0
    sleep 0.2
  done
  echo "FAIL $backend: the daemon does not answer"
  cat /run/out /run/probed.log
  status=1
  return 1
}

check_backend() {
  objects=$(bpf_objects)
  daemon_start || return
  ctl load http --wait > /run/out 2>&1
  expect "load" 0 $?
  closed_loop 8080 $requests 16 || status=1
  wait_spans 2 $requests
  wait_spans 3 $requests
  expect "server spans" $requests "$(spans 2)"
  expect "client spans" $requests "$(spans 3)"
  closed_loop 8080 $requests 16 > /run/load.out &
  load=$!
  for round in $(seq $rounds); do
    ctl configure http --set capture_bytes=$((4096 + round)) > /run/out 2>&1 || { cat /run/out; status=1; }
  done
  wait $load || status=1
  wait_spans 2 $((2 * requests))
  expect "server spans with configure under load" $((2 * requests)) "$(spans 2)"
  closed_loop 8080 $requests 16 > /run/load.out &
  load=$!
  ctl unload http > /run/out 2>&1
  expect "unload under load" 0 $?
  wait $load || status=1
  kill -TERM $probed
  wait $probed
  expect "exit of the daemon" 0 $?
  wait_bpf_objects "$objects"
  expect "BPF programs, maps, links" "$objects" "$(bpf_objects)"
  [ $status -ne 0 ] && tail -n 40 /run/probed.log
}

for backend in $(cat /etc/backends); do check_backend; done
vm_stop $status
