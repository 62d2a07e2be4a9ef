#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the VM that tries TLS: requests of openssl s_client at nginx must give a handshake span at each end, HTTP
# spans of both, and unloading must leave no BPF object.
. /etc/vm_lib.sh
vm_start
socket=/run/probed.sock
status=0
requests=5

ctl() { probectl --socket $socket "$@"; }
# Numbers of programs, maps and links.
bpf_objects() { for kind in prog map link; do bpftool $kind show | grep -cE '^[0-9]+:'; done | xargs; }

expect() {
  if [ "$2" = "$3" ]; then echo "ok   $1: $3"; return; fi
  echo "FAIL $1: expected $2, got $3"
  status=1
}

# wait_spans PATTERN COUNT: up to 30 s for the file sink; prints how many there are.
wait_spans() {
  for attempt in $(seq 150); do
    found=$(grep -o "$1" /tmp/spans.json 2>/dev/null | wc -l)
    [ "$found" -ge "$2" ] && break
    sleep 0.2
  done
  echo "$found"
}

cat > /tmp/probed.yaml <<C
daemon: {http_listen: "", batch_delay: 100ms}
targets: [{name: web, ports: [8443]}]
sinks: [{name: file, type: file, path: /tmp/spans.json}]
C
probed --config /tmp/probed.yaml --socket $socket --module-dir /modules --state-dir /tmp/state > /run/probed.log 2>&1 &
probed=$!
for attempt in $(seq 150); do
  ctl modules > /run/out 2>&1 && break
  sleep 0.2
done
objects=$(bpf_objects)
for module in http tls; do
  ctl load $module --wait > /run/out 2>&1
  expect "load $module" 0 $? || cat /run/out
done
[ $status -ne 0 ] && cat /run/out
nginx_start
sleep 4
for request in $(seq $requests); do
  (printf 'GET /inside HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n'; sleep 1) |
    openssl s_client -connect 127.0.0.1:8443 -servername shop.test -quiet > /run/answer 2>&1
done
expect "handshakes of clients" $requests "$(wait_spans '"TLS client handshake shop.test"' $requests)"
expect "handshakes of the server" $requests "$(wait_spans '"TLS server handshake"' $requests)"
expect "requests inside, at both ends" $((2 * requests)) "$(wait_spans '"http.request.method"' $((2 * requests)))"
ctl doctor > /run/out 2>&1
expect "doctor" 0 $?
bpftool link show | grep -oE 'uprobe_multi|perf_event' | sort | uniq -c
ctl unload tls > /run/out 2>&1
ctl unload http > /run/out 2>&1
for attempt in $(seq 50); do
  [ "$(bpf_objects)" = "$objects" ] && break
  sleep 0.1
done
expect "BPF programs, maps, links" "$objects" "$(bpf_objects)"
kill -TERM $probed
wait $probed
expect "exit of the daemon" 0 $?
[ $status -ne 0 ] && { cat /run/out /run/answer; tail -n 40 /run/probed.log; }
vm_stop $status
