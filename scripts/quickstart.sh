#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# From a fresh clone to a live span, on your own machine (Debian 12 or 13, as root):
#   1. installs missing packages (scripts/setup.sh) and builds the release preset,
#   2. starts probed with a socket of its own in a temporary folder,
#   3. starts an unmodified Python web server, loads the http module, sends three requests,
#   4. prints the spans as probectl tail sees them, and stops everything again. Nothing stays behind but build/.
# With a folder (`quickstart.sh build/dev`) it takes what was built there, and installs and builds nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
  -h | --help) sed -n '5,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
build=${1:-build/release}
[ "$(id -u)" -eq 0 ] || { echo "quickstart: loading BPF programs needs root: sudo $0" >&2; exit 1; }

work=$(mktemp -d /tmp/probed-quickstart.XXXXXX)
pids=()

stop_all() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap stop_all EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
probectl() { "$build/bin/probectl" --socket "$work/probed.sock" "$@"; }

# wait_until WHAT COMMAND...: polls for at most 15 seconds.
wait_until() {
  local what=$1 attempt
  shift
  for attempt in $(seq 150); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "quickstart: $what did not happen within 15 s" >&2
  cat "$work/probed.log" >&2
  exit 1
}

build_release() {
  say "1. packages and build (build/quickstart.log)"
  mkdir -p build
  { scripts/setup.sh && cmake --preset release -DPROBED_TESTS=OFF && cmake --build --preset release; } > build/quickstart.log 2>&1 ||
    { tail -n 30 build/quickstart.log >&2; exit 1; }
}
if [ $# -eq 0 ]; then build_release; fi

say "2. the daemon, nothing loaded"
printf 'daemon:\n  http_listen: ""\n' > "$work/probed.yaml"
"$build/bin/probed" --config "$work/probed.yaml" --socket "$work/probed.sock" --state-dir "$work/state" \
  --module-dir "$(readlink -f "$build")/modules" > "$work/probed.log" 2>&1 &
pids+=($!)
wait_until "the daemon's answer" probectl modules

say "3. an unmodified server; then: probectl load http"
mkdir "$work/site"
echo "hello" > "$work/site/world"
python3 -u -m http.server --bind 127.0.0.1 --directory "$work/site" 0 > "$work/server.log" 2>&1 &
pids+=($!)
wait_until "the server's start" grep -q 'port [0-9]' "$work/server.log"
port=$(sed -n 's/.* port \([0-9]*\).*/\1/p' "$work/server.log" | head -n 1)
probectl load http --wait
probectl modules

say "4. three requests, and what probectl tail shows"
probectl tail > "$work/tail.log" 2>&1 &
pids+=($!)
sleep 0.5
for path in world missing "world?page=2"; do curl -s -o /dev/null "http://127.0.0.1:$port/$path"; done
three_spans() { [ "$(grep -c GET "$work/tail.log")" -ge 3 ]; }
wait_until "a span of each request" three_spans
cat "$work/tail.log"

say "5. unloaded: no BPF program stays behind"
probectl unload http
