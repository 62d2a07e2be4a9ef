#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# TLS on one kernel of the matrix: a handshake span at each end, and HTTP spans of what is inside; also where the kernel
# encrypts.
#   tls.sh 6.1|6.12 BUILD_DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=${1:?kernel version}
build=${2:?build folder}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 -subj /CN=shop.test 2>/dev/null
folder=$("$here/build_vm.sh" "$version")
modules=()
for module in "$folder"/modules/*.ko; do modules+=(--add "$module=/lib/modules/$(basename "$module")"); done
# Go's own TLS, if there is a compiler.
https=()
if go=$(PATH=$PATH:/usr/local/go/bin command -v go); then
  CGO_ENABLED=0 GO111MODULE=off GOFLAGS= GOTOOLCHAIN=local "$go" build -ldflags "-s -w" -o "$work/https" "$here/../e2e/servers/https.go"
  https=(--add "$work/https=/bin/https")
fi
"$here/run_vm.sh" "$version" "$here/tls_init.sh" --fast --timeout 1000 --build "$build" \
  --add "$here/tls_nginx.conf=/etc/nginx.conf" "${modules[@]}" --add "$work/cert.pem=/etc/cert.pem" --add "$work/key.pem=/etc/key.pem" \
  --add /etc/ssl/openssl.cnf=/usr/lib/ssl/openssl.cnf \
  --add "$(command -v openssl)=/bin/openssl" --add "$(command -v curl)=/bin/curl" "${https[@]}" \
  --add "$(PATH=$PATH:/usr/sbin command -v bpftool)=/bin/bpftool"
