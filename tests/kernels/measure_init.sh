#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the measuring VM: what an agent adds to one HTTP request, in instructions. Each variant of
# /etc/variants ("NAME COMMAND...", the command says "ready" when attached) is measured between two bare runs.
. /etc/vm_lib.sh
vm_start
nginx_start
port=8080 connections=8 warm_up=1000
. /etc/measure.conf

# measure_once: sets server (nginx), client and daemon, instructions per request.
measure_once() {
  closed_loop $port $warm_up $connections >/dev/null || return 1
  sleep 1
  n0=$(cpu_of $nginx_worker)
  d0=$(cpu_of "$1")
  line=$(closed_loop $port $requests $connections $order) || return 1
  n1=$(cpu_of $nginx_worker)
  sleep 2  # what is still in rings and queues is part of the agent's price
  d1=$(cpu_of "$1")
  server=$(awk "BEGIN {printf \"%.1f\", ($n1 - $n0) / $requests}")
  daemon=$(awk "BEGIN {printf \"%.1f\", ($d1 - $d0) / $requests}")
  client=${line##* }
  response=$(echo "$line" | awk '{print $4}')
}

# The name must be one word; the rest of the line is the command.
status=0
while read -r name command; do
  measure_once none || status=1
  before=$server before_client=$client
  if agent_start $command; then
    idle0=$(cpu_of "$(agent_pid)")
    sleep 5
    idle1=$(cpu_of "$(agent_pid)")
    measure_once "$(agent_pid)" || status=1
    with=$server with_client=$client with_daemon=$daemon
    agent_stop
    sed 's/^/    | /' /run/agent.out
    measure_once none || status=1
    awk -v name="$name" -v a="$before" -v b="$with" -v c="$server" -v ca="$before_client" -v cb="$with_client" -v cc="$client" \
      -v daemon="$with_daemon" -v idle="$(awk "BEGIN {printf \"%.0f\", ($idle1 - $idle0) / 5}")" 'BEGIN {
      printf "result %s base %.1f with %.1f base_again %.1f added %+.1f client_base %.1f client_added %+.1f agent %.1f idle_per_second %s\n",
        name, a, b, c, b - (a + c) / 2, (ca + cc) / 2, cb - (ca + cc) / 2, daemon, idle }'
  else
    status=1
  fi
done < /etc/variants
measure_once none || status=1
echo "result base server $server client $client response_bytes $response"
vm_stop $status
