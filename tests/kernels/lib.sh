# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# What the scripts of this folder share: where things are kept, and how programs get into an initramfs. Sourced.

KERNELS_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SOURCE_DIR=$(cd "$KERNELS_DIR/../.." && pwd)
VM_CACHE=${PROBED_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/probed-vm}

vm_fail() { echo "$(basename "$0"): $*" >&2; exit 1; }

# suite_of VERSION: the Debian suite whose cloud kernel has that version.
suite_of() {
  case $1 in
    6.1) echo bookworm ;;
    6.12) echo bookworm-backports ;;
    *) vm_fail "kernel $1 is not in the matrix (6.1, 6.12)" ;;
  esac
}

# backends_of VERSION: those that such a kernel has, the preferred one first.
backends_of() {
  case $1 in
    6.1) echo fexit ;;
    *) echo sock fexit ;;
  esac
}

# add_file ROOT HOST_PATH [GUEST_PATH]: copies a file; debug sections stay outside, the libraries of a program come along.
add_file() {
  local root=$1 from=$2 to=${3:-$2} library
  mkdir -p "$root/$(dirname "$to")"
  cp -L "$from" "$root/$to"
  if ! readelf -h "$from" >/dev/null 2>&1; then return; fi
  chmod u+w "$root/$to"
  strip --strip-debug "$root/$to" 2>/dev/null || true
  for library in $(ldd "$from" 2>/dev/null | grep -oE '/[^ ]+'); do
    [ -e "$root/$library" ] || { mkdir -p "$root/$(dirname "$library")"; cp -L "$library" "$root/$library"; }
  done
}

# pack_initramfs ROOT FILE
pack_initramfs() { (cd "$1" && find . -print0 | cpio --null -o -H newc --quiet -R 0:0 | gzip -1) > "$2.new" && mv "$2.new" "$2"; }
