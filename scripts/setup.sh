#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Installs what building and testing probed need, on Debian 12 or 13 (the lists are in scripts/packages/). Quick when
# everything is there, needs root only when something is missing, refuses other systems. On Debian 12 it adds the
# backports of the mirror that apt already uses.
set -euo pipefail
cd "$(dirname "$0")"
. lib/apt_sources.sh

LIBBPF_MINIMUM=1.4
BACKPORTS_FILE=/etc/apt/sources.list.d/probed-backports.sources
POLICY=/usr/sbin/policy-rc.d

fail() { echo "setup: $*" >&2; exit 1; }

# list FILE: its packages, one a line.
list() { grep -hv '^#' "packages/$1.txt"; }

release() {
  [ -r /etc/os-release ] || fail "no /etc/os-release here; this script knows Debian 12 and 13 only"
  # shellcheck disable=SC1091
  . /etc/os-release
  case "${ID:-unknown}-${VERSION_ID:-}" in
    debian-12) suite=bookworm ;;
    debian-13) suite=trixie ;;
    *) fail "this is ${PRETTY_NAME:-an unknown system}; packages are known for Debian 12 and 13 only." \
            "Elsewhere, install the counterparts of scripts/packages/*.txt yourself and build with cmake --preset dev" ;;
  esac
  version=$VERSION_ID
}

wanted() {
  list common
  list "debian-$version"
  if [ "$version" = 12 ]; then list debian-12-backports; fi
  command -v go >/dev/null || echo golang-go
  command -v node >/dev/null || echo nodejs
  command -v npm >/dev/null || echo npm
  command -v javac >/dev/null || echo default-jdk-headless
  command -v mvn >/dev/null || echo maven
  command -v cargo >/dev/null || echo cargo
}

missing() {
  local package
  for package in $(wanted); do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

libbpf_is_new_enough() { pkg-config --atleast-version="$LIBBPF_MINIMUM" libbpf 2>/dev/null; }

add_backports() {
  if apt_has_suite "$suite-backports"; then return; fi
  apt_backports_stanza "$suite" > "$BACKPORTS_FILE.new" ||
    { rm -f "$BACKPORTS_FILE.new"; fail "no enabled apt source offers $suite main, so its backports cannot be derived"; }
  mv "$BACKPORTS_FILE.new" "$BACKPORTS_FILE"
  echo "setup: wrote $BACKPORTS_FILE"
}

# Debian starts a service when its package is installed. The tests want the programs, not a web server on port 80.
hold_services() {
  if [ -e "$POLICY" ]; then return; fi
  printf '#!/bin/sh\nexit 101\n' > "$POLICY"
  chmod 755 "$POLICY"
  trap 'rm -f "$POLICY"' EXIT
}

install_missing() {
  local from_backports=() plain=() package
  export DEBIAN_FRONTEND=noninteractive
  for package in "$@"; do
    if [ "$version" = 12 ] && list debian-12-backports | grep -qx "$package"; then
      from_backports+=("$package")
    else
      plain+=("$package")
    fi
  done
  hold_services
  apt-get update -qq
  if [ ${#plain[@]} -gt 0 ]; then apt-get install -y -qq --no-install-recommends "${plain[@]}"; fi
  if [ ${#from_backports[@]} -gt 0 ]; then
    apt-get install -y -qq --no-install-recommends -t "$suite-backports" "${from_backports[@]}"
  fi
}

main() {
  release
  mapfile -t todo < <(missing)
  if ! libbpf_is_new_enough && [[ " ${todo[*]} " != *" libbpf-dev "* ]]; then todo+=(libbpf-dev); fi
  if [ ${#todo[@]} -eq 0 ]; then echo "setup: everything is installed"; return; fi
  echo "setup: missing ${todo[*]}"
  if [ "$(id -u)" -ne 0 ]; then fail "installing packages needs root: sudo $(readlink -f "$0")"; fi
  if [ "$version" = 12 ]; then add_backports; fi
  install_missing "${todo[@]}"
  libbpf_is_new_enough || fail "libbpf $LIBBPF_MINIMUM or newer is needed, found $(pkg-config --modversion libbpf)"
  echo "setup: done"
}
main "$@"
