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
. "$here/databases.sh"
database_files "$work"
"$here/run_vm.sh" "$version" "$here/sql_init.sh" --fast --timeout 400 --build "$build" "${database_additions[@]}" \
  --add "$work/backends=/etc/backends" --add "$work/data.tar=/data.tar" --add "$postgres_programs/pgbench=/bin/pgbench"
