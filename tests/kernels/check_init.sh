#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the functional VM: with each backend of /etc/backends, every module must load; http under probed must see
# every request once at both ends, survive configure and unload under load, and leave no BPF object behind. With fexit, where
# no other machine may have it, also every request through a proxy, and what was made for which.
. /etc/vm_lib.sh
vm_start
nginx_start
. /etc/check.conf
dd if=/dev/zero of=/tmp/file bs=1M count=24 2>/dev/null
ln /tmp/file /tmp/file_slow

# spans KIND COUNT: how many there are once that many came (OTLP kind 2: server, 3: client).
spans() { wait_count "\"kind\":$1[,}]" "$2"; }

# The kernel's verifier takes the programs of each module.
load_each() {
  for file in /modules/*.so; do
    module=$(basename "$file" .so)
    ctl load "$module" --wait > /run/out 2>&1
    expect "load $module" 0 $? || { cat /run/out; continue; }
    [ "$module" = http ] || ctl unload "$module" > /run/out 2>&1
  done
}

# How many spans of the slow reader lasted a second or more. A busy machine may make the others as long.
slow_ones() {
  sed 's/{"traceId"/\n&/g' /tmp/spans.json | grep '/file_slow"' |
    grep -o '"startTimeUnixNano":"[0-9]*","endTimeUnixNano":"[0-9]*"' |
    awk -F'"' '$8 - $4 >= 1e9 {slow++} END {print slow + 0}'
}

# files WAY SPANS SLOW CURL_ARGUMENT...: a large file by sendfile, once to a slow reader and five times over one connection.
# Nothing else comes on a connection that would tell how far it is, and the span lasts until the file is through.
files() {
  way=$1 wanted=$2 slow=$3
  shift 3
  curl -s -o /dev/null --limit-rate 4M "$@" http://localhost:8080/file_slow || status=1
  curl -s "$@" $(for i in $(seq 5); do echo -o /dev/null http://localhost:8080/file; done) || status=1
  expect "spans of files over $way" "$wanted" "$(wait_count '/file[_a-z]*"' "$wanted")"
  expect "files over $way that failed" 0 "$(count '"error.type"')"
  expect "spans of slow files over $way" "$slow" "$(slow_ones)"
}

# settle: until all that was captured is decoded, and the file sink has written nothing for a second. Counting would cost more.
settle() {
  ctl ledger > /run/out 2>&1
  before=-1
  until [ "$(wc -c < /tmp/spans.json)" = "$before" ]; do
    before=$(wc -c < /tmp/spans.json)
    sleep 1
  done
}

# proxied WAY COUNT: numbered requests through the proxy, 16 at a time. A request is a span of the proxy's server, one of its
# client and one of the server behind it; each of these hangs below the one before. Compared by the numbers.
proxied() {
  way=$1 wanted=$2
  numbered_load 8081 /$way/ $wanted 16 $way || status=1
  settle
  set -- $(awk -v prefix=/$way/ -v port=8081 -f /etc/parents.awk /tmp/spans.json)
  expect "spans of $wanted requests, proxy's connections: $way" $((3 * wanted)) "$1"
  expect "requests among them" "$wanted" "$2"
  expect "repeated" 0 "$3"
  expect "wrong parents" 0 "$4"
  without=$((without + $5))
}

# What the daemon says of spans that could have had a parent and have none.
unclear() {
  curl -s http://127.0.0.1:8888/metrics | awk '/^probed_link_parents.*"(ambiguous|stale)"/ {sum += $NF} END {print sum + 0}'
}

through_a_proxy() {
  without=0
  unclear_before=$(unclear)
  nginx -c /etc/proxy.conf
  proxied keep $kept
  proxied new $fresh
  expect "without a parent, as the daemon counts them" "$without" $(($(unclear) - unclear_before))
  ctl ledger -o json | grep -oE '"(ring_full|fault|sequence_gaps|doubled|recursion_misses)": ?"?[1-9][0-9]*' > /run/lost
  expect "lost" "" "$(cat /run/lost)"
  kill "$(cat /run/proxy.pid)"
}

check_backend() {
  objects=$(bpf_objects)
  daemon_start /tmp/state.$backend <<C
daemon: {http_listen: "127.0.0.1:8888", backend: $backend, batch_delay: 100ms, ring_bytes: 16MiB}
targets: [{name: web, ports: [8080]}, {name: server, exe: [/bin/nginx]}]
sinks: [{name: file, type: file, path: /tmp/spans.json}]
C
  case $(ctl info -o json | tr -d '\n') in
    *'"backends_available":'*"\"$backend\""*'"capabilities"'*) ;;
    *) expect "backends available" "$backend" "$(ctl info)" ;;
  esac
  load_each
  closed_loop 8080 $requests 16 || status=1
  expect "server spans" $requests "$(spans 2 $requests)"
  expect "client spans" $requests "$(spans 3 $requests)"
  closed_loop 8080 $requests 16 > /run/load.out &
  load=$!
  for round in $(seq $rounds); do
    ctl configure http --set capture_bytes=$((4096 + round)) > /run/out 2>&1 || { cat /run/out; status=1; }
  done
  wait $load || status=1
  expect "server spans with configure under load" $((2 * requests)) "$(spans 2 $((2 * requests)))"
  files tcp 12 2 -4
  files unix 18 3 --unix-socket /run/nginx.sock
  [ $backend = sock ] || through_a_proxy
  closed_loop 8080 $requests 16 > /run/load.out &
  load=$!
  ctl unload http > /run/out 2>&1
  expect "unload under load" 0 $?
  wait $load || status=1
  daemon_stop
  wait_bpf_objects "$objects"
  expect "BPF programs, maps, links" "$objects" "$(bpf_objects)"
  [ $status -ne 0 ] && tail -n 40 /run/probed.log
}

for backend in $(cat /etc/backends); do check_backend; done
vm_stop $status
