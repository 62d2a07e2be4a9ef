# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Inside the VM: mounts, nginx, agents under test, CPU times; a daemon with a file sink and what is expected of it.
# Sourced by the init scripts (busybox sh).

vm_start() {
  mount -t proc none /proc
  mount -t sysfs none /sys
  mount -t devtmpfs none /dev
  mkdir -p /dev/shm /sys/fs/cgroup
  mount -t tmpfs none /dev/shm
  mount -t tmpfs none /tmp
  mount -t cgroup2 none /sys/fs/cgroup
  mount -t bpf none /sys/fs/bpf
  mount -t tracefs none /sys/kernel/tracing
  ifconfig lo 127.0.0.1 up
  ulimit -l unlimited
  ulimit -n 65536
  echo "vm-kernel $(uname -r)"
}

vm_stop() {
  echo "vm-exit $1"
  poweroff -f
}

# nginx_start: sets nginx_master and nginx_worker. (This busybox has no pgrep.)
nginx_start() {
  nginx -c /etc/nginx.conf
  nginx_worker=
  for attempt in $(seq 100); do
    nginx_master=$(cat /run/nginx.pid 2>/dev/null)
    for pid in $(pidof nginx); do
      [ -n "$nginx_master" ] && [ "$pid" != "$nginx_master" ] && nginx_worker=$pid
    done
    [ -n "$nginx_worker" ] && return 0
    sleep 0.1
  done
  echo "nginx did not start"
  vm_stop 1
}

# cpu_of PID: nanoseconds (instructions) that all live threads of a process have run.
cpu_of() { cat /proc/"$1"/task/*/schedstat 2>/dev/null | awk '{sum += $1} END {printf "%.0f\n", sum}'; }

# agent_start COMMAND...: runs it in the background until it says "ready"; 0 if it did.
agent_start() {
  : > /run/agent.out
  "$@" >> /run/agent.out 2>&1 &
  agent=$!
  for attempt in $(seq 300); do
    if grep -q ready /run/agent.out; then return 0; fi
    kill -0 $agent 2>/dev/null || break
    sleep 0.1
  done
  echo "agent did not get ready: $*"
  cat /run/agent.out
  return 1
}

agent_stop() {
  kill -TERM $agent 2>/dev/null
  wait $agent
}

# agent_pid: the daemon if the agent's script has started one, else the agent itself.
agent_pid() { pidof probed || echo $agent; }

# rounds COUNT CONFIGURATION NAME...: runs `measure`, which sets a variable of each name, bare, and COUNT times traced and
# bare again. Prints what tracing added to each.
rounds() {
  count=$1 configuration=$2
  shift 2
  keep_measured "$@" || return 1
  for round in $(seq $count); do
    agent_start /bin/agent_probed.sh "$configuration" || return 1
    keep_measured "$@" || return 1
    agent_stop
    sed 's/^/    | /' /run/agent.out
    keep_measured "$@" || return 1
  done
  for name; do eval "result $name \"\$${name}_runs\""; done
}

keep_measured() {
  measure || return 1
  for name; do eval "${name}_runs=\"\$${name}_runs \$$name\""; done
}

# result NAME "BARE TRACED BARE...": several traced runs, each between two bare ones.
result() {
  awk -v name="$1" -v runs="$2" 'BEGIN {
    n = split(runs, run, " ")
    printf "result %s", name
    for (i = 2; i < n; i += 2) {
      printf " base %.1f with %.1f", run[i - 1], run[i]
      sum += added[i] = run[i] - (run[i - 1] + run[i + 1]) / 2
    }
    printf " base %.1f added", run[n]
    for (i = 2; i < n; i += 2) printf " %+.1f", added[i]
    printf " mean %+.1f\n", sum / ((n - 1) / 2)
  }'
}

# --- a daemon with a file sink -----------------------------------------------------------------------------------

socket=/run/probed.sock
status=0

# A VM beside another one, or beside a build, may have taken its clock to be slower than it is: minutes pass in seconds.
ctl() { probectl --socket $socket --timeout 10m "$@"; }

# daemon_start STATE_FOLDER < CONFIGURATION: ends the run if it does not answer.
daemon_start() {
  rm -f /tmp/spans.json
  cat > /tmp/probed.yaml
  probed --config /tmp/probed.yaml --socket $socket --module-dir /modules --state-dir "$1" > /run/probed.log 2>&1 &
  probed=$!
  for attempt in $(seq 150); do
    ctl modules > /run/out 2>&1 && return
    sleep 0.2
  done
  echo "the daemon does not answer"
  cat /run/probed.log
  vm_stop 1
}

# Numbers of programs, maps and links; the kernel frees them a grace period later.
bpf_objects() { for kind in prog map link; do bpftool $kind show | grep -cE '^[0-9]+:'; done | xargs; }
wait_bpf_objects() {
  for attempt in $(seq 50); do
    [ "$(bpf_objects)" = "$1" ] && break
    sleep 0.1
  done
}

# count PATTERN: how often it is in the file sink. wait_count PATTERN COUNT: up to two minutes for that many; prints them.
count() { grep -o "$1" /tmp/spans.json 2>/dev/null | wc -l; }
wait_count() {
  for attempt in $(seq 600); do
    [ "$(count "$1")" -ge "$2" ] && break
    sleep 0.2
  done
  count "$1"
}

# expect WHAT WANTED FOUND: sets status. With several backends, backend names the one at hand.
expect() {
  if [ "$2" = "$3" ]; then echo "ok   ${backend:+$backend }$1: $3"; return; fi
  echo "FAIL ${backend:+$backend }$1: expected $2, got $3"
  status=1
  return 1
}

daemon_stop() {
  kill -TERM $probed
  wait $probed
  expect "exit of the daemon" 0 $?
}
