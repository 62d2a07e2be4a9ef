#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# What the sql module adds to a query in the kernel, in instructions, in the measuring VM: to MariaDB's server, which reads
# the head and the rest of each command by itself and sends one answer, and to PostgreSQL's, which reads once and sends once.
#   sql_cost.sh 6.1|6.12 BUILD_DIR [QUERIES]
. "$(dirname "$0")/cost_lib.sh"
echo "queries=${3:-500}" > "$work/measure.conf"
. "$here/../kernels/databases.sh"
database_files "$work"
cat > "$work/probed.yaml" <<C
daemon: {http_listen: ""}
modules: [{name: sql}]
targets: [{name: server, exe: [/bin/mariadbd, $postgres_programs/postgres]}]
C
"$here/../kernels/run_vm.sh" "$version" "$here/../kernels/sql_measure_init.sh" --timeout 600 --build "$build" \
  "${database_additions[@]}" --add "$here/agent_probed.sh=/bin/agent_probed.sh" --add "$work/probed.yaml=/etc/probed.yaml" \
  --add "$work/measure.conf=/etc/measure.conf" --add "$work/data.tar=/data.tar" --add "$(command -v chrt)=/bin/chrt"
