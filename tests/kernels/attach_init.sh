#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the VM that tries attach plans: a library loaded after the daemon's module must give one event per call
# and per return, plaintext of an "encrypted" server must become HTTP spans, and unloading must leave no BPF object.
. /etc/vm_lib.sh
vm_start
calls=2000
requests=5

daemon_start /tmp/state <<C
daemon: {http_listen: "", batch_delay: 100ms}
targets: [{name: caller, exe: [/bin/attach_caller]}, {name: server, exe: [/bin/flip_server]}]
sinks: [{name: file, type: file, path: /tmp/spans.json}]
C
objects=$(bpf_objects)
ctl load http --wait > /run/out 2>&1
expect "load http" 0 $?
ctl load attach_probe --wait > /run/out 2>&1
expect "load attach_probe" 0 $? || cat /run/out

(echo load; sleep 4; echo "call $calls"; sleep 1) | attach_caller /lib/libattach_target.so > /run/caller.out
expect "calls" 2 "$(grep -c ok /run/caller.out)"
expect "events at entry" $calls "$(wait_count '"attach.argument"' $calls)"
expect "events at return" $calls "$(wait_count '"attach.result"' $calls)"

flip_server 7000 &
server=$!
sleep 4
for request in $(seq $requests); do nc -w 2 127.0.0.1 7000 < /etc/flipped_request > /run/answer; done
expect "HTTPS spans" $requests "$(wait_count '"stringValue":"https"' $requests)"
ctl doctor > /run/out 2>&1
expect "doctor" 0 $?
bpftool link show | grep -oE 'uprobe_multi|perf_event' | sort | uniq -c
kill $server
ctl unload attach_probe > /run/out 2>&1
ctl unload http > /run/out 2>&1
wait_bpf_objects "$objects"
expect "BPF programs, maps, links" "$objects" "$(bpf_objects)"
daemon_stop
[ $status -ne 0 ] && { cat /run/out; tail -n 40 /run/probed.log; }
vm_stop $status
