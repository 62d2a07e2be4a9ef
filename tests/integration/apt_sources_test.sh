#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# scripts/lib/apt_sources.sh against both of apt's file formats.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/apt_sources.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# fresh: an empty apt folder for the next case.
fresh() { rm -rf "$work/apt"; mkdir -p "$work/apt/sources.list.d"; }

expect() {
  if [ "$2" = "$3" ]; then return; fi
  printf 'FAILED %s\n  expected: %q\n  got:      %q\n' "$1" "$2" "$3"
  failures=$((failures + 1))
}

stanza() { printf 'Types: deb\nURIs: %s\nSuites: bookworm-backports\nComponents: main%s' "$1" "${2:+$'\n'Signed-By: $2}"; }

fresh
cat > "$work/apt/sources.list.d/debian.sources" <<'S'
Types: deb
# a comment
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main

Types: deb deb-src
URIs: http://mirror.example/debian http://other.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /keys/archive.gpg
S
expect "deb822" "$(stanza http://mirror.example/debian /keys/archive.gpg)" "$(apt_backports_stanza bookworm "$work/apt")"

fresh
printf 'deb-src http://a.example/debian bookworm main\n# deb http://b.example/debian bookworm main\n' > "$work/apt/sources.list"
printf 'deb [arch=amd64 signed-by=/keys/one.gpg] http://c.example/debian bookworm contrib main\n' >> "$work/apt/sources.list"
expect "one line, options" "$(stanza http://c.example/debian /keys/one.gpg)" "$(apt_backports_stanza bookworm "$work/apt")"

fresh
printf 'deb http://d.example/linux/debian bookworm stable\n' > "$work/apt/sources.list"
printf 'deb http://e.example/debian bookworm main\n' > "$work/apt/sources.list.d/x.list"
expect "another project's repository is passed over" "$(stanza http://e.example/debian)" "$(apt_backports_stanza bookworm "$work/apt")"

fresh
printf 'Enabled: no\nTypes: deb\nURIs: http://f.example/debian\nSuites: bookworm\nComponents: main\n' > "$work/apt/sources.list.d/off.sources"
expect "a disabled source is no source" "none" "$(apt_backports_stanza bookworm "$work/apt" || echo none)"

fresh
printf 'Types: deb\nURIs: http://g.example/debian\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN-----\n .\n abc\n' \
  > "$work/apt/sources.list.d/key.sources"
expect "a key inside the file" $'Signed-By: \n -----BEGIN-----\n .\n abc' \
  "$(apt_backports_stanza bookworm "$work/apt" | sed -n '/^Signed-By/,$p')"

fresh
printf 'deb http://h.example/debian bookworm-backports main\n' > "$work/apt/sources.list"
expect "present suite is seen" yes "$(apt_has_suite bookworm-backports "$work/apt" && echo yes || echo no)"
expect "absent suite is seen" no "$(apt_has_suite bookworm "$work/apt" && echo yes || echo no)"

[ "$failures" -eq 0 ] && echo "apt_sources: ok"
