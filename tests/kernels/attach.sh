#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Attach plans and plaintext on one kernel of the matrix: perf events on 6.1, uprobe_multi links on 6.12.
#   attach.sh 6.1|6.12 BUILD_DIR     needs the target attach_fixtures
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=${1:?kernel version}
build=${2:?build folder}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'GET /flipped HTTP/1.1\r\nHost: flipped\r\n\r\n' |
  python3 -c 'import sys; sys.stdout.buffer.write(bytes(byte ^ 0x5a for byte in sys.stdin.buffer.read()))' > "$work/request"
"$here/run_vm.sh" "$version" "$here/attach_init.sh" --fast --timeout 1000 --build "$build" \
  --add "$build/fixture_modules/attach_probe.so=/modules/attach_probe.so" \
  --add "$build/fixture_programs/attach_caller=/bin/attach_caller" \
  --add "$build/fixture_programs/flip_server=/bin/flip_server" \
  --add "$build/fixture_programs/libattach_target.so=/lib/libattach_target.so" \
  --add "$work/request=/etc/flipped_request" \
  --add "$(PATH=$PATH:/usr/sbin command -v bpftool)=/bin/bpftool"
