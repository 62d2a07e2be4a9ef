#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the VM: with each backend of /etc/backends, every statement of pgbench and of mariadb is a span at either
# end, also where rows stay in the kernel.
. /etc/vm_lib.sh
vm_start
statements=200
pg="-h 127.0.0.1 -U tester postgres"
maria="mariadb --no-defaults -h 127.0.0.1 -u root --skip-ssl"

servers_start() {
  start-stop-daemon -S -c nobody -x "$(echo /usr/lib/postgresql/*/bin/postgres)" -- -D /data/postgres \
    -c unix_socket_directories= -c fsync=off -c shared_buffers=16MB > /run/postgres.log 2>&1 &
  mariadbd --no-defaults --user=root --datadir=/data/mariadb --skip-innodb --default-storage-engine=Aria \
    --bind-address=127.0.0.1 --socket=/run/mariadb --lc-messages-dir=/usr/share/mysql > /run/mariadb.log 2>&1 &
  for attempt in $(seq 150); do
    psql -c 'select 1' $pg > /dev/null 2>&1 && $maria -e 'select 1' > /dev/null 2>&1 && return
    sleep 0.2
  done
  echo "the databases do not answer"
  tail -n 20 /run/postgres.log /run/mariadb.log
  vm_stop 1
}

# named NAME COUNT: spans of that name.
named() { wait_count "\"name\":\"$1\"" "$2"; }

check_backend() {
  daemon_start /tmp/state.$backend <<C
daemon: {http_listen: "", backend: $backend, batch_delay: 100ms}
sinks: [{name: file, type: file, path: /tmp/spans.json}]
C
  ctl load sql --set server_spans=true --set returned_rows=true --wait > /run/out 2>&1
  expect "load" 0 $?
  for mode in simple prepared; do
    pgbench -n -M $mode -f /tmp/song.sql -t $((statements / 2)) $pg > /run/pgbench 2>&1
    expect "pgbench -M $mode" 0 $?
  done
  psql -c 'select x from long' $pg > /run/psql 2>&1
  $maria shop < /tmp/tunes.sql > /run/maria 2>&1
  expect "mariadb" 0 $?
  expect "statements at PostgreSQL" $((2 * statements)) "$(named 'select song' $((2 * statements)))"
  expect "statements at MariaDB" $((2 * statements)) "$(named 'select tune' $((2 * statements)))"
  expect "long results at PostgreSQL" 2 "$(named 'select long' 2)"
  expect "long results at MariaDB" 2 "$(named 'select tall' 2)"
  expect "rows of long results" 4 "$(count '"db.response.returned_rows","value":{"intValue":"5000"}')"
  ctl ledger > /run/ledger 2>&1
  expect "ledger" 0 $?
  daemon_stop
  [ $status -ne 0 ] && { cat /run/out /run/ledger /run/pgbench /run/maria; tail -n 40 /run/probed.log; }
}

ln -s busybox /bin/sh 2>/dev/null
tar -C / -xf /data.tar
servers_start
psql -c 'create table song as select i as id from generate_series(1, 10) i' $pg
psql -c 'create table long as select i as x from generate_series(1, 5000) i' $pg
$maria -e 'create database shop; use shop; create table tune (id int); insert into tune values (1); create table tall select seq from seq_1_to_5000'
echo 'select id from song where id = 1;' > /tmp/song.sql
{ for number in $(seq $statements); do echo "select id from tune where id = $number;"; done; echo 'select seq from tall;'; } > /tmp/tunes.sql
for backend in $(cat /etc/backends); do check_backend; done
vm_stop $status
