#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# What the grpc module adds to a unary call in its server, in instructions, in the measuring VM: one connection, one call
# at a time, messages of 20 bytes; and to a request of nginx over HTTP/2.
#   grpc_cost.sh 6.1|6.12 BUILD_DIR [CALLS] [PROGRAM]
# PROGRAM: one of tests/e2e/servers/grpc; unless told otherwise the C++ one with a single thread.
. "$(dirname "$0")/cost_lib.sh"
program=$(readlink -f "${4:-$build/bench/grpc_echo}")
role=server
[ $# -ge 4 ] || role=alone
echo "calls=${3:-2000} role=$role" > "$work/measure.conf"
cat > "$work/nginx.conf" <<'C'
worker_processes 1;
pid /run/nginx.pid;
error_log /run/nginx.log;
events { worker_connections 64; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path /tmp; proxy_temp_path /tmp; fastcgi_temp_path /tmp; uwsgi_temp_path /tmp; scgi_temp_path /tmp;
  server {
    listen 127.0.0.1:8080 http2;
    location / { return 200 "ok\n"; }
  }
}
C
"$here/../kernels/run_vm.sh" "$version" "$here/../kernels/grpc_measure_init.sh" --timeout 600 --build "$build" \
  --add "$here/agent_probed.sh=/bin/agent_probed.sh" \
  --add "$work/measure.conf=/etc/measure.conf" --add "$work/nginx.conf=/etc/nginx.conf" --add "$program=/bin/grpc_echo" \
  --add "$(command -v h2load)=/bin/h2load"
