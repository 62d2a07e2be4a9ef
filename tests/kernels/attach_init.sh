#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the VM that tries attach plans: a library loaded after the daemon's module must give one event per call
# and per return, plaintext of an "encrypted" server must become HTTP spans, and unloading must leave no BPF object.
. /etc/vm_lib.sh
vm_start
socket=/run/probed.sock
status=0
calls=2000
requests=5

ctl() { probectl --socket $socket "$@"; }
# Numbers of programs, maps and links.
bpf_objects() { for kind in prog map link; do bpftool $kind show | grep -cE '^[0-9]+:'; done | xargs; }

expect() {
  if [ "$2" = "$3" ]; then echo "ok   $1: $3"; return; fi
  echo "FAIL $1: expected $2, got $3"
  status=1
}

# wait_lines PATTERN COUNT: up to 30 s for the file sink; prints how many there are.
wait_lines() {
  for attempt in $(seq 150); do
    found=$(grep -o "$1" /tmp/spans.json 2>/dev/null | wc -l)
    [ "$found" -ge "$2" ] && break
    sleep 0.2
  done
  echo "$found"
}

cat > /tmp/probed.yaml <<C
daemon: {http_listen: "", batch_delay: 100ms}
targets: [{name: caller, exe: [/bin/attach_caller]}, {name: server, exe: [/bin/flip_server]}]
sinks: [{name: file, type: file, path: /tmp/spans.json}]
C
probed --config /tmp/probed.yaml --socket $socket --module-dir /modules --state-dir /tmp/state > /run/probed.log 2>&1 &
probed=$!
for attempt in $(seq 150); do
  ctl modules > /run/out 2>&1 && break
  sleep 0.2
done
objects=$(bpf_objects)
ctl load http --wait > /run/out 2>&1
expect "load http" 0 $?
ctl load attach_probe --wait > /run/out 2>&1
expect "load attach_probe" 0 $? || cat /run/out

(echo load; sleep 4; echo "call $calls"; sleep 1) | attach_caller /lib/libattach_target.so > /run/caller.out
expect "calls" 2 "$(grep -c ok /run/caller.out)"
expect "events at entry" $calls "$(wait_lines '"attach.argument"' $calls)"
expect "events at return" $calls "$(wait_lines '"attach.result"' $calls)"

flip_server 7000 &
server=$!
sleep 4
for request in $(seq $requests); do nc -w 2 127.0.0.1 7000 < /etc/flipped_request > /run/answer; done
expect "HTTPS spans" $requests "$(wait_lines '"stringValue":"https"' $requests)"
ctl doctor > /run/out 2>&1
expect "doctor" 0 $?
bpftool link show | grep -oE 'uprobe_multi|perf_event' | sort | uniq -c
kill $server
ctl unload attach_probe > /run/out 2>&1
ctl unload http > /run/out 2>&1
for attempt in $(seq 50); do
  [ "$(bpf_objects)" = "$objects" ] && break
  sleep 0.1
done
expect "BPF programs, maps, links" "$objects" "$(bpf_objects)"
kill -TERM $probed
wait $probed
expect "exit of the daemon" 0 $?
[ $status -ne 0 ] && { cat /run/out; tail -n 40 /run/probed.log; }
vm_stop $status
