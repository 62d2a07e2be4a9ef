#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# What the dns module adds to a lookup in the kernel, in instructions, in the measuring VM: to unbound, which receives
# and sends one message for each, over UDP and over TCP.
#   dns_cost.sh 6.1|6.12 BUILD_DIR [ROUNDS]       (ten lookups a round)
. "$(dirname "$0")/cost_lib.sh"
echo "rounds=${3:-200}" > "$work/measure.conf"
for index in $(seq 0 9); do echo "n$index.www.test A"; done > "$work/names"
cat > "$work/probed.yaml" <<'C'
daemon: {http_listen: ""}
modules: [{name: dns}]
targets: [{name: server, exe: [/bin/unbound]}]
C
"$here/../kernels/run_vm.sh" "$version" "$here/../kernels/dns_measure_init.sh" --timeout 600 --build "$build" \
  --add "$here/agent_probed.sh=/bin/agent_probed.sh" --add "$work/probed.yaml=/etc/probed.yaml" \
  --add "$work/measure.conf=/etc/measure.conf" --add "$work/names=/etc/names" --add "$here/../kernels/unbound.conf=/etc/unbound.conf" \
  --add "$(command -v dnsperf)=/bin/dnsperf" --add "$(PATH=$PATH:/usr/sbin command -v unbound)=/bin/unbound"
