#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# What the kafka module adds to a Produce and to a Fetch in the kernel, in instructions, in the measuring VM. Apache's broker
# is too heavy for it: the broker is the one that librdkafka brings along for tests (in a process of kcat), its clients are
# kcat; one message a request, one request at a time.
#   kafka_cost.sh 6.1|6.12 BUILD_DIR [MESSAGES]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=${1:?kernel version}
build=$(readlink -f "${2:?build folder}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "messages=${3:-500}" > "$work/measure.conf"
cat > "$work/probed.yaml" <<'C'
daemon: {http_listen: ""}
modules: [{name: kafka, config: {server_spans: true}}]
targets: [{name: broker, exe: [/bin/broker]}]
C
kcat=$(command -v kcat)
"$here/../kernels/run_vm.sh" "$version" "$here/../kernels/kafka_measure_init.sh" --timeout 600 --build "$build" \
  --add "$here/agent_probed.sh=/bin/agent_probed.sh" --add "$work/probed.yaml=/etc/probed.yaml" \
  --add "$work/measure.conf=/etc/measure.conf" --add "$kcat=/bin/broker" \
  --add "$kcat=/bin/client" --add "$(command -v chrt)=/bin/chrt"
