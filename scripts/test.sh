#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Everything CI runs, in one command. From a fresh clone it installs what is missing (scripts/setup.sh), builds and
# tests. The last line is "N passed, N failed, N skipped".
#
#   scripts/test.sh            the run of CI
#   scripts/test.sh --quick    dev build, unit tests, conformance, format
#   scripts/test.sh --full     also TSan, the cost budgets, long fuzzing, 1000 module cycles, long VM runs,
#                              clang-tidy over every file
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/lib/checks.sh

usage() { sed -n '5,12s/^# \{0,1\}//p' "$0"; }

mode=ci
for argument in "$@"; do
  case $argument in
    --quick) mode=quick ;;
    --full) mode=full ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

LOGS=$PWD/build/logs
mkdir -p "$LOGS"
JOBS=${PROBED_JOBS:-$(nproc)}

configure_and_build() { cmake --preset "$1" && cmake --build --preset "$1" -j "$JOBS"; }
source_files() { git ls-files --cached --others --exclude-standard -- '*.h' '*.cc' '*.c' | grep -v '^build/'; }
check_format() { source_files | xargs clang-format-19 --dry-run -Werror; }

# On a branch, or with changes not committed, the files that differ from its base; on main itself every file.
tidy_files() {
  local base=""
  if [ "$mode" != full ]; then base=$(git merge-base HEAD origin/main 2>/dev/null); fi
  if [ -n "$base" ] && ! git diff --quiet "$base"; then
    git diff --name-only --diff-filter=d "$base" -- '*.cc'
  else
    git ls-files '*.cc'
  fi
}

check_tidy() {
  local files
  [ -e .clang-tidy ] || { echo "there is no .clang-tidy"; return 1; }
  files=$(tidy_files)
  if [ -z "$files" ]; then echo "no C++ file differs"; return 0; fi
  echo "$files" | xargs -P "$JOBS" -n 4 clang-tidy-19 -p build/dev --quiet
}

check_fuzz() { scripts/fuzz.sh build/fuzz "$1"; }

can_capture() {
  if [ "$(id -u)" -ne 0 ]; then reason="needs root"; return 1; fi
  if [ ! -r /sys/kernel/btf/vmlinux ]; then reason="the running kernel has no BTF (/sys/kernel/btf/vmlinux)"; return 1; fi
}

run_live() {
  if can_capture; then
    run_ctest live build/dev -L live -E "new_module"
  else
    skip_check live "$reason"
  fi
}

run_kernels() {
  if ! command -v qemu-system-x86_64 >/dev/null; then skip_check kernels "qemu-system-x86_64 is not installed"; return; fi
  run_check kernels-6.1 tests/kernels/check.sh 6.1 build/dev "$1"
  run_check kernels-6.12 tests/kernels/check.sh 6.12 build/dev "$1"
  run_check attach-6.1 tests/kernels/attach.sh 6.1 build/dev
  run_check attach-6.12 tests/kernels/attach.sh 6.12 build/dev
  run_check datagrams-6.1 tests/kernels/datagrams.sh 6.1 build/dev
  run_check datagrams-6.12 tests/kernels/datagrams.sh 6.12 build/dev
}

# The figures of docs/benchmarks.md: a release build, the programs of tests/bench beside it.
build_release() { cmake --preset release -DPROBED_TESTS=ON && cmake --build --preset release -j "$JOBS"; }
run_cost() {
  if ! can_capture; then skip_check cost "$reason"; return; fi
  run_check build-release build_release || return
  run_check cost-6.1 tests/bench/cost.sh 6.1 build/release
  run_check cost-6.12 tests/bench/cost.sh 6.12 build/release
  run_check cost-native /usr/bin/python3 tests/bench/paired_run.py build/release
}

run_sanitizer() {
  if run_check "build-$1" configure_and_build "$1"; then run_ctest "unit-$1" "build/$1" -L unit -j "$JOBS"; fi
}

# In every run: what eats bytes from the network, under ASan and UBSan. The rest of the unit tests: --full.
run_data_plane_sanitizer() {
  local targets="http_parse_test http_vectors_test http_stitch_test http_attributes_test http_config_test sdk_test"
  run_check configure-asan-ubsan cmake --preset asan-ubsan || return
  run_check build-asan-ubsan cmake --build --preset asan-ubsan -j "$JOBS" --target $targets || return
  for target in $targets; do
    run_check "asan-$target" "$(find build/asan-ubsan -name "$target" -type f -perm -u+x | head -1)"
  done
}

run_fuzz() { if run_check build-fuzz configure_and_build fuzz; then run_check fuzz check_fuzz "$1"; fi; }

# Sets up, or stops: nothing after it could work.
run_check setup scripts/setup.sh || { close_checks; exit 1; }
run_check format check_format
run_check apt-sources tests/integration/apt_sources_test.sh
if run_check build-dev configure_and_build dev; then
  # The control plane's and the client's own tests: --full, until they have a run of CI behind them (ROADMAP.md).
  if [ "$mode" = full ]; then run_ctest unit build/dev -L unit -j "$JOBS"; else run_ctest unit build/dev -L unit -E "control|cli|conformance" -j "$JOBS"; fi
  if [ "$mode" = full ]; then export PROBED_CONFORMANCE_CYCLES=1000 PROBED_FULL=1; fi
  if [ "$mode" = full ]; then run_ctest conformance build/dev -L conformance; fi
  if [ "$mode" != quick ]; then
    if [ "$mode" = full ]; then run_ctest integration build/dev -L integration; fi
    run_live
  fi
fi
case $mode in
  ci) run_data_plane_sanitizer ;;
  full)
    run_check clang-tidy check_tidy
    run_kernels "$mode"
    run_sanitizer asan-ubsan
    run_sanitizer tsan
    run_cost
    run_fuzz 600
    ;;
esac
close_checks
