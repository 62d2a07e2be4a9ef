#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# What a request costs more, in instructions, when an agent is there: boots the measuring VM and prints one "result" line
# per variant (nginx, its client, the agent itself per request, the agent's idle instructions per second).
#   vm_overhead.sh 6.1|6.12 [--requests N] [--build DIR] [--add HOST[=GUEST]]... [--rep-movs] [--last-first] VARIANT...
# --last-first: the client waits once for all its answers (tests/bench/closed_loop.c), so that each end shows its own cost.
# A VARIANT is "NAME COMMAND..."; the command runs in the VM in the foreground, says "ready" when it is attached and ends
# on SIGTERM. /bin/agent_probed.sh CONFIG is the command for the daemon; configurations are in /etc/agents.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=${1:?kernel version}
shift
requests=4000 order="" arguments=() variants=()
while [ $# -gt 0 ]; do
  case $1 in
    --requests) requests=$2; shift 2 ;;
    --build | --add | --timeout) arguments+=("$1" "$2"); shift 2 ;;
    --last-first) order=last-first; shift ;;
    --rep-movs) arguments+=("$1"); shift ;;
    *) variants+=("$1"); shift ;;
  esac
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'requests=%s order=%s\n' "$requests" "$order" > "$work/measure.conf"
: > "$work/variants"
if [ ${#variants[@]} -gt 0 ]; then printf '%s\n' "${variants[@]}" > "$work/variants"; fi
for config in "$here"/agents/*.yaml; do
  if [ -e "$config" ]; then arguments+=(--add "$config=/etc/agents/$(basename "$config")"); fi
done
"$here/../kernels/run_vm.sh" "$version" "$here/../kernels/measure_init.sh" --add "$here/agent_probed.sh=/bin/agent_probed.sh" \
  --add "$work/measure.conf=/etc/measure.conf" --add "$work/variants=/etc/variants" "${arguments[@]}"
