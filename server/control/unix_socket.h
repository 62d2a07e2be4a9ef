// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The listening unix socket: its file, its mode, its group.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "server/base/fd.h"
#include "server/base/status.h"

namespace probed::control {

/// Listens on `path` with mode 0660 and the group, when one is given. A socket file that nobody answers on is replaced;
/// ALREADY_EXISTS when somebody does, FAILED_PRECONDITION when the path is something else than a socket.
Result<Fd> ListenUnix(const std::string& path, std::optional<gid_t> group);

}  // namespace probed::control
