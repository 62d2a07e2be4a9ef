#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Statements at PostgreSQL and MariaDB on one kernel of the matrix, a span of each at both ends: both backends where the
# kernel has both.
#   sql.sh 6.1|6.12 BUILD_DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
version=${1:?kernel version}
build=${2:?build folder}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
backends_of "$version" > "$work/backends"
. "$here/databases.sh"
database_files "$work"
"$here/run_vm.sh" "$version" "$here/sql_init.sh" --fast --timeout 400 --build "$build" "${database_additions[@]}" \
  --add "$work/backends=/etc/backends" --add "$work/data.tar=/data.tar" --add "$postgres_programs/pgbench=/bin/pgbench"
