#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Statements at PostgreSQL and MariaDB on one kernel of the matrix, a span of each at both ends: both backends where the
# kernel has both.
#   sql.sh 6.1|6.12 BUILD_DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=${1:?kernel version}
build=${2:?build folder}
case $version in
  6.1) backends=fexit ;;
  *) backends="sock fexit" ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "$backends" > "$work/backends"
programs=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
share=/usr/share/postgresql/$(basename "$(dirname "$programs")")

# Data of both servers, as small as they can be: they are unpacked in the VM's memory.
root=$work/root
mkdir -p "$root/data" "$root$share" "$root/usr/share/mysql/english" "$root$(dirname "$programs")/lib"
chown nobody "$root/data"
chmod 755 "$work"
setpriv --reuid=nobody --clear-groups "$programs/initdb" -D "$root/data/postgres" -A trust -N -U tester --locale=C -E UTF8 > "$work/log"
: > "$root/data/postgres/postgresql.conf" # names a time zone and a locale
mariadb-install-db --no-defaults --skip-innodb --default-storage-engine=Aria --datadir="$root/data/mariadb" --user=root \
  --auth-root-authentication-method=normal --skip-test-db >> "$work/log" 2>&1
rm -rf "$root"/data/mariadb/ib*
cp -r "$share/timezonesets" "$root$share/"
cp "$share/postgres.bki" "$root$share/"
cp /usr/share/mysql/english/errmsg.sys "$root/usr/share/mysql/english/"
tar -C "$root" -cf "$work/data.tar" .

"$here/run_vm.sh" "$version" "$here/sql_init.sh" --fast --timeout 400 --build "$build" \
  --add "$work/backends=/etc/backends" --add "$work/data.tar=/data.tar" --add "$programs/postgres=$programs/postgres" \
  --add "$programs/psql=/bin/psql" --add "$programs/pgbench=/bin/pgbench" \
  --add "$(PATH=$PATH:/usr/sbin command -v mariadbd)=/bin/mariadbd" --add "$(command -v mariadb)=/bin/mariadb"
