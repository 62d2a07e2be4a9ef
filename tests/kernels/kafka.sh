#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Megabytes of messages at the broker that librdkafka brings along for tests (in a process of kcat), on one kernel of the matrix,
# each counted once at either end: both backends where the kernel has both.
#   kafka.sh 6.1|6.12 BUILD_DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
version=${1:?kernel version}
build=${2:?build folder}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
backends_of "$version" > "$work/backends"
"$here/run_vm.sh" "$version" "$here/kafka_init.sh" --fast --timeout 400 --build "$build" \
  --add "$work/backends=/etc/backends" --add "$(command -v kcat)=/bin/kcat"
