#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# The one-folder contract: a copy of api/template becomes a module by adding one folder under modules/, and nothing
# outside that folder changes. Works on a copy of the tree, so that a build of the real one is not disturbed.
#   one_folder_test.sh BUILD_DIR [OUT.so]     (conformance runs if the build has probe-modtest; OUT.so keeps the module)
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
build=$(readlink -f "${1:?build folder}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ -d "$source/api/template" ] || { echo "one_folder: there is no api/template" >&2; exit 1; }
(cd "$source" && git ls-files -co --exclude-standard -z | xargs -0 -I{} sh -c 'test -e "{}" && printf "%s\0" "{}"' |
  tar -c --null -T - ) | tar -x -C "$work"
cd "$work"
git init -q . && git add -A && git -c user.name=t -c user.email=t@localhost commit -q -m tree

cp -r api/template modules/one_folder
cmake -S . -B "$work.build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo > configure.log 2>&1 || { cat configure.log; exit 1; }
trap 'rm -rf "$work" "$work.build"' EXIT
nice ninja -C "$work.build" probe_module_one_folder one_folder_decoder_test > build.log 2>&1 || { tail -n 40 build.log; exit 1; }
[ -s "$work.build/modules/one_folder.so" ] || { echo "one_folder: no module came out" >&2; exit 1; }

test_program=$(find "$work.build" -type f -name one_folder_decoder_test | head -n 1)
"$test_program" > test.log 2>&1 || { tail -n 40 test.log; exit 1; }

outside=$(git status --porcelain -- . ':!modules/one_folder' ':!configure.log' ':!build.log' ':!test.log')
if [ -n "$outside" ]; then
  printf 'one_folder: files outside the folder changed:\n%s\n' "$outside" >&2
  exit 1
fi
if [ -x "$build/bin/probe-modtest" ]; then "$build/bin/probe-modtest" "$work.build/modules/one_folder.so"; fi
if [ -n "${2:-}" ]; then install -m 644 "$work.build/modules/one_folder.so" "$2"; fi
echo "one_folder: ok"
