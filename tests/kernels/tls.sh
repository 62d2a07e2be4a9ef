#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# TLS on one kernel of the matrix: a handshake span at each end, and HTTP spans of what is inside.
#   tls.sh 6.1|6.12 BUILD_DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=${1:?kernel version}
build=${2:?build folder}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 -subj /CN=shop.test 2>/dev/null
sed 's/listen 127.0.0.1:8080;/listen 127.0.0.1:8443 ssl; ssl_certificate \/etc\/cert.pem; ssl_certificate_key \/etc\/key.pem; ssl_protocols TLSv1.2 TLSv1.3;/' \
  "$here/nginx.conf" > "$work/nginx.conf"
grep -q 8443 "$work/nginx.conf"
# Go's own TLS, if there is a compiler.
https=()
if go=$(PATH=$PATH:/usr/local/go/bin command -v go); then
  CGO_ENABLED=0 GO111MODULE=off GOFLAGS= GOTOOLCHAIN=local "$go" build -ldflags "-s -w" -o "$work/https" "$here/../e2e/servers/https.go"
  https=(--add "$work/https=/bin/https")
fi
"$here/run_vm.sh" "$version" "$here/tls_init.sh" --fast --timeout 1000 --build "$build" \
  --add "$work/nginx.conf=/etc/nginx.conf" --add "$work/cert.pem=/etc/cert.pem" --add "$work/key.pem=/etc/key.pem" \
  --add /etc/ssl/openssl.cnf=/usr/lib/ssl/openssl.cnf \
  --add "$(command -v openssl)=/bin/openssl" "${https[@]}" \
  --add "$(PATH=$PATH:/usr/sbin command -v bpftool)=/bin/bpftool"
