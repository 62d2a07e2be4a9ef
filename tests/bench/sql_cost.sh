#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# What the sql module adds to a query in the kernel, in instructions, in the measuring VM: to MariaDB's server, which reads
# the head and the rest of each command by itself and sends one answer.
#   sql_cost.sh 6.1|6.12 BUILD_DIR [QUERIES]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=${1:?kernel version}
build=$(readlink -f "${2:?build folder}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "queries=${3:-500}" > "$work/measure.conf"
root=$work/root
mkdir -p "$root/data" "$root/usr/share/mysql/english"
mariadb-install-db --no-defaults --skip-innodb --default-storage-engine=Aria --datadir="$root/data/mariadb" --user=root \
  --auth-root-authentication-method=normal --skip-test-db > "$work/log" 2>&1
rm -rf "$root"/data/mariadb/ib*
cp /usr/share/mysql/english/errmsg.sys "$root/usr/share/mysql/english/"
tar -C "$root" -cf "$work/data.tar" .
cat > "$work/probed.yaml" <<'C'
daemon: {http_listen: ""}
modules: [{name: sql}]
targets: [{name: server, exe: [/bin/mariadbd]}]
C
"$here/../kernels/run_vm.sh" "$version" "$here/../kernels/sql_measure_init.sh" --timeout 600 --build "$build" \
  --add "$here/agent_probed.sh=/bin/agent_probed.sh" --add "$work/probed.yaml=/etc/probed.yaml" \
  --add "$work/measure.conf=/etc/measure.conf" --add "$work/data.tar=/data.tar" \
  --add "$(PATH=$PATH:/usr/sbin command -v mariadbd)=/bin/mariadbd" --add "$(command -v mariadb)=/bin/mariadb"
