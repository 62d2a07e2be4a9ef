#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Boots a kernel of the matrix with INIT as its first process and prints the VM's console. The exit code is the one
# that INIT reports with a line "vm-exit N"; without that line the run has failed.
#   run_vm.sh 6.1|6.12 INIT [--build DIR] [--add HOST[=GUEST]]... [--fast] [--rep-movs] [--plugin FILE,ARGUMENTS]
#     [--timeout SECONDS]
#     --build DIR   adds bin/probed, bin/probectl and the modules of a build folder (in the VM: /bin, /modules)
#     --add         adds a file (a program brings its libraries along)
#     --fast        no instruction counting (a VM for functional checks, about three times as fast)
#     --plugin      of QEMU's translator (tests/bench/block_trace.c)
#     --rep-movs    counts with the CPU's fast string copies (docs/adr/0007-no-fast-string-copies-in-counts.md)
# Without --fast one virtual nanosecond is one guest instruction, so times of the guest are instruction counts.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

version=${1:?kernel version}
init=${2:?init script}
shift 2
build="" fast="" rep_movs="" plugin="" timeout=600 additions=()
while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$2; shift 2 ;;
    --add) additions+=("$2"); shift 2 ;;
    --fast) fast=1; shift ;;
    --rep-movs) rep_movs=1; shift ;;
    --plugin) plugin=$2; shift 2 ;;
    --timeout) timeout=$2; shift 2 ;;
    *) vm_fail "unknown argument $1" ;;
  esac
done

folder=$("$KERNELS_DIR/build_vm.sh" "$version")
work=$(mktemp -d "$VM_CACHE/run.XXXXXX")
trap 'rm -rf "$work"' EXIT

add_build() {
  local module
  add_file "$work/root" "$build/bin/probed" /bin/probed
  add_file "$work/root" "$build/bin/probectl" /bin/probectl
  mkdir -p "$work/root/modules"
  for module in "$build"/modules/*.so; do add_file "$work/root" "$module" "/modules/$(basename "$module")"; done
  chmod -R go-w "$work/root/modules"
}

mkdir "$work/root"
install -m 755 "$init" "$work/root/init"
install -D -m 644 "$KERNELS_DIR/vm_lib.sh" "$work/root/etc/vm_lib.sh"
if [ -n "$build" ]; then add_build; fi
for addition in "${additions[@]}"; do add_file "$work/root" "${addition%%=*}" "${addition#*=}"; done
pack_initramfs "$work/root" "$work/overlay.gz"
cat "$folder/base.gz" "$work/overlay.gz" > "$work/initrd.gz"

# 6.12 double-faults under instruction counting with cmpxchg16b.
cpu=max
if [ "$version" = 6.12 ]; then cpu=$cpu,-cx16; fi
# A fast string copy is one instruction to hardware, but one for each byte to the VM's counter.
if [ -z "$rep_movs" ]; then cpu=$cpu,-erms,-fsrm; fi
machine=(-accel tcg -smp 1 -cpu "$cpu" -m 2048 -nographic -no-reboot -nodefaults -serial stdio -monitor none)
if [ -z "$fast" ]; then machine+=(-icount shift=0,sleep=off); fi
if [ -n "$plugin" ]; then machine+=(-plugin "$plugin"); fi

timeout --foreground "$timeout" qemu-system-x86_64 "${machine[@]}" -kernel "$folder/vmlinuz" -initrd "$work/initrd.gz" \
  -append "console=ttyS0 quiet clocksource=tsc tsc=reliable mitigations=off nokaslr panic=-1" </dev/null |
  sed -u 's/\r//g; s/\x1bc//g; s/\x1b\[[?0-9;]*[a-zA-Z]//g' | tee "$work/console" || true
code=$(sed -n 's/^vm-exit \([0-9]*\)$/\1/p' "$work/console" | tail -n 1)
[ -n "$code" ] || vm_fail "the VM ended without a result (see its console above)"
exit "$code"
