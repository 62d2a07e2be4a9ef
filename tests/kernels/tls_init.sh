#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the VM that tries TLS: requests of openssl s_client at nginx must give a handshake span at each end, HTTP
# spans of both, and unloading must leave no BPF object.
. /etc/vm_lib.sh
vm_start
requests=5

daemon_start /tmp/state <<C
daemon: {http_listen: "", batch_delay: 100ms}
targets: [{name: web, ports: [8443, 8444]}]
sinks: [{name: file, type: file, path: /tmp/spans.json}]
C
objects=$(bpf_objects)
for module in http tls; do
  ctl load $module --wait > /run/out 2>&1
  expect "load $module" 0 $? || cat /run/out
done
nginx_start
sleep 4
for request in $(seq $requests); do
  (printf 'GET /inside HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n'; sleep 1) |
    openssl s_client -connect 127.0.0.1:8443 -servername shop.test -quiet > /run/answer 2>&1
done
expect "handshakes of clients" $requests "$(wait_count '"TLS client handshake shop.test"' $requests)"
expect "handshakes of the server" $requests "$(wait_count '"TLS server handshake"' $requests)"
expect "requests inside, at both ends" $((2 * requests)) "$(wait_count '"http.request.method"' $((2 * requests)))"
expect "certificates that TLS 1.3 encrypts, at clients" $requests "$(wait_count '"tls.server.subject"' $requests)"
if [ -x /bin/https ]; then
  https serve 127.0.0.1:8444 /etc/cert.pem /etc/key.pem > /run/https.log 2>&1 &
  go=50
  sleep 4
  expect "answers to Go" $go "$(https get 127.0.0.1:8444 shop.test 1.1 $go 4)"
  expect "requests of Go, at both ends" $((2 * requests + 2 * go)) "$(wait_count '"http.request.method"' $((2 * requests + 2 * go)))"
fi
ctl doctor > /run/out 2>&1
expect "doctor" 0 $?
bpftool link show | grep -oE 'uprobe_multi|perf_event' | sort | uniq -c
ctl unload tls > /run/out 2>&1
ctl unload http > /run/out 2>&1
wait_bpf_objects "$objects"
expect "BPF programs, maps, links" "$objects" "$(bpf_objects)"
daemon_stop
[ $status -ne 0 ] && { cat /run/out /run/answer; tail -n 40 /run/probed.log /run/https.log; }
vm_stop $status
