#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the VM whose blocks are traced (tests/bench/hook_profile.sh): nginx traced, some requests, the mark,
# some more, and where the kernel has its functions.
. /etc/vm_lib.sh
vm_start
nginx_start
echo 0 > /proc/sys/kernel/kptr_restrict
daemon_start /tmp/state < /etc/agents/target.yaml
until ctl modules | grep -qi running; do sleep 1; done
closed_loop 8080 200 8 >/dev/null
trace_mark
closed_loop 8080 400 8 last-first
echo "symbols-begin"
gzip -c /proc/kallsyms | base64
echo "symbols-end"
daemon_stop
vm_stop $status
