#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the measuring VM: what the sql module adds to one query in MariaDB's server, in instructions. Traced runs
# stand between two bare ones.
. /etc/vm_lib.sh
vm_start
. /etc/measure.conf
maria="mariadb --no-defaults -h 127.0.0.1 -u root --skip-ssl"

# measure: sets query, instructions of the server per query.
measure() {
  head -n 20 /tmp/queries | $maria shop > /run/maria 2>&1 || return 1
  before=$(cpu_of $server)
  $maria shop < /tmp/queries > /run/maria 2>&1 || return 1
  after=$(cpu_of $server)
  query=$(awk "BEGIN {printf \"%.1f\", ($after - $before) / $queries}")
}

ln -s busybox /bin/sh 2>/dev/null
tar -C / -xf /data.tar
mariadbd --no-defaults --user=root --datadir=/data/mariadb --skip-innodb --default-storage-engine=Aria --bind-address=127.0.0.1 \
  --socket=/run/mariadb --lc-messages-dir=/usr/share/mysql > /run/mariadb.log 2>&1 &
server=$!
for attempt in $(seq 150); do
  $maria -e 'create database shop; create table shop.tune (id int); insert into shop.tune values (1)' > /run/maria 2>&1 && break
  sleep 0.2
done
for number in $(seq $queries); do echo "select id from tune where id = $number;"; done > /tmp/queries
status=0
measure || status=1 # until the server's caches are warm
measure || status=1
first=$query
if agent_start /bin/agent_probed.sh /etc/probed.yaml; then
  measure || status=1
  with=$query
  agent_stop
  sed 's/^/    | /' /run/agent.out
  measure || status=1
  awk -v b="$first" -v w="$with" -v a="$query" 'BEGIN {
    printf "result base %.1f with %.1f base_again %.1f added %+.1f\n", b, w, a, w - (b + a) / 2 }'
else
  status=1
fi
[ $status -ne 0 ] && cat /run/maria /run/mariadb.log
vm_stop $status
