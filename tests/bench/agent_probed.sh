#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Inside the measuring VM: runs probed with a configuration until SIGTERM; says "ready" when its modules run. With
# COLLECTOR set it starts that OTLP/gRPC collector first.
config=${1:?configuration}
socket=/run/probed.sock
if [ -n "$COLLECTOR" ]; then
  $COLLECTOR 127.0.0.1:4317 &
  collector=$!
fi
probed --config "$config" --socket $socket --module-dir /modules --state-dir /tmp/state &
probed=$!
stop() {
  probectl --socket $socket ledger 2>/dev/null
  kill -TERM $probed
  wait $probed
  [ -n "$collector" ] && kill -TERM $collector && wait $collector
  exit 0
}
trap stop TERM
for attempt in $(seq 200); do
  state=$(probectl --socket $socket modules 2>/dev/null)
  case $state in *[Rr]unning*) break ;; esac
  kill -0 $probed || exit 1
  sleep 0.1
done
echo "$state"
case $state in *[Rr]unning*) echo ready ;; esac
while :; do
  sleep 1 &
  wait $!
done
