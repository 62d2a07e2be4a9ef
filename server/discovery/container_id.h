// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Which container a cgroup path belongs to.
#pragma once

#include <string>
#include <string_view>

namespace probed::discovery {

/// The 64 hexadecimal digits that container runtimes put into the path, in the innermost component that has them:
///   /docker/<id>  docker-<id>.scope  cri-containerd-<id>.scope  <pod>.slice:cri-containerd:<id>  crio-<id>.scope
///   libpod-<id>.scope/container  /kubepods/burstable/pod<uid>/<id>
/// Empty when there is none, and for a runtime's own monitor (…conmon-<id>).
std::string ContainerIdOf(std::string_view cgroup_path);

}  // namespace probed::discovery
