// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What this machine lets the daemon do, for GetInfo and the log.
#pragma once

#include <cstdint>

#include "server/bpf/capture_core.h"
#include "server/state/ports.h"

namespace probed::app {

/// One shard per eight CPUs, a power of two, at most PB_MAX_SHARDS.
std::uint32_t ShardCount();

/// `core` may be null.
state::PlatformInfo ReadPlatform(const bpf::CaptureCore* core);

}  // namespace probed::app
