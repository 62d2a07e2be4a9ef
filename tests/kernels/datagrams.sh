#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Datagrams, and streams of the same module, on one kernel of the matrix, by lookups at both ends: both backends where the
# kernel has both.
#   datagrams.sh 6.1|6.12 BUILD_DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
version=${1:?kernel version}
build=${2:?build folder}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
backends_of "$version" > "$work/backends"
for index in $(seq 0 9); do echo "n$index.www.test A"; done > "$work/names"
gcc -std=c11 -O2 -o "$work/dns_vectors" "$here/../e2e/servers/dns_vectors.c"
"$here/run_vm.sh" "$version" "$here/datagrams_init.sh" --fast --timeout 1000 --build "$build" \
  --add "$work/backends=/etc/backends" --add "$here/unbound.conf=/etc/unbound.conf" \
  --add "$work/dns_vectors=/bin/dns_vectors" --add "$work/names=/etc/names" --add "$(command -v dnsperf)=/bin/dnsperf" \
  --add "$(PATH=$PATH:/usr/sbin command -v unbound)=/bin/unbound"
