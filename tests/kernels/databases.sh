# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# PostgreSQL and MariaDB for the VM, as small as they can be: what they read is unpacked in its memory. Sourced.

postgres_programs=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
mariadb_server=$(PATH=$PATH:/usr/sbin command -v mariadbd)
database_additions=(--add "$postgres_programs/postgres=$postgres_programs/postgres" --add "$postgres_programs/psql=/bin/psql"
  --add "$mariadb_server=/bin/mariadbd" --add "$(command -v mariadb)=/bin/mariadb")

# database_files FOLDER: makes FOLDER/data.tar, to be unpacked at the VM's root, where data/ is theirs. The folder is one of
# `mktemp -d`: its owner alone may enter it, until here.
database_files() {
  local root=$1/root share
  share=/usr/share/postgresql/$(basename "$(dirname "$postgres_programs")")
  mkdir -p "$root/data" "$root$share" "$root/usr/share/mysql/english" "$root$(dirname "$postgres_programs")/lib"
  chown nobody "$root/data"
  chmod 755 "$1"
  setpriv --reuid=nobody --clear-groups "$postgres_programs/initdb" -D "$root/data/postgres" -A trust -N -U tester --locale=C \
    -E UTF8 > "$1/log"
  : > "$root/data/postgres/postgresql.conf" # names a time zone and a locale
  mariadb-install-db --no-defaults --skip-innodb --default-storage-engine=Aria --datadir="$root/data/mariadb" --user=root \
    --auth-root-authentication-method=normal --skip-test-db >> "$1/log" 2>&1
  rm -rf "$root"/data/mariadb/ib*
  cp -r "$share/timezonesets" "$root$share/"
  cp "$share/postgres.bki" "$root$share/"
  cp /usr/share/mysql/english/errmsg.sys "$root/usr/share/mysql/english/"
  tar -C "$root" -cf "$1/data.tar" .
}
