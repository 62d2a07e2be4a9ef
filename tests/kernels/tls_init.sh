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
targets: [{name: web, ports: [8443, 8444, 8445]}]
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
spans=$((2 * requests))
expect "requests inside, at both ends" $spans "$(wait_count '"http.request.method"' $spans)"
expect "certificates that TLS 1.3 encrypts, at clients" $requests "$(wait_count '"tls.server.subject"' $requests)"

# Connections that the kernel encrypts, since it runs.
encrypted() { awk '$1 == "TlsTxSw" {print $2}' /proc/net/tls_stat; }

# in_kernel VERSION: a connection of three requests; the kernel encrypts what the server sends, and reads the file by
# itself.
in_kernel() {
  before=$(encrypted)
  curl -sk --http1.1 --tls-max $1 -o /run/first -o /run/file -o /run/last $kernel/short $kernel/file $kernel/short
  expect "connections of TLS $1 that the kernel encrypts" $((before + 1)) "$(encrypted)"
  cmp /tmp/kernel/file /run/file || status=1
}
kernel=https://127.0.0.1:8445
for module in /lib/modules/*.ko; do insmod $module || status=1; done
mkdir /tmp/kernel
dd if=/dev/zero of=/tmp/kernel/file bs=1k count=300 2> /dev/null
in_kernel 1.2
in_kernel 1.3
spans=$((spans + 12))
expect "with the requests that the kernel answers" $spans "$(wait_count '"http.request.method"' $spans)"
expect "files that the server never read" 2 "$(ctl ledger | awk '$1 == "module:http"' | grep -oE ' unreadable=[0-9]+' | cut -d= -f2)"
# Of TLS 1.2 the server's is out of sight.
expect "with the server's handshake of TLS 1.3" $((requests + 1)) "$(wait_count '"TLS server handshake"' $((requests + 1)))"
expect "spans with an error" 0 "$(count '"error.type"')"

if [ -x /bin/https ]; then
  https serve 127.0.0.1:8444 /etc/cert.pem /etc/key.pem > /run/https.log 2>&1 &
  go=50
  sleep 4
  expect "answers to Go" $go "$(https get 127.0.0.1:8444 shop.test 1.1 $go 4)"
  spans=$((spans + 2 * go))
  expect "with the requests of Go" $spans "$(wait_count '"http.request.method"' $spans)"
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
