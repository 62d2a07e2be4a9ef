#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Runs every libFuzzer target of a build folder, each until its limit, from the seeds beside its source:
#   scripts/fuzz.sh build/fuzz -max_total_time=15
#   scripts/fuzz.sh build/fuzz -runs=10000000
# A target is an executable named *_fuzz; its seeds are a folder <target>_corpus and a dictionary <target>.dict, both
# optional, wherever its source is. What it finds stays in build/fuzz/found/<target>, outside the tree.
set -euo pipefail
build=$(readlink -f "${1:?build folder}")
limit=${2:?limit: -max_total_time=SECONDS or -runs=COUNT}
cd "$(dirname "$0")/.."

run_target() {
  local target=$1 name found dict corpus
  name=$(basename "$target")
  found=$build/found/$name
  mkdir -p "$found/new"
  local arguments=("$limit" -timeout=20 -max_len=1024 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0
                   -artifact_prefix="$found/")
  dict=$(git ls-files -co --exclude-standard "*/$name.dict" | head -n 1)
  corpus=$(git ls-files -co --exclude-standard "*/${name}_corpus/*" | head -n 1)
  if [ -n "$dict" ]; then arguments+=(-dict="$dict"); fi
  arguments+=("$found/new")
  if [ -n "$corpus" ]; then arguments+=("$(dirname "$corpus")"); fi
  echo "== $name $limit"
  "$target" "${arguments[@]}"
}

mapfile -t targets < <(find "$build" -type f -name '*_fuzz' -perm -u+x | sort)
[ ${#targets[@]} -gt 0 ] || { echo "fuzz: no target *_fuzz under $build" >&2; exit 1; }
for target in "${targets[@]}"; do run_target "$target"; done
