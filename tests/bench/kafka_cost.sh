#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# What the kafka module adds to a Produce and to a Fetch in the kernel, in instructions, in the measuring VM. Apache's broker
# is too heavy for it: the broker is the one that librdkafka brings along for tests (in a process of kcat), its clients are
# kcat; one message a request, one request at a time.
#   kafka_cost.sh 6.1|6.12 BUILD_DIR [MESSAGES] [broker|client]
# The last: which end is traced, and its CPU time measured.
. "$(dirname "$0")/cost_lib.sh"
side=${4:-broker}
echo "messages=${3:-500} side=$side" > "$work/measure.conf"
if [ "$side" = client ]; then # by the port, which is there before a client is: a process would be done before it is known
  target='ports: [PORT]}, {name: not_the_broker, exclude: true, exe: [/bin/broker]'
else
  target='exe: [/bin/broker]'
fi
cat > "$work/probed.yaml" <<C
daemon: {http_listen: ""}
modules: [{name: kafka, config: {server_spans: true}}]
targets: [{name: kafka, $target}]
C
kcat=$(command -v kcat)
"$here/../kernels/run_vm.sh" "$version" "$here/../kernels/kafka_measure_init.sh" --timeout 600 --build "$build" \
  --add "$here/agent_probed.sh=/bin/agent_probed.sh" --add "$work/probed.yaml=/etc/probed.yaml" \
  --add "$work/measure.conf=/etc/measure.conf" --add "$kcat=/bin/broker" \
  --add "$kcat=/bin/client" --add "$(command -v chrt)=/bin/chrt"
