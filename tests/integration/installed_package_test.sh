#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# An author without the source tree: installs the build to a temporary prefix, builds the installed template as a
# project of its own against the package, and puts the result through the conformance kit of the build.
#   installed_package_test.sh BUILD_DIR
set -euo pipefail
build=$(readlink -f "${1:?build folder}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" > "$work/install.log" 2>&1 || { cat "$work/install.log"; exit 1; }
for needed in bin/probed bin/probectl; do
  [ -x "$work/prefix/$needed" ] || { echo "installed_package: no $needed" >&2; exit 1; }
done
find "$work/prefix" -path '*/probed/modules/http.so' | grep -q . || { echo "installed_package: no http.so" >&2; exit 1; }

template=$(find "$work/prefix" -type d -name template | head -n 1)
[ -n "$template" ] || { echo "installed_package: the template is not installed" >&2; exit 1; }
cp -r "$template" "$work/author"
if ! grep -q '^project(' "$work/author/CMakeLists.txt"; then
  {
    printf 'cmake_minimum_required(VERSION 3.22)\nproject(author LANGUAGES C CXX)\n'
    printf 'set(CMAKE_CXX_STANDARD 20)\nset(CMAKE_POSITION_INDEPENDENT_CODE ON)\nfind_package(probed REQUIRED)\n'
    cat "$work/author/CMakeLists.txt"
  } > "$work/CMakeLists.new"
  mv "$work/CMakeLists.new" "$work/author/CMakeLists.txt"
fi
cmake -S "$work/author" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" > "$work/configure.log" 2>&1 ||
  { cat "$work/configure.log"; exit 1; }
nice ninja -C "$work/build" > "$work/build.log" 2>&1 || { tail -n 40 "$work/build.log"; exit 1; }
module=$(find "$work/build" -name '*.so' | head -n 1)
[ -n "$module" ] || { echo "installed_package: no module came out" >&2; exit 1; }
modtest=$build/clients/modtest/probe-modtest
[ -x "$modtest" ] || { echo "installed_package: no $modtest" >&2; exit 1; }
"$modtest" "$module"

# A daemon takes modules from folders that only root can write to.
if [ "$(id -u)" = 0 ] && [ -r /sys/kernel/btf/vmlinux ]; then
  name=$(basename "$module" .so)
  modules=$HOME/.probed-installed.$$
  mkdir -m 755 "$modules"
  trap 'rm -rf "$work" "$modules"' EXIT
  cp "$module" "$modules"
  echo '{daemon: {http_listen: ""}}' > "$work/probed.yaml"
  "$work/prefix/bin/probed" --config "$work/probed.yaml" --socket "$work/probed.sock" --module-dir "$modules" \
    --state-dir "$work/state" > "$work/probed.log" 2>&1 &
  daemon=$!
  ctl() { "$work/prefix/bin/probectl" --socket "$work/probed.sock" "$@"; }
  for _ in $(seq 100); do ctl modules > /dev/null 2>&1 && break; sleep 0.1; done
  loaded=1
  ctl load "$name" --wait && ctl modules | grep "^$name .*running" && ctl unload "$name" && loaded=0
  kill $daemon
  wait $daemon || loaded=1
  [ $loaded = 0 ] || { echo "installed_package: the daemon did not take $name" >&2; cat "$work/probed.log" >&2; exit 1; }
else
  echo "SKIPPED: installed_package: loading into a daemon needs root and BTF"
fi

unit=$work/prefix/lib/systemd/system/probed.service
grep -q "^ExecStart=$work/prefix/bin/probed --config $work/prefix/etc/probed/probed.yaml$" "$unit" ||
  { echo "installed_package: the unit starts something else:" >&2; grep ExecStart "$unit" >&2; exit 1; }
[ -f "$work/prefix/etc/probed/probed.yaml" ] || { echo "installed_package: no probed.yaml" >&2; exit 1; }

# What a client needs to make its stubs.
mkdir "$work/stubs"
protoc -I "$work/prefix/share/probed/proto" --python_out="$work/stubs" probed/v1/control.proto probed/v1/observe.proto \
  google/rpc/status.proto google/rpc/error_details.proto
echo "installed_package: ok"
