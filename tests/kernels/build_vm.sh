#!/bin/bash
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# Prepares the VM of one kernel version and prints its folder: vmlinuz (Debian's cloud kernel, from the mirror apt
# already uses) and base.gz (an initramfs with busybox, nginx and the load client). Everything is kept in
# $PROBED_VM_CACHE (default: ~/.cache/probed-vm) and made only once; nothing is installed.
# In modules/: TLS in the kernel.
#   build_vm.sh 6.1|6.12
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$SOURCE_DIR/scripts/lib/apt_sources.sh"

version=${1:?kernel version}
suite=$(suite_of "$version")
folder=$VM_CACHE/$version

# Own lists and an own source, so that the machine's apt stays as it is and every release can fetch every kernel.
private_apt() {
  local codename source uri signed
  # shellcheck disable=SC1091
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  source=$(apt_source_of "$codename")
  [ -n "$source" ] || vm_fail "no enabled apt source offers $codename main"
  uri=${source%%$'\n'*}
  signed=$(printf '%s' "${source#"$uri"}" | sed '1{/^$/d}')
  mkdir -p "$VM_CACHE/apt/lists/partial" "$VM_CACHE/apt/cache/archives/partial"
  : > "$VM_CACHE/apt/status"
  {
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$suite"
    if [ -n "$signed" ]; then printf 'Signed-By: %s\n' "$signed"; fi
  } > "$VM_CACHE/apt/$suite.sources"
  apt_options=(-qq -o "Dir::Etc::sourcelist=$VM_CACHE/apt/$suite.sources" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$VM_CACHE/apt/lists" -o "Dir::State::status=$VM_CACHE/apt/status"
    -o "Dir::Cache=$VM_CACHE/apt/cache" -o APT::Sandbox::User=root -o APT::Architecture=amd64 -o APT::Default-Release=)
}

# keep_modules UNPACKED: those of TLS in the kernel and of what it encrypts with, not compressed, numbered in the order
# in which they can be inserted. Not every kernel has each as a module.
keep_modules() {
  local name file to number=0
  mkdir -p "$folder/modules"
  for name in gf128mul ghash-generic crypto_null ctr gcm tls; do
    file=$(find "$1" -name "$name.ko*")
    to=$folder/modules/$((number += 1))-$name.ko
    case $file in
      "") ;;
      *.xz) xz -dc "$file" > "$to" ;;
      *) cp "$file" "$to" ;;
    esac
  done
}

fetch_kernel() {
  local package work
  private_apt
  apt-get "${apt_options[@]}" update
  package=$(apt-cache "${apt_options[@]}" depends linux-image-cloud-amd64 | awk '$1 == "Depends:" && /linux-image-/ {print $2; exit}')
  [ -n "$package" ] || vm_fail "$suite has no linux-image-cloud-amd64"
  work=$(mktemp -d "$VM_CACHE/fetch.XXXXXX")
  (cd "$work" && apt-get "${apt_options[@]}" download "$package" &&
    dpkg-deb --fsys-tarfile ./*.deb | tar -x --wildcards './boot/vmlinuz-*' '*/kernel/net/tls/*' '*/kernel/*crypto/*')
  cp "$work"/boot/vmlinuz-* "$folder/vmlinuz.new"
  keep_modules "$work"
  echo "$package" > "$folder/package"
  rm -rf "$work"
  mv "$folder/vmlinuz.new" "$folder/vmlinuz"
}

build_base() {
  local root
  root=$(mktemp -d "$VM_CACHE/root.XXXXXX")
  mkdir -p "$root"/{bin,sbin,etc,proc,sys,dev,run,tmp,root,var/log/nginx,var/lib/nginx,usr/share/nginx}
  add_file "$root" "$(command -v busybox)" /bin/busybox
  "$root/bin/busybox" --list | while read -r applet; do ln -s busybox "$root/bin/$applet" 2>/dev/null || true; done
  add_file "$root" /usr/sbin/nginx /bin/nginx
  gcc -std=c11 -O2 -static "$SOURCE_DIR/tests/bench/closed_loop.c" -o "$root/bin/closed_loop"
  cp "$KERNELS_DIR/nginx.conf" "$root/etc/nginx.conf"
  printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' > "$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\nprobed:x:900:\n' > "$root/etc/group"
  printf '127.0.0.1 localhost\n' > "$root/etc/hosts"
  printf 'passwd: files\ngroup: files\nhosts: files\n' > "$root/etc/nsswitch.conf"
  pack_initramfs "$root" "$VM_CACHE/base.gz"
  rm -rf "$root"
}

[ "$(dpkg --print-architecture)" = amd64 ] || vm_fail "the VM is x86-64 only"
mkdir -p "$folder"
exec {lock}>"$VM_CACHE/lock" && flock "$lock"  # two VMs may be started at once
[ -s "$folder/vmlinuz" ] && compgen -G "$folder/modules/*-tls.ko" > /dev/null || fetch_kernel
inputs=("$SOURCE_DIR/tests/bench/closed_loop.c" "$KERNELS_DIR/nginx.conf" "$KERNELS_DIR/build_vm.sh" "$KERNELS_DIR/lib.sh")
if [ ! -s "$VM_CACHE/base.gz" ] || [ -n "$(find "${inputs[@]}" -newer "$VM_CACHE/base.gz")" ]; then build_base; fi
ln -sf ../base.gz "$folder/base.gz"
echo "$folder"
