#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the measuring VM: what the grpc module adds to one call in a gRPC server and to one HTTP/2 request in
# nginx, in instructions. Traced runs stand between bare ones; the clients are never traced.
. /etc/vm_lib.sh
vm_start
. /etc/measure.conf
export GOMAXPROCS=1 GOGC=off

# ask COMMAND...: tells the client; 0 if it answers that it saw status OK.
ask() {
  lines=$(wc -l < /run/answers)
  echo "$@" >&3
  for attempt in $(seq 600); do
    [ "$(wc -l < /run/answers)" -gt "$lines" ] && break
    sleep 0.1
  done
  [ "$(tail -n 1 /run/answers)" = 0 ]
}

# per PID BEFORE COUNT: what the process ran since then, per call.
per() { awk "BEGIN {printf \"%.1f\", ($(cpu_of "$1") - $2) / $3}"; }

# measure: sets grpc and nginx, instructions of the server per call. A connection of its own each time.
measure() {
  rm -f /run/commands
  mkfifo /run/commands
  : > /run/answers
  grpc_echo client 9000 < /run/commands >> /run/answers 2> /run/client.log &
  client=$!
  exec 3> /run/commands
  ask say 20 200 || return 1
  before=$(cpu_of $server)
  ask say 20 "$calls" || return 1
  grpc=$(per $server "$before" "$calls")
  exec 3>&-
  wait $client
  h2load -n 200 -c 1 -m 1 http://127.0.0.1:8080/ > /run/h2load 2>&1 || return 1
  before=$(cpu_of $nginx_worker)
  h2load -n "$calls" -c 1 -m 1 http://127.0.0.1:8080/ > /run/h2load 2>&1 || return 1
  nginx=$(per $nginx_worker "$before" "$calls")
  grep -q " $calls succeeded, 0 failed" /run/h2load || return 1
}

grpc_echo $role 9000 > /run/server.log 2>&1 &
server=$!
nginx_start
sleep 1
cat > /tmp/probed.yaml <<C
daemon: {http_listen: ""}
modules: [{name: grpc}]
targets: [{name: servers, pids: [$server, $nginx_worker]}]
C
status=0
rounds 3 /tmp/probed.yaml grpc nginx || status=1
[ $status -eq 0 ] || cat /run/answers /run/client.log /run/server.log /run/h2load
vm_stop $status
