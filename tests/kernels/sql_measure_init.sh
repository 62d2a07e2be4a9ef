#!/bin/busybox sh
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# First process of the measuring VM: what the sql module adds to one query in MariaDB's and in PostgreSQL's server, in
# instructions. Traced runs stand between bare ones; each is one connection, asked one query after the other.
. /etc/vm_lib.sh
vm_start
. /etc/measure.conf

# The servers are scheduled in real time: woken by a query, they run before its client goes on. Else a server sometimes finds
# the next bytes there and sometimes waits for them, which costs a system call and a switch more, and 6.12 keeps to either
# for many queries.
echo -1 > /proc/sys/kernel/sched_rt_runtime_us
real_time="chrt -f 1"

servers_start() {
  $real_time mariadbd --no-defaults --user=root --datadir=/data/mariadb --skip-innodb --default-storage-engine=Aria \
    --bind-address=127.0.0.1 --socket=/run/mariadb --lc-messages-dir=/usr/share/mysql > /run/mariadb.log 2>&1 &
  $real_time start-stop-daemon -S -c nobody -x "$(echo /usr/lib/postgresql/*/bin/postgres)" -- -D /data/postgres \
    -c unix_socket_directories= -c fsync=off -c shared_buffers=16MB -c autovacuum=off > /run/postgres.log 2>&1 &
  table='create table tune (id int); insert into tune values (1);'
  for attempt in $(seq 150); do
    mariadb --no-defaults -h 127.0.0.1 -u root --skip-ssl -e "create database shop; use shop; $table" > /run/maria 2>&1 && break
    sleep 0.2
  done
  for attempt in $(seq 150); do
    psql -h 127.0.0.1 -U tester -c "$table" postgres > /run/psql 2>&1 && break
    sleep 0.2
  done
}

# ask COUNT: that many queries; 0 when all were answered.
ask() {
  wanted=$(($(wc -l < /run/answers) + $1))
  seq "$1" | sed 's/.*/select id from tune where id > 1 - &;/' >&3
  for attempt in $(seq 600); do
    [ "$(wc -l < /run/answers)" -ge $wanted ] && break
    sleep 0.1
  done
  [ "$(wc -l < /run/answers)" -eq $wanted ]
}

# per_query SERVER_OF CLIENT...: sets query, what the process that SERVER_OF prints ran for each.
per_query() {
  server_of=$1
  shift
  rm -f /run/queries
  mkfifo /run/queries
  : > /run/answers
  "$@" < /run/queries >> /run/answers 2> /run/client.log &
  client=$!
  exec 3> /run/queries
  ask 50 || return 1
  server=$($server_of)
  before=$(cpu_of $server)
  ask $queries || return 1
  query=$(awk "BEGIN {printf \"%.1f\", ($(cpu_of $server) - $before) / $queries}")
  exec 3>&-
  wait $client
}

mariadb_server() { pidof mariadbd; }
postgres_server() { grep -l "^postgres: tester" /proc/[0-9]*/cmdline | cut -d / -f 3; }

measure() {
  per_query mariadb_server mariadb --no-defaults -h 127.0.0.1 -u root --skip-ssl -N -n shop || return 1
  mariadb=$query
  per_query postgres_server psql -X -q -A -t -h 127.0.0.1 -U tester postgres || return 1
  postgres=$query
}

ln -s busybox /bin/sh 2>/dev/null
tar -C / -xf /data.tar
servers_start
status=0
rounds 3 /etc/probed.yaml mariadb postgres || status=1
[ $status -eq 0 ] || cat /run/psql /run/maria /run/client.log /run/answers /run/mariadb.log /run/postgres.log
vm_stop $status
