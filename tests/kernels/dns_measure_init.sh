#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the measuring VM: what the dns module adds to one lookup in the name server, in instructions. Traced
# runs stand between two bare ones.
. /etc/vm_lib.sh
vm_start
. /etc/measure.conf

# measure: sets udp and tcp, instructions of unbound per lookup. One query at a time, so that runs are alike.
measure() {
  for transport in udp tcp; do
    dnsperf -s 127.0.0.1 -p 5300 -d /etc/names -m $transport -n 20 -c 1 -q 1 > /run/dnsperf 2>&1 || return 1
    before=$(cpu_of $unbound)
    dnsperf -s 127.0.0.1 -p 5300 -d /etc/names -m $transport -n $rounds -c 1 -q 1 > /run/dnsperf 2>&1 || return 1
    after=$(cpu_of $unbound)
    grep -q "Queries completed: *$((rounds * 10)) " /run/dnsperf || return 1
    eval "$transport=$(awk "BEGIN {printf \"%.1f\", ($after - $before) / ($rounds * 10)}")"
  done
}

unbound -d -c /etc/unbound.conf > /run/unbound.log 2>&1 &
unbound=$!
sleep 3
status=0
measure || status=1
udp_before=$udp tcp_before=$tcp
if agent_start /bin/agent_probed.sh /etc/probed.yaml; then
  measure || status=1
  udp_with=$udp tcp_with=$tcp
  agent_stop
  sed 's/^/    | /' /run/agent.out
  measure || status=1
  awk -v ub="$udp_before" -v uw="$udp_with" -v ua="$udp" -v tb="$tcp_before" -v tw="$tcp_with" -v ta="$tcp" 'BEGIN {
    printf "result udp base %.1f with %.1f base_again %.1f added %+.1f\n", ub, uw, ua, uw - (ub + ua) / 2
    printf "result tcp base %.1f with %.1f base_again %.1f added %+.1f\n", tb, tw, ta, tw - (tb + ta) / 2 }'
else
  status=1
fi
[ $status -ne 0 ] && cat /run/dnsperf /run/unbound.log
vm_stop $status
