#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Where the instructions of a hook call go, by function: boots the measuring VM under a plugin that writes down every block
# of code it runs, while nginx is asked over 8 kept connections, and adds up what belongs to each hook call.
#   hook_profile.sh 6.1|6.12 BUILD_DIR [PROGRAM]
# With a PROGRAM (http_rx, http_tx): the instructions that one call of it ran through, in their order.
. "$(dirname "$0")/cost_lib.sh"
gcc -std=c11 -O2 -Wall -Wextra -shared -fPIC "$here/block_trace.c" -o "$work/block_trace.so"
gcc -std=c11 -O2 -static "$here/trace_mark.c" -o "$work/trace_mark"
"$here/../kernels/run_vm.sh" "$version" "$here/../kernels/hook_profile_init.sh" --fast --timeout 1200 --build "$build" \
  --plugin "$work/block_trace.so,blocks=$work/blocks,code=$work/code" \
  --add "$work/trace_mark=/bin/trace_mark" --add "$here/agents/target.yaml=/etc/agents/target.yaml" > "$work/console" ||
  { cat "$work/console" >&2; exit 1; }
sed -n '/^symbols-begin$/,/^symbols-end$/p' "$work/console" | sed '1d;$d' | base64 -d | gunzip > "$work/symbols"
/usr/bin/python3 "$here/hook_profile.py" "$work" "${@:3:1}"
