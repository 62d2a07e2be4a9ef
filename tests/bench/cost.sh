#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# The budgets of docs/benchmarks.md, measured in the VM that counts instructions; exits 1 when one is exceeded.
#   cost.sh 6.1|6.12 BUILD_DIR [REQUESTS]       (a release build gives the daemon's own figure)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=${1:?kernel version}
build=$(readlink -f "${2:?build folder}")
requests=${3:-20000}

# Instructions per request: the traced server, the server as no target, both ends, the daemon per exported span.
case $version in
  6.1) not_a_target=450 ;;
  *) not_a_target=260 ;;
esac
budget_target=1500 budget_both=3000 budget_daemon=4000

[ -x "$build/bench/otlp_collector" ] || { echo "cost: build otlp_collector first" >&2; exit 1; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$here/vm_overhead.sh" "$version" --requests "$requests" --timeout 1800 --build "$build" --add "$build/bench/otlp_collector=/bin/otlp_collector" \
  "target /bin/agent_probed.sh /etc/agents/target.yaml" \
  "exported env COLLECTOR=/bin/otlp_collector /bin/agent_probed.sh /etc/agents/target_sink.yaml" \
  "both_ends /bin/agent_probed.sh /etc/agents/both_ends.yaml" \
  "not_a_target /bin/agent_probed.sh /etc/agents/not_a_target.yaml" | tee "$log"

# field VARIANT NAME: the number after NAME in the variant's result line.
field() { awk -v variant="$1" -v name="$2" '$1 == "result" && $2 == variant {for (i = 3; i < NF; i++) if ($i == name) print $(i + 1)}' "$log"; }

status=0
judge() {
  local verdict=ok
  if [ -z "$2" ]; then
    verdict="not measured"
    status=1
  elif awk -v found="$2" -v budget="$3" 'BEGIN {exit !(found > budget)}'; then
    verdict="OVER BUDGET"
    status=1
  fi
  printf '%-44s %10s  budget %6s  %s\n' "$1" "${2:--}" "$3" "$verdict"
}

echo
echo "kernel $version, instructions per HTTP request (70-byte head, keep-alive)"
both=$(awk -v a="$(field both_ends added)" -v b="$(field both_ends client_added)" 'BEGIN {if (a != "" && b != "") print a + b}')
judge "nginx traced" "$(field target added)" "$budget_target"
judge "both ends traced, sum of both" "$both" "$budget_both"
judge "nginx not a target" "$(field not_a_target added)" "$not_a_target"
judge "probed per span, ring to acknowledged batch" "$(field exported agent)" "$budget_daemon"
exit $status
