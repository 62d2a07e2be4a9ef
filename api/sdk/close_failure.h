// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "api/module/probe_module.h"

namespace probed::sdk {

/// `error.type` of what waited on a connection that ended for `close_reason` (PROBE_CLOSE_…).
inline std::string_view CloseFailure(std::uint32_t close_reason) {
  switch (close_reason) {
    case PROBE_CLOSE_TIMEOUT: return "timeout";
    case PROBE_CLOSE_RESET: return "connection_reset";
    default: return "connection_closed";
  }
}

}  // namespace probed::sdk
