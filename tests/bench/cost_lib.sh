# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# How a *_cost.sh begins, which has the kernel's version and the build folder as its first arguments: sets here, version,
# build and work, a folder that goes with the script. Sourced.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=${1:?kernel version}
build=$(readlink -f "${2:?build folder}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
