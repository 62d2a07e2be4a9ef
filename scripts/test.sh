#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Everything CI runs, in one command. From a fresh clone it installs what is missing (scripts/setup.sh), builds and
# tests. The last line is "N passed, N failed, N skipped".
#
#   scripts/test.sh            the run of CI
#   scripts/test.sh --quick    dev build, unit tests, conformance, format
#   scripts/test.sh --full     also TSan, every unit test with and without sanitizers, the cost budgets, long fuzzing,
#                              1000 module cycles, long VM runs, long live tests, clang-tidy over every file
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

export LOGS=$PWD/build/logs
rm -rf "$LOGS" && mkdir -p "$LOGS"
export JOBS=${PROBED_JOBS:-$(nproc)}

configure_and_build() { cmake --preset "$1" && cmake --build --preset "$1" -j "$JOBS"; }
source_files() { git ls-files --cached --others --exclude-standard -- '*.h' '*.cc' '*.c' | grep -v '^build/'; }
check_format() { source_files | xargs clang-format-19 --dry-run -Werror; }

# What differs from the parent commit, or is not committed; with --full every file: a look at one takes ten seconds.
tidy_files() {
  # The template is built as a copy under modules/, where its includes are found.
  if [ "$mode" = full ]; then
    git ls-files '*.cc' ':!api/template'
  else
    git diff --name-only --diff-filter=d HEAD~1 -- '*.cc' ':!api/template' | head -n "$MOST_TIDY_FILES"
  fi
}
MOST_TIDY_FILES=12

# clang does not know one of gcc's flags.
check_tidy() {
  local files
  files=$(tidy_files)
  if [ -z "$files" ]; then echo "no C++ file differs"; return 0; fi
  # By itself, with what build/dev has generated.
  cmake --preset dev -B build/tidy -DPROBED_UNITY=OFF || return
  sed -i 's/-fno-gnu-unique//g; s#build/tidy#build/dev#g' build/tidy/compile_commands.json
  echo "$files" | xargs -P "$JOBS" -n 2 clang-tidy-19 -p build/tidy --quiet
}

check_fuzz() { scripts/fuzz.sh build/fuzz -runs=10000000; }

can_capture() {
  if [ "$(id -u)" -ne 0 ]; then reason="needs root"; return 1; fi
  if [ ! -r /sys/kernel/btf/vmlinux ]; then reason="the running kernel has no BTF (/sys/kernel/btf/vmlinux)"; return 1; fi
}

run_live() {
  if can_capture; then
    run_ctest live build/dev -L live
    run_check quickstart scripts/quickstart.sh build/dev
  else
    skip_check live "$reason"
  fi
}

# As run_queue reads them: of both kernels, the longer one first.
kernel_checks() {
  local checks="check attach tls datagrams" check version
  if ! command -v qemu-system-x86_64 >/dev/null; then return; fi
  if [ "$1" = full ]; then checks+=" sql kafka"; fi
  for check in $checks; do
    for version in 6.12 6.1; do echo "kernels-$check-$version tests/kernels/$check.sh $version build/dev $1"; done
  done
}
all_have_run() { echo "the queue was ended before all of them had run"; return 1; }
finish_kernels() {
  if ! command -v qemu-system-x86_64 >/dev/null; then skip_check kernels "qemu-system-x86_64 is not installed"; return; fi
  if [ "$mode" = full ]; then kernel_checks full | run_queue >"$LOGS/kernels"; fi
  touch "$LOGS/kernels" # what runs beside the live tests may have been ended before it
  count_queue <"$LOGS/kernels"
  if [ "$(wc -l <"$LOGS/kernels")" -ne "$(kernel_checks "$mode" | wc -l)" ]; then run_check kernels all_have_run; fi
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

# run_sanitizer PRESET [ARGUMENT...]: arguments of ctest.
run_sanitizer() {
  if run_check "build-$1" configure_and_build "$1"; then run_ctest "unit-$1" "build/$1" -L unit -j "$JOBS" "${@:2}"; fi
}

# CI builds a unit test once, because that takes longer than running it: with ASan and UBSan, but without those over gRPC
# (control, client), whose libraries would have to be built twice. --full runs all of them in both ways, --quick without.
SCRIPTS='adjacency|protocol_table'
OVER_GRPC='app_test|control_test|cli_.*|python_example_test'
IN_PART_WITHOUT_SANITIZERS='modules_library_test|modules_crash_note_test'
export NOT_SANITIZED="^($SCRIPTS|$OVER_GRPC)\$"
PLAIN="^($SCRIPTS|$OVER_GRPC|$IN_PART_WITHOUT_SANITIZERS)\$"
export LSAN_OPTIONS=suppressions=$PWD/scripts/lib/lsan.supp

# unit_tests BUILD_DIR ARGUMENT...: their names, which are those of their programs.
unit_tests() { ctest --test-dir "$1" -N -L unit "${@:2}" | sed -n 's/^ *Test *#[0-9]*: //p'; }
build_dev() {
  if [ "$mode" != ci ]; then configure_and_build dev; return; fi
  # shellcheck disable=SC2046
  cmake --preset dev -DPROBED_UNIT_TESTS_APART=ON &&
    cmake --build --preset dev -j "$JOBS" --target all $(unit_tests build/dev -R "$PLAIN" -E "^($SCRIPTS)\$")
}
run_units() {
  if [ "$mode" = ci ]; then run_ctest unit build/dev -L unit -R "$PLAIN" -j "$JOBS"; return; fi
  run_ctest unit build/dev -L unit -j "$JOBS"
}
build_sanitized() {
  # shellcheck disable=SC2046
  cmake --preset asan-ubsan &&
    cmake --build --preset asan-ubsan -j "$JOBS" --target $(unit_tests build/asan-ubsan -E "$NOT_SANITIZED")
}
# Beside the live tests, which wait more than they compute: the sanitizers, then the virtual machines.
start_beside_live() {
  if [ "$mode" = ci ]; then start_check beside-live check_beside_live; fi
}
check_beside_live() {
  local status=0
  build_sanitized || status=$?
  [ $status -ne 0 ] || log_ctest unit-asan-ubsan build/asan-ubsan -L unit -E "$NOT_SANITIZED" -j "$JOBS"
  kernel_checks ci | run_queue >"$LOGS/kernels"
  return $status
}
finish_address_sanitizer() {
  if [ "$mode" = full ]; then run_sanitizer asan-ubsan; return; fi
  if finish_check beside-live; then
    printf '%-28s ' unit-asan-ubsan
    count_ctest unit-asan-ubsan build/asan-ubsan 0
  fi
}

run_fuzz() { if run_check build-fuzz configure_and_build fuzz; then run_check fuzz check_fuzz; fi; }

# Sets up, or stops: nothing after it could work.
run_check setup scripts/setup.sh || { close_checks; exit 1; }
run_check format check_format
run_check apt-sources tests/integration/apt_sources_test.sh
if [ "$mode" = full ]; then export PROBED_CONFORMANCE_CYCLES=1000 PROBED_FULL=1; fi
if run_check build-dev build_dev; then
  run_units
  run_ctest conformance build/dev -L conformance
  if [ "$mode" != quick ]; then
    run_ctest integration build/dev -L integration
    start_beside_live
    run_live
    run_check clang-tidy check_tidy
    finish_address_sanitizer
    finish_kernels
  fi
fi
if [ "$mode" = full ]; then
  # gRPC is not built for TSan, which therefore does not see how it hands things from thread to thread.
  run_sanitizer tsan -E "^($OVER_GRPC|export_transport_test)\$"
  run_cost
  run_fuzz
fi
close_checks
