#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Functional check of a build on one kernel of the matrix, in a VM: both backends where the kernel has both.
#   check.sh 6.1|6.12 BUILD_DIR [ci|full]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
version=${1:?kernel version}
build=${2:?build folder}
mode=${3:-ci}
case $mode in
  full) requests=50000 rounds=200 kept=10000 fresh=2000 timeout=1800 ;;
  *) requests=2000 rounds=5 kept=2000 fresh=1000 timeout=1500 ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'requests=%s rounds=%s kept=%s fresh=%s\n' $requests $rounds $kept $fresh > "$work/check.conf"
gcc -std=c11 -O2 -static "$here/numbered_load.c" -o "$work/numbered_load"
backends_of "$version" > "$work/backends"
"$here/run_vm.sh" "$version" "$here/check_init.sh" --fast --timeout $timeout --build "$build" \
  --add "$work/check.conf=/etc/check.conf" --add "$work/backends=/etc/backends" \
  --add "$work/numbered_load=/bin/numbered_load" --add "$here/proxy.conf=/etc/proxy.conf" --add "$here/parents.awk=/etc/parents.awk" \
  --add "$(PATH=$PATH:/usr/sbin command -v bpftool)=/bin/bpftool" \
  --add "$(command -v curl)=/bin/curl"
